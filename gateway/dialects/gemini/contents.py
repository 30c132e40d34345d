"""A client's Gemini conversation, read into the canonical form."""

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any

import msgspec

from gateway.dialects.canonical import Media, Message, Part, Text, Thinking, ToolCall, ToolResult
from gateway.dialects.gemini.fields import field, many
from gateway.dialects.gemini.media import kind_of
from gateway.dialects.parameters import unsupported
from gateway.dialects.shapes import flag, mapping, text, texts
from gateway.errors import RequestError

_ROLES = {"": "user", "user": "user", "function": "user", "tool": "user", "model": "assistant"}
_FAILED, _OUTPUT = {"error"}, {"output"}


def system_of(value: object) -> list[Text]:
    """Read a systemInstruction."""
    parts = many(mapping(value, "systemInstruction").get("parts"))
    if any("text" not in part for part in parts):
        raise unsupported("systemInstruction", "only text can be said as an instruction to this model.")
    return [Text(text(part["text"], "systemInstruction")) for part in parts]


class Reading:
    """Reads contents in order. Calls without an id are numbered, and results find theirs by the name of the tool."""

    def __init__(self) -> None:
        self._calls = 0
        self._given: set[str] = set()  # ids that the client chose
        self._open: list[tuple[str, str]] = []  # id and name of calls that no result has answered yet

    def messages(self, contents: object) -> list[Message]:
        """Return the turns; neighbours of one role are one. Raises RequestError for what cannot be held."""
        found: list[Message] = []
        turns = many(contents)
        self._given |= {call_id for content in turns for part in many(content.get("parts")) for call_id in _ids(part)}
        for content in turns:
            role = _ROLES.get(text(content.get("role"), "contents"))
            if role is None:
                raise RequestError('The "role" of a content must be "user" or "model".', param="contents")
            parts = [made for part in many(content.get("parts")) for made in self._part(part)]
            if found and found[-1].role == role:
                found[-1].parts += parts
            else:
                found.append(Message("assistant" if role == "assistant" else "user", parts))
        return found

    def _part(self, part: dict[str, Any]) -> list[Part]:
        call, response = field(part, "functionCall"), field(part, "functionResponse")
        inline, file = field(part, "inlineData"), field(part, "fileData")
        if call is not None:
            return [self._call(mapping(call, "contents"), text(field(part, "thoughtSignature"), "contents"))]
        if response is not None:
            return [self._result(mapping(response, "contents"))]
        if inline is not None or file is not None:
            return [_media(part)]
        if "text" not in part:
            return _nothing(part)
        said = text(part["text"], "contents")
        if flag(part.get("thought"), "contents"):
            return [Thinking(said, text(field(part, "thoughtSignature"), "contents"), by="gemini")]
        return [Text(said)] if said else []

    def _call(self, call: dict[str, Any], signature: str) -> ToolCall:
        name = text(call.get("name"), "contents")
        call_id = text(call.get("id"), "contents") or self._numbered()
        self._open.append((call_id, name))
        arguments = msgspec.json.encode(mapping(call.get("args"), "contents")).decode()
        return ToolCall(call_id, name, arguments, signature)

    def _numbered(self) -> str:
        """Return an id for the next call that has none."""
        self._calls += 1
        while f"call_{self._calls}" in self._given:
            self._calls += 1
        return f"call_{self._calls}"

    def _result(self, response: dict[str, Any]) -> ToolResult:
        name, call_id = text(response.get("name"), "contents"), text(response.get("id"), "contents")
        found = next((one for one in self._open if (one[0] == call_id if call_id else one[1] == name)), None)
        if found is None:
            raise RequestError(
                f'The functionResponse "{name[:60]}" answers no functionCall before it. Send the whole conversation.',
                param="contents",
            )
        self._open.remove(found)
        said = mapping(response.get("response"), "contents")
        value = said["error"] if said.keys() == _FAILED else said["output"] if said.keys() == _OUTPUT else said
        words = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        media = [_media(part) for part in many(response.get("parts"))]
        return ToolResult(found[0], [Text(words), *media], failed=said.keys() == _FAILED, name=found[1])


def _ids(part: dict[str, Any]) -> list[str]:
    held = field(part, "functionCall") or field(part, "functionResponse")
    call_id = held.get("id") if isinstance(held, dict) else None
    return [call_id] if isinstance(call_id, str) else []


def _media(part: dict[str, Any]) -> Media:
    inline, file = field(part, "inlineData"), field(part, "fileData")
    held = mapping(inline if inline is not None else file, "contents")
    kind, name = kind_of(held), text(field(held, "displayName"), "contents")
    if inline is None:
        return Media(_kind(kind), kind, url=text(field(held, "fileUri"), "contents"), name=name)
    data = text(held.get("data"), "contents")
    if kind.startswith("text/"):
        return Media("document", kind, text=_decoded(data), name=name)
    return Media(_kind(kind), kind, data=data, name=name)


def _kind(media_type: str) -> Any:
    first = media_type.partition("/")[0]
    return first if first in {"image", "audio"} else "document"


def _decoded(data: str) -> str:
    try:
        return b64decode(data, validate=True).decode()
    except (Base64Error, UnicodeDecodeError):
        raise RequestError("The data of an inline text is not UTF-8 in base64.", param="contents") from None


def _nothing(part: dict[str, Any]) -> list[Part]:
    """Return nothing for a part that holds a signature at most; raise for one that holds what is not known here."""
    for name in part:
        if name.replace("_", "").lower() not in {"thought", "thoughtsignature", "mediaresolution"}:
            raise unsupported("contents", f'a part that holds "{name[:60]}" cannot be said to this model.')
    return []


def allowed_names(config: dict[str, Any]) -> list[str]:
    """Return the functions that a functionCallingConfig allows; [] for all."""
    return texts(field(config, "allowedFunctionNames"), "toolConfig")
