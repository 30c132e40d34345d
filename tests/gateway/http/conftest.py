"""What is said of the client holds on both event loops."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop

from gateway.http.client import HttpUpstream
from tests.gateway.live import TLS


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run each asynchronous test on either loop."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def upstream() -> AsyncIterator[HttpUpstream]:
    """A client; it is closed with the test."""
    client = HttpUpstream(TLS)
    yield client
    await client.close()
