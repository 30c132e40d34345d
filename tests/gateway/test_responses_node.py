"""The official `openai` Node SDK, unmodified, speaking Responses to providers of three formats."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.upstream import FakeUpstream, Plan

SCRIPT = Path(__file__).parents[1] / "wire" / "openai_responses.mjs"


@pytest.mark.parametrize("served", [{"options": {"profile": "openai"}}, {}, {"dialect": "anthropic"}])
def test_text_stream_tools_and_a_refusal(
    start_gateway: StartGateway, upstream: FakeUpstream, served: dict[str, object]
) -> None:
    gateway = start_gateway(models=[make.model("served", make.deployment(upstream.url, **served))])
    said = Plan(text="one two three", prompt_tokens=10, completion_tokens=3)
    upstream.script(said, said, Plan(tool=True), Plan(text="Done."))
    done = subprocess.run(
        ["node", str(SCRIPT)],
        env={**os.environ, "BASE_URL": f"{gateway.url}/v1", "KEY": gateway.secret, "MODEL": "served"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["whole"] == {"text": "one two three", "status": "completed", "usage": 13}
    assert seen["stream"] == {
        "text": "one two three", "first": "response.created", "last": "response.completed", "usage": 13,
    }  # fmt: skip
    assert seen["tool"]["name"] == "one" and "x" in json.loads(seen["tool"]["arguments"])
    assert seen["done"] == "Done."
    assert seen["refused"] == {"name": "BadRequestError", "status": 400, "param": "background"}
