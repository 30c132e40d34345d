"""The work of `benchmarks.work` in Anthropic's Messages: the same words asked and answered, in as many events."""

import json
from collections.abc import Iterator
from typing import Any

from benchmarks import work

ANSWER_ID = "msg_019Q1hrJbZG26Fb9BQhrkHEr"


def body(*, streamed: bool = False, model: str = work.MODEL) -> bytes:
    """Return the request of `work.chat_body` in Anthropic's words."""
    chat = json.loads(work.chat_body(streamed=streamed, model=model))
    system, user = chat["messages"]
    document = {
        "model": model, "system": system["content"], "messages": [user], "max_tokens": 400, "temperature": 0.2,
    }  # fmt: skip
    return json.dumps(document | ({"stream": True} if streamed else {}), separators=(",", ":")).encode()


def answer() -> bytes:
    """Return the answer of `work.answer`."""
    content = [{"type": "text", "text": "answer " * work.ANSWER_WORDS}]
    usage = {"input_tokens": work.USAGE["prompt_tokens"], "output_tokens": work.USAGE["completion_tokens"]}
    return json.dumps(_message(content, "end_turn", usage)).encode()


def events() -> Iterator[bytes]:
    """Yield the events of `work.events`: 200 with a word each, and those that frame them."""
    prompt = work.STREAM_USAGE["prompt_tokens"]
    begun = _message([], None, {"input_tokens": prompt, "output_tokens": 1})
    yield _event("message_start", message=begun) + _event(
        "content_block_start", index=0, content_block={"type": "text", "text": ""}
    )
    for _ in range(work.CHUNKS):
        yield _event("content_block_delta", index=0, delta={"type": "text_delta", "text": "word "})
    yield _event("content_block_stop", index=0)
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    yield _event("message_delta", delta=ended, usage={"output_tokens": work.CHUNKS})
    yield _event("message_stop")


def _message(content: list[Any], stop: str | None, usage: dict[str, int]) -> dict[str, Any]:
    return {
        "id": ANSWER_ID, "type": "message", "role": "assistant", "model": work.MODEL, "content": content,
        "stop_reason": stop, "stop_sequence": None, "usage": usage,
    }  # fmt: skip


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind, **fields}).encode())
