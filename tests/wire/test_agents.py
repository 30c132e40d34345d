"""Claude Code and Codex, unmodified, at work through Atrium: over each provider's format they answer and run a command.

They take 640 MB, so `make soak` alone installs them, at the versions of agents/package-lock.json.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy import node_env, python_env, stamp
from tests.wire.conftest import Wired
from tests.wire.test_tools import FINAL, GREETING

pytestmark = pytest.mark.soak

HERE = Path(__file__).parent / "agents"
HOME = python_env.HOME / "agents"
CLAUDE = HOME / "node_modules" / "@anthropic-ai" / "claude-code" / "cli-wrapper.cjs"
CODEX = HOME / "node_modules" / "@openai" / "codex" / "bin" / "codex.js"
CONFIG = """
model = "{model}"
model_provider = "atrium"
web_search = "disabled"

[model_providers.atrium]
name = "Atrium"
base_url = "{base_url}"
wire_api = "responses"
env_key = "ATRIUM_KEY"
"""
ECHO = "echo rain-in-oslo"
each_provider = pytest.mark.parametrize("model", ["mock-chat", "mock-claude"])


@pytest.fixture(scope="module", autouse=True)
def agents() -> None:
    """Install them where they are missing."""
    lock, note = HERE / "package-lock.json", HOME / "atrium-installed.json"
    if stamp.read(note).get("lock") == stamp.digest(lock):
        return
    HOME.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(HERE / name, HOME / name)
    subprocess.run(["npm", *node_env.NPM], cwd=HOME, check=True, timeout=600)
    stamp.write(note, {"lock": stamp.digest(lock)})


def run(arguments: list[str], folder: Path, **env: str) -> str:
    """Run an agent in a home of its own; return what it printed."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    done = subprocess.run(
        ["node", *arguments], cwd=work, env={"PATH": os.environ["PATH"], "HOME": str(folder), **env},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@each_provider
def test_claude_code(wired: Wired, tmp_path: Path, model: str) -> None:
    env = {
        "ANTHROPIC_BASE_URL": wired.server.base_url, "ANTHROPIC_AUTH_TOKEN": wired.mock_key,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": model, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "4096", "CLAUDE_CONFIG_DIR": str(tmp_path / "config"),
    }  # fmt: skip

    def asked(prompt: str) -> dict[str, Any]:
        options = ["--model", model, "--output-format", "json", "--allowedTools", "Bash(echo:*)"]
        found: dict[str, Any] = json.loads(run([str(CLAUDE), "-p", prompt, *options], tmp_path, **env))
        return found

    greeted, worked = asked("please greet"), asked("find out with the tool")
    assert (greeted["result"], greeted["num_turns"], greeted["is_error"]) == (GREETING, 1, False)
    assert (worked["result"], worked["num_turns"], worked["permission_denials"]) == (FINAL, 2, [])


@each_provider
def test_codex(wired: Wired, tmp_path: Path, model: str) -> None:
    home = tmp_path / "codex"
    home.mkdir()
    (home / "config.toml").write_text(CONFIG.format(model=model, base_url=wired.base_url))

    def asked(prompt: str) -> list[dict[str, Any]]:
        options = ["exec", "--skip-git-repo-check", "-s", "danger-full-access", "--json", prompt]  # it runs `echo`
        printed = run([str(CODEX), *options], tmp_path, CODEX_HOME=str(home), ATRIUM_KEY=wired.mock_key)
        events = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
        return [event["item"] for event in events if event["type"] == "item.completed"]

    assert asked("please greet")[-1]["text"] == GREETING
    *_, ran, said = asked("find out with the tool")
    assert ECHO in ran["command"] and (ran["aggregated_output"], ran["exit_code"]) == ("rain-in-oslo\n", 0)
    assert said["text"] == FINAL
