"""What clients may say in a session. Pure: bytes in, an event out, and the bytes that the provider gets.

What is passed on is written anew from what was read, so that nothing reaches the provider that was not read here the same
way. Sources: openai 3.54.0, `types/realtime/realtime_client_event.py` and the events that it names; for the names of the
time before general availability, `types/beta/realtime/session_update_event.py`.
"""

from typing import Any, Union

import msgspec

from gateway.dialects.parameters import unsupported
from gateway.errors import RequestError

# What is known to cost nothing but tokens in and out at the model's price; a new member may change that.
SESSION = frozenset(
    {"type", "model", "audio", "include", "instructions", "max_output_tokens", "output_modalities", "tools"}
    | {"tool_choice", "parallel_tool_calls", "reasoning", "tracing", "truncation"}
)
SESSION_BETA = frozenset(
    {"modalities", "voice", "input_audio_format", "output_audio_format", "input_audio_transcription", "turn_detection"}
    | {"input_audio_noise_reduction", "temperature", "speed", "max_response_output_tokens"}
)
RESPONSE = frozenset(
    {"audio", "conversation", "input", "instructions", "max_output_tokens", "metadata", "output_modalities", "tools"}
    | {"tool_choice", "parallel_tool_calls", "reasoning"}
    | {"modalities", "voice", "output_audio_format", "temperature", "max_response_output_tokens"}
)
ITEMS = frozenset({"message", "function_call", "function_call_output", "item_reference"})
CAPS = ("max_output_tokens", "max_response_output_tokens")
NEW = "the gateway does not know what it costs. Leave it out."


class _Event(msgspec.Struct, tag_field="type", forbid_unknown_fields=True, omit_defaults=True):
    event_id: str | None = None


class SessionUpdate(_Event, tag="session.update", kw_only=True):
    """New settings."""

    session: dict[str, Any]


class Append(_Event, tag="input_audio_buffer.append", kw_only=True):
    """Sound, base64."""

    audio: str


class Commit(_Event, tag="input_audio_buffer.commit"):
    """The sound so far is one message."""


class Clear(_Event, tag="input_audio_buffer.clear"):
    """Forget the sound so far."""


class ItemCreate(_Event, tag="conversation.item.create", kw_only=True):
    """A message, or the output of a function."""

    item: dict[str, Any]
    previous_item_id: str | None = None


class ItemRetrieve(_Event, tag="conversation.item.retrieve", kw_only=True):
    """Show an item."""

    item_id: str


class ItemDelete(_Event, tag="conversation.item.delete", kw_only=True):
    """Forget an item."""

    item_id: str


class ItemTruncate(_Event, tag="conversation.item.truncate", kw_only=True):
    """Forget what of an answer was not heard."""

    item_id: str
    content_index: int
    audio_end_ms: int


class ResponseCreate(_Event, tag="response.create", kw_only=True):
    """Answer now."""

    response: dict[str, Any] | None = None


class ResponseCancel(_Event, tag="response.cancel", kw_only=True):
    """Stop to answer."""

    response_id: str | None = None


class OutputClear(_Event, tag="output_audio_buffer.clear"):
    """Stop to speak."""


ClientEvent = Union[  # noqa: UP007 - msgspec tells the members apart by their tags
    SessionUpdate, Append, Commit, Clear, ItemCreate, ItemRetrieve, ItemDelete, ItemTruncate,
    ResponseCreate, ResponseCancel, OutputClear,
]  # fmt: skip

_READER = msgspec.json.Decoder(ClientEvent)
_HEAD = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read(data: bytes) -> ClientEvent:
    """Read an event. Raises RequestError for what is none, or none that is passed on."""
    try:
        event: ClientEvent = _READER.decode(data)
        return event
    except msgspec.ValidationError as error:
        raise RequestError(
            f"This event is not one that the gateway passes on: {_reason(error)}. Send a JSON object whose type is one of "
            "OpenAI's client events for WebSockets, with the members that are documented for it.",
            param="type",
        ) from None
    except (msgspec.DecodeError, RecursionError):
        raise RequestError("The event is not valid JSON. Each message must be one JSON object.") from None


def event_id_of(data: bytes) -> str | None:
    """Return the id of an event that could not be read, where it has one."""
    try:
        found = msgspec.json.decode(_HEAD.decode(data)["event_id"])
    except (msgspec.DecodeError, KeyError, RecursionError):
        return None
    return found if isinstance(found, str) else None


def written(event: ClientEvent) -> bytes:
    """Return what the provider gets."""
    return msgspec.json.encode(event)


