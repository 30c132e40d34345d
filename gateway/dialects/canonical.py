"""A conversation in no vendor's words: what every dialect is read into and written from when two of them meet.

It holds what at least two dialects can say. What one alone knows stays in passthrough, or is refused by the writer that
cannot say it (`cannot`). A call whose client and provider speak the same dialect never comes here: its bytes pass as
they are.

Nothing is decoded into these classes, and nothing of them is sent: readers make them, writers take them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.errors import RequestError
from gateway.types import Usage

Effort = Literal["minimal", "low", "medium", "high", "xhigh", "max"]
StopReason = Literal["end", "length", "tools", "stop_sequence", "refusal", "filtered"]


@dataclass(slots=True)
class Text:
    """Plain text. `cache`: the prompt up to here is worth caching, for so many seconds (300 or 3600); 0: not said."""

    text: str
    cache: int = 0


@dataclass(slots=True)
class Media:
    """An image, document or sound. One of `data` (base64), `url` and `text` (of a plain-text document) is set."""

    kind: Literal["image", "document", "audio"]
    media_type: str = ""  # such as image/png; "" where a URL does not say
    data: str = ""
    url: str = ""
    text: str = ""
    name: str = ""  # a document's file name or title
    detail: str = ""  # OpenAI's "low", "high", "auto", …
    cache: int = 0


@dataclass(slots=True)
class Thinking:
    """Thought that precedes an answer. `signature` and `redacted` mean something to the dialect `by` alone."""

    text: str = ""
    signature: str = ""
    redacted: str = ""  # thought that only the provider can read, in place of `text`
    by: str = ""  # dialect of the provider that made it; readers of client dialects that do not say leave it ""
    id: str = ""


@dataclass(slots=True)
class ToolCall:
    """The model wants a tool run. `arguments` is JSON text as it was made, which need not be valid."""

    id: str
    name: str
    arguments: str
    signature: str = ""  # Gemini signs calls as well as thought
    cache: int = 0


@dataclass(slots=True)
class ToolResult:
    """What a tool said, for the call with this id. Parts are Text and Media."""

    id: str
    parts: "list[Part]"
    failed: bool = False
    name: str = ""  # of the tool, where the dialect says it or the request lets it be found
    cache: int = 0


Part = Text | Media | Thinking | ToolCall | ToolResult


@dataclass(slots=True)
class Message:
    """One turn. Results of tools stand in the user's turn; there are no system turns (see `Request.system`).

    Readers merge neighbours of one role where their dialect splits a turn into several messages.
    """

    role: Literal["user", "assistant"]
    parts: list[Part]


@dataclass(slots=True)
class Tool:
    """A function that the client runs. `schema` is JSON Schema of its arguments."""

    name: str
    description: str = ""
    schema: dict[str, Any] = field(default_factory=dict)
    strict: bool | None = None
    cache: int = 0


@dataclass(slots=True)
class Format:
    """The answer must be JSON; with a `schema`, of this shape."""

    schema: dict[str, Any] | None = None
    name: str = ""
    strict: bool | None = None
    description: str = ""


@dataclass(slots=True)
class Request:
    """What a client asks. None, "" and empty mean "not said": the provider's own default holds."""

    model: str  # as the provider names it
    messages: list[Message]
    system: list[Text] = field(default_factory=list)
    streamed: bool = False
    max_output_tokens: int | None = None
    choices: int = 1
    tools: list[Tool] = field(default_factory=list)
    tool_choice: Literal["", "auto", "none", "required", "named"] = ""
    tool_name: str = ""  # with tool_choice "named"
    parallel_tools: bool | None = None
    format: Format | None = None
    effort: Effort | Literal["", "none"] = ""  # how long to think; "none": not at all
    thinking_tokens: int | None = None  # most tokens of thought; 0: none. Where both are said, this one is meant
    thoughts_wanted: bool = False  # the client wants to read the thought, or its summary
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: list[str] = field(default_factory=list)
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logprobs: bool = False
    top_logprobs: int | None = None
    user: str = ""  # an opaque id of the end user, for the provider's abuse detection


@dataclass(slots=True)
class Choice:
    """One answer. `logprobs` is in OpenAI's chat shape ({"content": […]}), None where there are none."""

    parts: list[Part]
    stop: StopReason
    stop_sequence: str = ""
    logprobs: dict[str, Any] | None = None


@dataclass(slots=True)
class Answer:
    """A whole answer. `usage` is None where the provider did not say."""

    id: str
    model: str  # as the provider names what answered
    choices: list[Choice]
    usage: Usage | None
    created: int = 0  # epoch s; 0: not said


# A streamed answer, as events. Of each choice: `Started` part, its `Delta`s, `Ended` part, …, then `Stopped`.


@dataclass(slots=True)
class Begun:
    """The stream has begun. `usage`: what is known of the prompt by now."""

    id: str
    model: str
    usage: Usage | None = None
    created: int = 0


@dataclass(slots=True)
class Started:
    """Part number `index` of a choice begins: what is known of it by now (a tool call's id and name, no arguments)."""

    index: int
    part: Text | Thinking | ToolCall
    choice: int = 0


@dataclass(slots=True)
class Delta:
    """More of a part: of a text, of a thought, or of a call's arguments. `signature` comes at a thought's end."""

    index: int
    text: str = ""
    signature: str = ""
    choice: int = 0
    logprobs: dict[str, Any] | None = None


@dataclass(slots=True)
class Ended:
    """A part is complete."""

    index: int
    choice: int = 0


@dataclass(slots=True)
class Stopped:
    """A choice is complete."""

    stop: StopReason
    stop_sequence: str = ""
    choice: int = 0


@dataclass(slots=True)
class Used:
    """What the call used, as far as the provider said by now; a later one replaces an earlier one whole."""

    usage: Usage


@dataclass(slots=True)
class Finished:
    """The stream is complete: nothing follows."""


@dataclass(slots=True)
class Failed:
    """The provider says that it failed: its error object, with a "message". Nothing follows."""

    error: dict[str, Any]
    status: int = 502


Event = Begun | Started | Delta | Ended | Stopped | Used | Finished | Failed
Events = Sequence[Event]


def cannot(param: str, who: str, why: str) -> RequestError:
    """Return the error (400) of a parameter that the provider's dialect has no word for. `who` names that dialect."""
    return RequestError(
        f'The parameter "{param}" cannot be said to this model, which is served over {who}: {why}',
        code="unsupported_parameter",
        param=param,
    )
