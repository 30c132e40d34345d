"""Anthropic's Messages within Amazon's InvokeModel, as `AnthropicBedrock` of PyPI anthropic 2.12.0 writes and reads them."""

import json
from base64 import b64decode
from typing import Any

from tests.matrix.clients.messages import Messages
from tests.matrix.events import frames
from tests.matrix.words import Ask

METRICS = "amazon-bedrock-invocationMetrics"  # which Amazon adds to the last event


class Invoke(Messages):
    """See `Client`."""

    title = "Bedrock InvokeModel (Claude)"

    def path(self, streamed: bool) -> str:
        return "/model/m/invoke-with-response-stream" if streamed else "/model/m/invoke"

    def write(self, ask: Ask, streamed: bool) -> dict[str, Any]:
        body = super().write(ask, streamed) | {"anthropic_version": "bedrock-2023-05-31"}
        return {name: value for name, value in body.items() if name not in {"model", "stream"}}

    def assembled(self, data: bytes) -> dict[str, Any]:
        return self.grown([_event(name, payload) for name, payload in frames(data)])

    def error(self, body: dict[str, Any]) -> tuple[str, str]:
        return body["__type"], body["message"]

    def broken(self, data: bytes) -> tuple[str, str]:
        *events, (kind, last) = frames(data)
        assert kind.endswith("Exception")
        found = [_event(name, payload) for name, payload in events]
        deltas = [event["delta"] for event in found if event["type"] == "content_block_delta"]
        return "".join(delta.get("text", "") for delta in deltas), last["message"]


def _event(name: str, payload: dict[str, Any]) -> dict[str, Any]:
    assert name == "chunk"
    event: dict[str, Any] = json.loads(b64decode(payload["bytes"]))
    event.pop(METRICS, None)
    return event
