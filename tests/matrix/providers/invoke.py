"""Anthropic's Messages within Amazon's InvokeModel at a provider: what the client sent, as it is."""

import json
from base64 import b64encode
from typing import Any

from gateway.dialects.lanes import Outbound
from tests.matrix.providers import anthropic
from tests.matrix.words import Ask
from tests.upstream.bedrock import event, exception


class Provider(anthropic.Provider):
    """See `Provider`."""

    def streamed(self, sent: Outbound) -> bool:
        return sent.path.endswith("/invoke-with-response-stream")

    def model(self, sent: Outbound) -> str:
        return sent.path.split("/")[2].replace("%3A", ":")

    def stream(self, events: list[Any]) -> bytes:
        return b"".join(event("chunk", {"bytes": b64encode(json.dumps(one).encode()).decode()}) for one in events)

    def midway(self, events: list[Any], error: Any) -> bytes:
        return self.stream(events) + exception("throttlingException", error["error"]["message"])

    def read(self, sent: Outbound) -> Ask:
        body = json.loads(sent.body)
        assert body.pop("anthropic_version") == "bedrock-2023-05-31"
        assert body.keys().isdisjoint({"model", "stream"})
        return self.asked(body | {"model": self.model(sent)})
