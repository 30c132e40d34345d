"""What counts as the prompt of a Responses request, for our own count of it."""

import json
from typing import Any

import msgspec

from gateway.dialects.shapes import listed
from gateway.tokens import CALL_TOKENS, FUNCTION_TOKENS, MESSAGE_TOKENS, REPLY_TOKENS, Countable
from gateway.types import ParsedRequest

_SAID = ("name", "arguments", "input")


def prompt(request: ParsedRequest) -> Countable:
    """Return what counts as prompt; wrong shapes are passed over."""
    body = msgspec.json.decode(request.members.body, type=dict)
    found = _Found()
    found.content(body.get("instructions"))
    given = body.get("input")
    found.content(given if isinstance(given, str) else None)
    for item in listed(given):
        found.item(item)
    for tool in listed(body.get("tools")):
        found.overhead += FUNCTION_TOKENS
        found.texts.append(json.dumps(tool, ensure_ascii=False))
    for name in ("text", "tool_choice"):
        if isinstance(body.get(name), dict):
            found.texts.append(json.dumps(body[name], ensure_ascii=False))
    return Countable(tuple(found.texts), found.overhead + REPLY_TOKENS, found.complete)


class _Found:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.overhead = 0
        self.complete = True

    def item(self, item: dict[str, Any]) -> None:
        kind = str(item.get("type") or "message")
        self.overhead += MESSAGE_TOKENS if kind == "message" else CALL_TOKENS
        self.texts += [value for name in _SAID if isinstance(value := item.get(name), str)]
        for name in ("content", "output", "summary"):
            self.content(item.get(name))
        known = kind in ("message", "reasoning") or kind.endswith(("tool_call", "tool_call_output"))
        if not known and not kind.startswith("function_call"):
            self.complete = False

    def content(self, content: object) -> None:
        if isinstance(content, str):
            self.texts.append(content)
        for part in listed(content):
            text = part.get("text") or part.get("refusal")
            if isinstance(text, str):
                self.texts.append(text)
            else:
                self.complete = False
