"""What counts as the prompt of a Converse request, for our own count of it."""

import json
from typing import Any

import msgspec

from gateway.dialects.shapes import listed
from gateway.tokens import CALL_TOKENS, FUNCTION_TOKENS, MESSAGE_TOKENS, REPLY_TOKENS, Countable
from gateway.types import ParsedRequest

SEEN_IMAGE_TOKENS = 1_600  # what most vendors bill for an image at most at its usual size


def prompt(request: ParsedRequest) -> Countable:
    """Return what counts as prompt; wrong shapes are passed over."""
    body = msgspec.json.decode(request.members.body, type=dict)
    found = _Found()
    found.blocks(body.get("system"))
    for message in listed(body.get("messages")):
        found.overhead += MESSAGE_TOKENS
        found.blocks(message.get("content"))
    config = body.get("toolConfig")
    for tool in listed(config.get("tools") if isinstance(config, dict) else None):
        found.overhead += FUNCTION_TOKENS
        found.texts.append(json.dumps(tool, ensure_ascii=False))
    if isinstance(body.get("outputConfig"), dict):
        found.texts.append(json.dumps(body["outputConfig"], ensure_ascii=False))
    return Countable(tuple(found.texts), found.overhead + REPLY_TOKENS, found.complete)


class _Found:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.overhead = 0
        self.complete = True

    def blocks(self, content: object) -> None:
        for block in listed(content):
            for name, value in block.items():
                self._block(name, value)

    def _block(self, name: str, value: Any) -> None:
        if name == "text":
            self.texts.append(str(value))
        elif name == "image":
            self.overhead += SEEN_IMAGE_TOKENS
            self.complete = False
        elif name == "toolResult":
            self.overhead += CALL_TOKENS
            self.blocks(value.get("content") if isinstance(value, dict) else None)
        elif name in ("toolUse", "json", "searchResult", "guardContent", "citationsContent", "reasoningContent"):
            self.overhead += CALL_TOKENS
            self.texts.append(json.dumps(value, ensure_ascii=False))
        elif name != "cachePoint":
            self.complete = False
