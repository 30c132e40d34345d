"""A conversation in the tests' own words: what a client means, what a provider was sent, what a client was told.

Nothing here comes from the gateway: client dialects are written, and provider dialects read, by the tests themselves.
"""

from dataclasses import dataclass, field
from typing import Any


class NotInFormatError(Exception):
    """A dialect has no word for what is to be said."""


@dataclass(frozen=True)
class Text:
    """Words. `cached`: the client marks the prompt up to here as worth caching."""

    text: str
    cached: bool = False


@dataclass(frozen=True)
class Image:
    """A picture: `data` in base64, or `url`."""

    media_type: str
    data: str = ""
    url: str = ""


@dataclass(frozen=True)
class Document:
    """A file: `data` in base64."""

    media_type: str
    data: str
    name: str


@dataclass(frozen=True)
class Call:
    """The model called a tool in an earlier turn. Gemini signs calls."""

    id: str
    name: str
    arguments: Any
    signature: str = ""


@dataclass(frozen=True)
class Result:
    """What the tool said; `name` only where a dialect says it. `image`: a PNG in base64."""

    id: str
    name: str
    text: str
    failed: bool = False
    image: str = ""


@dataclass(frozen=True)
class Thought:
    """Thought of an earlier turn, with what its provider signed it with."""

    text: str
    signature: str


Part = Text | Image | Document | Call | Result | Thought


@dataclass(frozen=True)
class Tool:
    """A function that the client runs."""

    name: str
    description: str
    schema: Any
    cached: bool = False


@dataclass
class Ask:
    """A request. What is not said is "", None or empty, as everywhere."""

    turns: list[tuple[str, list[Part]]] = field(default_factory=list)
    system: str = ""
    system_cached: bool = False
    tools: list[Tool] = field(default_factory=list)
    choice: str = ""  # auto, none, required, or the name of a tool
    parallel: bool | None = None
    schema: Any = None  # the answer is JSON of this shape
    json: bool = False  # the answer is JSON
    effort: str = ""
    budget: int = 0  # tokens of thought
    cap: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: list[str] = field(default_factory=list)
    seed: int | None = None
    penalties: tuple[float, float] | None = None  # of frequency and presence
    logprobs: int | None = None  # how many for each place
    choices: int | None = None
    user: str = ""

    def parts(self, kind: type[Any]) -> list[Any]:
        """Return all parts of one kind, in order."""
        return [part for _, parts in self.turns for part in parts if isinstance(part, kind)]

    @property
    def thinks(self) -> bool:
        """Whether thought is asked for, in whichever way."""
        return self.effort not in {"", "none"} or self.budget > 0


@dataclass
class Seen:
    """What a client's reader makes of an answer."""

    text: str = ""
    thought: str = ""
    signature: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    stop: str = ""  # in the dialect's own word
    usage: tuple[int, ...] = ()  # prompt, cached, written to the cache, output, thought
    logprobs: list[tuple[str, float]] = field(default_factory=list)


def merged(turns: list[tuple[str, list[Part]]]) -> list[tuple[str, list[Part]]]:
    """Join neighbours of one role: some dialects split a turn into several messages."""
    found: list[tuple[str, list[Part]]] = []
    for role, parts in turns:
        if found and found[-1][0] == role:
            found[-1][1].extend(parts)
        else:
            found.append((role, list(parts)))
    return found
