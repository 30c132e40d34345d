"""The demo engine on a real socket."""

import threading
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from openai import OpenAI

from portal.demo.engine import CREDENTIAL, DemoEngine


@pytest.fixture(scope="module")
def engine_url() -> Iterator[str]:
    """The base URL of a quick engine."""
    app = DemoEngine(first_token_s=0.0, token_s=0.001)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    listening = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    server.should_exit = True
    thread.join(10)
    listening.close()


@pytest.fixture
def sdk(engine_url: str) -> Iterator[OpenAI]:
    """The official SDK, as anybody would use it."""
    with OpenAI(base_url=engine_url, api_key=CREDENTIAL, max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
def http(engine_url: str) -> Iterator[httpx.Client]:
    """Plain HTTP with the credential."""
    with httpx.Client(base_url=engine_url, headers={"authorization": f"Bearer {CREDENTIAL}"}, timeout=20) as client:
        yield client
