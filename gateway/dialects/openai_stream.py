"""OpenAI's chat stream on its way through: relayed as it comes, read only where it must be."""

import re
from typing import Any

import msgspec

from gateway.dialects.openai_usage import Collector, usage_in
from gateway.dialects.sse import EventBuffer, data_of, events
from gateway.types import Usage

_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_DONE = re.compile(rb"(?:\A|[\r\n])data: ?\[DONE\]")
_ERROR = re.compile(rb'"error"\s*:\s*[{"]')


class ChatStream:
    """What goes to the client of what comes from the provider. Whole events only; bytes are not changed.

    `usage`, `done` and `error` (the provider's error object) are set as they pass by; an error event and all that
    follows it is held back, so that the gateway can say it in its own shape.
    """

    __slots__ = ("_buffer", "_collector", "_complete", "_hide_usage", "done", "error", "prompt_usage", "usage")

    def __init__(self, hide_usage: bool) -> None:
        """`hide_usage`: the client did not ask for the usage chunk, we did."""
        self._buffer = EventBuffer()
        self._collector = Collector()
        self._hide_usage = hide_usage
        self._complete = False  # the last chunk with usage was one that ends an answer
        self.prompt_usage: Usage | None = None  # nothing is said of the prompt alone
        self.usage: Usage | None = None
        self.done = False
        self.error: object = None

    def feed(self, data: bytes) -> bytes:
        """Take what came; return what the client gets now."""
        block = self._buffer.feed(data)
        if b'"error"' in block and _ERROR.search(block):
            block = self._until_error(block)
        if b'"usage"' in block and _USAGE.search(block):
            block = self._without_usage(block)
        if b"[DONE]" in block and _DONE.search(block):
            self.done = True
        if block:
            self._collector.add(block)
        return block

    def end(self) -> bytes:
        """The provider has ended: return what is left for the client. An event without its blank line still counts.

        Some providers send no `[DONE]`: the usage comes last, too. Others tell it in every chunk; those have to finish.
        """
        rest, inside = self._buffer.rest(), self._buffer.inside
        if not inside:
            rest = self.feed(rest + b"\n\n") if rest.strip() else b""
        self.done = self.done or self._complete
        return rest

    def cut(self) -> bytes:
        """The stream breaks here: return what makes the client's last event end, so that another can follow."""
        return b"\n\n" if self._buffer.inside else b""

    @property
    def made(self) -> int:
        """About how many bytes were generated so far; it lags a little behind."""
        return self._collector.size

    def fragments(self) -> list[bytes]:
        """Return what was generated, for counting."""
        return self._collector.collect()

    def _without_usage(self, block: bytes) -> bytes:
        kept = []
        for event in events(block):
            if _USAGE.search(event):
                chunk = _chunk(event)
                found = usage_in(chunk)
                if found is not None:
                    self.usage, self._complete = found, _ends(chunk)
                if self._hide_usage and "usage" in chunk and not chunk.get("choices"):
                    continue
            kept.append(event)
        return b"".join(kept)

    def _until_error(self, block: bytes) -> bytes:
        kept = []
        for event in events(block):
            if _ERROR.search(event):
                chunk = _chunk(event)
                if chunk.get("error") and (not chunk.get("choices") or _finish(chunk) == "error"):
                    self.error = chunk["error"]
                    break
            kept.append(event)
        return b"".join(kept)


def _ends(chunk: dict[str, Any]) -> bool:
    """Say whether a chunk with usage is the last of an answer: it has no choices, or one that finished."""
    return not chunk.get("choices") or bool(_finish(chunk))


def _finish(chunk: dict[str, Any]) -> object:
    """Return why the first choice of a chunk finished."""
    choices = chunk.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first.get("finish_reason") if isinstance(first, dict) else None


def _chunk(event: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(data_of(event))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
