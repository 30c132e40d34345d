"""OpenAI's usage object, and what was generated where a provider sends none."""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from gateway.dialects.modalities import by_details
from gateway.types import Usage

MAX_FRAGMENTS = 4 << 20  # bytes kept for counting; generated text beyond is estimated by its size

_NUMBERS = (int, float)  # a bool is neither here
_GENERATED = re.compile(
    rb'"(?:content|reasoning_content|reasoning|refusal|arguments|name|text|thinking|partial_json|input|tool_plan)"'
    rb'\s*:\s*"((?:[^"\\]|\\.)+)"',
    re.DOTALL,
)


def usage_of(usage: object) -> Usage | None:
    """Read a usage object. None when it says nothing: absent, malformed, or zero throughout.

    `prompt_tokens` include cached ones, `completion_tokens` include reasoning ones (OpenAI's API reference, "usage").
    Some compatible providers leave thinking out of `completion_tokens` but not out of `total_tokens`; some tell cached
    tokens as DeepSeek and Moonshot do, beside the others.
    """
    if not isinstance(usage, dict):
        return None
    count = usage.get
    prompt, completion = _count(count("prompt_tokens")), _count(count("completion_tokens"))
    if not prompt and not completion:
        return None
    cached = written = thought = 0
    output = max(completion, _count(count("total_tokens")) - prompt)
    given = usage.get("prompt_tokens_details")
    if isinstance(given, dict):
        cached = min(_count(given.get("cached_tokens")), prompt)
        written = min(_count(given.get("cache_write_tokens")), prompt - cached)
    elif "prompt_cache_hit_tokens" in usage or "cached_tokens" in usage:
        cached = min(_count(count("prompt_cache_hit_tokens")) or _count(count("cached_tokens")), prompt)
    if isinstance(made := usage.get("completion_tokens_details"), dict):
        thought = min(_count(made.get("reasoning_tokens")), output)
    return by_details(Usage(prompt, cached, written, output, thought), given, made)


def usage_in(chunk: dict[str, Any]) -> Usage | None:
    """Read the usage of a chunk of a stream: OpenAI's place, Groq's (`x_groq`), or Moonshot's (the last choice)."""
    if (given := chunk.get("usage")) is not None and (found := usage_of(given)) is not None:
        return found
    if "x_groq" in chunk and isinstance(groq := chunk["x_groq"], dict) and (told := usage_of(groq.get("usage"))):
        return told
    choices = chunk.get("choices")
    for place in choices if isinstance(choices, list) else ():
        if isinstance(place, dict) and "usage" in place and (told := usage_of(place["usage"])):
            return told
    return None


def generated(body: bytes) -> list[bytes]:
    """Return the JSON-escaped pieces of generated text in a body or in a block of stream events."""
    return _GENERATED.findall(body)


def text_of(fragments: list[bytes]) -> str:
    """Join and unescape such pieces."""
    joined = b"".join(fragments)
    try:
        return msgspec.json.decode(b'"' + joined + b'"', type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return joined.decode(errors="replace")


class Collector:
    """Keeps what a stream generated, so that it can be counted if the provider does not say. Works in batches."""

    __slots__ = ("_find", "_pending", "_pending_bytes", "fragments", "size")

    BATCH: Final = 16 << 10

    def __init__(self, find: Callable[[bytes], list[bytes]] = generated) -> None:
        """`find` returns the pieces in a block of events, each once."""
        self._find = find
        self.fragments: list[bytes] = []
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self.size = 0  # bytes of all that was found so far

    def add(self, block: bytes) -> None:
        """Take whole events."""
        self._pending.append(block)
        self._pending_bytes += len(block)
        if self._pending_bytes > self.BATCH:
            self.collect()

    def collect(self) -> list[bytes]:
        """Return all fragments so far."""
        found = b"".join(self._find(b"".join(self._pending)))
        self._pending.clear()
        self._pending_bytes = 0
        if found and self.size < MAX_FRAGMENTS:
            self.fragments.append(found)
        self.size += len(found)
        return self.fragments


def _count(value: Any) -> int:
    return int(value) if type(value) in _NUMBERS and 0 <= value < 1 << 40 else 0
