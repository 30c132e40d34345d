"""The work that is measured: what clients send and what the fake provider answers, as bytes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MODEL = "bench-chat"
CHUNKS = 200
ANSWER_WORDS = 48
USAGE = {"prompt_tokens": 92, "completion_tokens": 48, "total_tokens": 140}
STREAM_USAGE = {"prompt_tokens": 92, "completion_tokens": CHUNKS, "total_tokens": 92 + CHUNKS}
ANSWER_ID = "chatcmpl-9Zq3vB7hX2mK4wT8nR6yL1sD"
CREATED = 1_760_000_000

_QUESTION = "Please look at the ticket below and say in one paragraph what the customer wants from us. "
_PACED = "Paced stream, please. "


def chat_body(*, streamed: bool = False, paced: bool = False, model: str = MODEL) -> bytes:
    """Return a chat completion request of about 500 bytes.

    `paced` asks the fake provider for one chunk at a time with a pause between them; else a stream comes at full flow.
    """
    content = ((_PACED if paced else "") + _QUESTION * 5)[:330]
    document: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "system", "content": "You answer briefly."}, {"role": "user", "content": content}],
        "max_tokens": 400,
        "temperature": 0.2,
    }
    if streamed:
        document["stream"] = True
        document["stream_options"] = {"include_usage": True}
    return json.dumps(document, separators=(",", ":")).encode()  # as SDKs write it


def is_streamed(body: bytes) -> bool:
    """Say whether a request asks for a stream, however its JSON is spaced."""
    return b'"stream":true' in body or b'"stream": true' in body


def is_paced(body: bytes) -> bool:
    """Say whether a request asks for a stream with pauses."""
    return _PACED.encode() in body


def answer() -> bytes:
    """Return the body of a chat completion, about 600 bytes."""
    message = {"role": "assistant", "content": "answer " * ANSWER_WORDS, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    document = {"id": ANSWER_ID, "object": "chat.completion", "created": CREATED, "model": MODEL, "choices": [choice]}
    return json.dumps(document | {"usage": USAGE}).encode()


def events() -> Iterator[bytes]:
    """Yield the events of a stream: 200 with a word each, one that ends it, the usage, `[DONE]`."""
    for number in range(CHUNKS):
        delta = {"content": "word "} if number else {"role": "assistant", "content": "word "}
        yield _event([{"index": 0, "delta": delta, "finish_reason": None}], None)
    yield _event([{"index": 0, "delta": {}, "finish_reason": "stop"}], None)
    yield _event([], STREAM_USAGE)
    yield b"data: [DONE]\n\n"


def _event(choices: list[dict[str, Any]], usage: dict[str, int] | None) -> bytes:
    head = {"id": ANSWER_ID, "object": "chat.completion.chunk", "created": CREATED, "model": MODEL}
    return b"data: %b\n\n" % json.dumps(head | {"choices": choices, "usage": usage}).encode()


@dataclass(frozen=True)
class Target:
    """Where a load goes: one gateway, and what it wants to see of a client."""

    host: str
    port: int
    path: str = "/v1/chat/completions"
    headers: tuple[tuple[str, str], ...] = ()

    def request(self, body: bytes) -> bytes:
        """Return a whole HTTP/1.1 request."""
        lines = [f"POST {self.path} HTTP/1.1", f"Host: {self.host}:{self.port}", "Content-Type: application/json"]
        lines += ["User-Agent: OpenAI/Python 2.8.1", "Accept: application/json", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
