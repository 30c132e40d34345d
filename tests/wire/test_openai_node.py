"""The official `openai` Node SDK and Vercel's AI SDK, unmodified, against aimock through Atrium."""

import json
import os
import subprocess
from pathlib import Path

from tests.wire.conftest import Wired
from tests.wire.test_openai_python import event_of
from tests.wire.test_tools import greets_and_calls, run


def test_chat_stream_tools_embeddings_and_a_refusal(wired: Wired) -> None:
    done = subprocess.run(
        ["node", str(Path(__file__).with_name("openai_node.mjs"))],
        env={**os.environ, "BASE_URL": wired.base_url, "KEY": wired.mock_key},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["chat"]["text"] == seen["stream"]["text"] == "Good morning from the mock."
    assert seen["stream"]["usageChunks"] == 0
    assert json.loads(seen["tool"]["arguments"]) == {"city": "Oslo"}
    assert seen["embedding"] == [0.5, -0.25, 0.125]
    assert seen["refused"] == {"name": "PermissionDeniedError", "status": 403, "code": "model_not_allowed"}
    for call in ("chat", "stream"):
        event = event_of(wired, seen[call]["id"])
        assert (event["input_tokens"], event["output_tokens"]) == (21, 9)


def test_vercels_ai_sdk_in_each_format_to_each_provider(wired: Wired) -> None:
    seen = json.loads(run(["node", str(Path(__file__).with_name("ai_sdk.mjs"))], wired))
    assert len(seen) == 8
    assert {format: said for format, said in seen.items() if not greets_and_calls(said)} == {}
    assert {said["again"] for said in seen.values()} == {seen["chat mock-chat"]["text"]}
    assert {tuple(said["usage"]) for said in seen.values()} == {(21, 9)}
