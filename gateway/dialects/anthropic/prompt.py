"""What counts as the prompt of a Messages request, for our own count of it."""

import json
from typing import Any

import msgspec

from gateway.dialects.shapes import listed
from gateway.tokens import CALL_TOKENS, FUNCTION_TOKENS, MESSAGE_TOKENS, REPLY_TOKENS, Countable
from gateway.types import ParsedRequest

SEEN_IMAGE_TOKENS = 1_600  # what an image takes at most at its usual size ("Vision", "Calculate image costs")


def prompt(request: ParsedRequest) -> Countable:
    """Return what counts as prompt; wrong shapes are passed over."""
    body = msgspec.json.decode(request.members.body, type=dict)
    found = _Found()
    found.content(body.get("system"))
    for message in listed(body.get("messages")):
        found.overhead += MESSAGE_TOKENS
        found.content(message.get("content"))
    for tool in listed(body.get("tools")):
        found.overhead += FUNCTION_TOKENS
        found.texts.append(json.dumps(tool, ensure_ascii=False))
    for name in ("output_config", "output_format", "tool_choice"):
        if isinstance(body.get(name), dict):
            found.texts.append(json.dumps(body[name], ensure_ascii=False))
    return Countable(tuple(found.texts), found.overhead + REPLY_TOKENS, found.complete)


def counted(tokens: int) -> bytes:
    """Write the answer to a request to count."""
    return msgspec.json.encode({"input_tokens": tokens})


class _Found:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.overhead = 0
        self.complete = True

    def content(self, content: object) -> None:
        if isinstance(content, str):
            self.texts.append(content)
        for block in listed(content):
            self._block(block)

    def _block(self, block: dict[str, Any]) -> None:
        kind, source = block.get("type"), block.get("source")
        if kind in ("text", "thinking"):
            self.content(block.get(kind))
        elif kind == "tool_use":
            self.overhead += CALL_TOKENS
            self.texts += [str(block.get("name")), json.dumps(block.get("input"), ensure_ascii=False)]
        elif kind in ("tool_result", "search_result"):
            self.overhead += CALL_TOKENS
            self.content(block.get("content"))
        elif kind == "document" and isinstance(source, dict) and source.get("type") in ("text", "content"):
            self.content(source.get("data") or source.get("content"))
        elif kind == "image":
            self.overhead += SEEN_IMAGE_TOKENS
            self.complete = False
        elif kind != "redacted_thinking":
            self.complete = False
