"""LangChain and `llm`, unmodified, against aimock through Atrium: each format of clients to each provider's.

Their environment is large, so `make soak` alone makes it.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.own_env import TOOLS
from tests.wire.conftest import Wired

pytestmark = pytest.mark.soak

HERE = Path(__file__).parent
GREETING, FINAL = "Good morning from the mock.", "It rains, says the mock."
CALL = ["get_weather", {"city": "Oslo"}]


@pytest.fixture(scope="module")
def tools() -> Path:
    """The Python of the environment that holds them."""
    if TOOLS.missing():
        TOOLS.install()
    return TOOLS.python


def run(command: list[str], wired: Wired, **env: str) -> str:
    """Run a tool; return what it printed."""
    done = subprocess.run(
        command, env={**os.environ, "ORIGIN": wired.server.base_url, "KEY": wired.mock_key, **env},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def greets_and_calls(seen: dict[str, Any]) -> bool:
    """Say whether a tool got what the mock says, whole and streamed, called a function and went on with its result."""
    return [seen[name] for name in ("text", "streamed", "call", "final")] == [GREETING, GREETING, CALL, FINAL]


def test_langchain(wired: Wired, tools: Path) -> None:
    seen = json.loads(run([str(tools), str(HERE / "langchain_calls.py")], wired, LANGSMITH_TRACING="false"))
    assert len(seen) == 6
    assert {format: said for format, said in seen.items() if not greets_and_calls(said)} == {}
    assert {(said["usage"]["input_tokens"], said["usage"]["output_tokens"]) for said in seen.values()} == {(21, 9)}


@pytest.mark.parametrize("model", ["mock-chat", "mock-claude"])
def test_llm_of_the_command_line(wired: Wired, tools: Path, tmp_path: Path, model: str) -> None:
    row = {"model_id": "mock", "model_name": model, "api_base": wired.base_url, "api_key_name": "atrium"}
    row["supports_tools"] = True
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps([row]))
    llm = [str(tools.with_name("llm")), "-m", "mock", "--key", wired.mock_key]
    home = {"LLM_USER_PATH": str(tmp_path)}
    assert run([*llm, "--no-stream", "please greet"], wired, **home).strip() == GREETING
    assert run([*llm, "please greet"], wired, **home).strip() == GREETING
    function = "def get_weather(city: str) -> str:\n    return f'Rain in {city}.'"
    assert run([*llm, "--functions", function, "what weather"], wired, **home).strip() == FINAL