def check_session(session: dict[str, Any], names: frozenset[str], upstream_model: str) -> None:
    """See that new settings change neither model nor what is metered, and take the model's name out of them.

    `names`: those of the session's model. Raises RequestError that names the member.
    """
    _known(session, SESSION | SESSION_BETA, "session")
    if session.get("type", "realtime") != "realtime":
        raise unsupported("session.type", "only conversations are served. Leave it out, or send realtime.")
    if session.pop("model", None) not in {None, upstream_model, *names}:
        raise unsupported("session.model", "a session keeps the model that it began with. Connect anew for another.")
    session.pop("tracing", None)  # it would be kept at the provider, for whoever may read its account there
    _check_tools(session.get("tools"), "session.tools")
    _said_once(session)
    for where in (session.get("audio"), transcription_in(session)):
        if where is not None and not isinstance(where, dict):
            raise RequestError("The session's audio must be an object.", param="session.audio")


def check_response(response: dict[str, Any]) -> None:
    """See that an answer is asked for with nothing that is not metered. Raises RequestError that names the member."""
    _known(response, RESPONSE, "response")
    _check_tools(response.get("tools"), "response.tools")
    _said_once(response)
    given = response.get("input")
    if given is not None and not isinstance(given, list):
        raise RequestError("The response's input must be a list of items.", param="response.input")
    for item in given or ():
        check_item(item, "response.input")
    named = [str(item.get("id")) for item in given or () if item.get("type") == "item_reference"]
    if len(set(named)) < len(named):  # each time it is read it costs as much again
        raise RequestError("The response's input names an item twice. Name it once.", param="response.input")


def check_item(item: object, where: str = "item") -> None:
    """See that an item is one whose size can be seen. Raises RequestError."""
    if not isinstance(item, dict) or item.get("type") not in ITEMS:
        raise unsupported(where, "only messages, calls of functions and their outputs are passed on.")


def transcription_in(session: dict[str, Any]) -> Any:
    """Return the settings of the input's transcription, None where there are none."""
    audio = session.get("audio")
    heard = audio.get("input") if isinstance(audio, dict) else None
    ga = heard.get("transcription") if isinstance(heard, dict) else None
    return ga if ga is not None else session.get("input_audio_transcription")


def cap_in(settings: dict[str, Any]) -> int | None:
    """Return the output cap that settings name, None where they name none. Raises RequestError for what is no cap."""
    for name in CAPS:
        given = settings.get(name)
        if given is None or given == "inf":
            continue
        if type(given) is not int or given < 1:
            raise RequestError(f'"{name}" must be a whole number from 1 on, or "inf".', param=name)
        return given
    return None


def cap(settings: dict[str, Any], most: int, name: str) -> None:
    """Put our cap where settings ask for no bound at all. `name`: of the cap, as this provider knows it."""
    if most and cap_in(settings) is None:
        for other in CAPS:
            settings.pop(other, None)
        settings[name] = most


def _said_once(settings: dict[str, Any]) -> None:
    """Refuse settings in the names of both times: which of them counts is the provider's to say, and not known here."""
    heard = _inner(settings.get("audio"), "input")
    pairs = [[settings.get(name) for name in CAPS]]
    pairs.append([_inner(heard, "transcription"), settings.get("input_audio_transcription")])
    pairs.append([_inner(heard, "turn_detection"), settings.get("turn_detection")])
    if any(one is not None and other is not None for one, other in pairs):
        raise RequestError(
            "The same is said twice, in the names of the API before and after it was generally available."
        )


def _inner(settings: Any, name: str) -> Any:
    return settings.get(name) if isinstance(settings, dict) else None


def _known(settings: dict[str, Any], names: frozenset[str], where: str) -> None:
    if "prompt" in settings:
        raise unsupported(
            f"{where}.prompt", "what a stored prompt holds is not seen here. Send its text as instructions."
        )
    strange = settings.keys() - names
    if strange:
        raise unsupported(f"{where}.{min(strange)[:60]}", NEW)


def _check_tools(tools: object, where: str) -> None:
    if tools is None:
        return
    if not isinstance(tools, list):
        raise RequestError(f"{where} must be a list.", param=where)
    for tool in tools:
        if not isinstance(tool, dict) or tool.get("type", "function") != "function":
            raise unsupported(where, "tools that the provider runs itself are not metered. Send functions.")


def _reason(error: msgspec.ValidationError) -> str:
    """Return msgspec's words about its shape, without what the client wrote."""
    words = str(error).partition(" - at `$")
    shape = (
        words[0] if "Invalid value" not in words[0] and "unknown field" not in words[0] else "it has a strange member"
    )
    if "Invalid value" in words[0]:
        shape = "its type is not known"
    return shape[:1].lower() + shape[1:120]
