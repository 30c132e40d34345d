"""Whole answers: Gemini's and the canonical form, both ways."""

from typing import Any

import msgspec

from gateway.dialects.canonical import Answer, Choice, Failed, Media, Part, Text, Thinking, ToolCall, ToolResult
from gateway.dialects.gemini.logprobs import canonical_logprobs, written_logprobs
from gateway.dialects.gemini.usage import blocked, reason_of, stop_of, usage_of, written_usage
from gateway.dialects.openai_answer import as_detail, status_of
from gateway.dialects.shapes import answered, listed, said
from gateway.ids import new_id


def read_answer(body: bytes) -> Answer | Failed | None:
    """Read a whole answer, or the error in it. None when it is not Gemini's."""
    answer = answered(body)
    if answer is None:
        return None
    if answer.get("error"):
        return Failed(as_detail(answer["error"]), status_of(answer["error"]))
    choices = [_choice(candidate) for candidate in listed(answer.get("candidates"))]
    if not choices and blocked(answer):
        choices = [Choice([], "filtered")]
    if not choices:
        return None
    return Answer(
        said(answer.get("responseId")), said(answer.get("modelVersion")), choices, usage_of(answer.get("usageMetadata"))
    )


def _choice(candidate: dict[str, Any]) -> Choice:
    parts: list[Part] = []
    for part in parts_of(candidate):
        made = canonical_part(part)
        last = parts[-1] if parts else None
        if isinstance(made, Text) and isinstance(last, Text):
            last.text += made.text
        elif isinstance(made, Thinking) and isinstance(last, Thinking):
            last.text, last.signature = last.text + made.text, made.signature or last.signature
        elif made is not None:
            parts.append(made)
    called = any(isinstance(part, ToolCall) for part in parts)
    stop = stop_of(said(candidate.get("finishReason")), called)
    return Choice(parts, stop, logprobs=canonical_logprobs(candidate.get("logprobsResult")))


def parts_of(candidate: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parts of a candidate, which may come without a content."""
    content = candidate.get("content")
    return listed(content.get("parts")) if isinstance(content, dict) else []


def canonical_part(part: dict[str, Any]) -> Part | None:
    """Read one part of an answer; None for one that holds nothing to be shown.

    A call that Gemini gives no id gets one that is unique, since clients of other dialects answer by it.
    """
    signature, call = said(part.get("thoughtSignature")), part.get("functionCall")
    if isinstance(call, dict):
        arguments = msgspec.json.encode(call.get("args") or {}).decode()
        return ToolCall(said(call.get("id")) or new_id("call"), said(call.get("name")), arguments, signature)
    if isinstance(blob := part.get("inlineData"), dict):
        return Media("image", said(blob.get("mimeType")), data=said(blob.get("data")))
    text = said(part.get("text"))
    if part.get("thought") is True:
        return Thinking(text, signature, by="gemini")
    return Text(text) if text else None


def written_answer(answer: Answer, *, thoughts: bool) -> bytes:
    """Write a whole answer. `thoughts`: the client wants to read them."""
    candidates = []
    for index, choice in enumerate(answer.choices):
        parts = [made for part in choice.parts if (made := written_part(part, thoughts=thoughts)) is not None]
        broken = any(isinstance(part, ToolCall) and arguments_of(part.arguments) is None for part in choice.parts)
        candidates.append(candidate(parts, index, "MALFORMED_FUNCTION_CALL" if broken else reason_of(choice.stop)))
        if choice.logprobs is not None:
            candidates[-1]["logprobsResult"] = written_logprobs(choice.logprobs)
    return msgspec.json.encode(frame(answer.id, answer.model, candidates) | usage_part(answer))


def usage_part(answer: Answer) -> dict[str, Any]:
    """Return the member that says what was used; {} where that is not known."""
    return {} if answer.usage is None else {"usageMetadata": written_usage(answer.usage)}


def frame(answer_id: str, model: str, candidates: list[dict[str, Any]]) -> dict[str, Any]:
    """Return an answer, or a chunk of one, around its candidates."""
    return {"candidates": candidates, "modelVersion": model, "responseId": answer_id}


def candidate(parts: list[dict[str, Any]], index: int, reason: str = "") -> dict[str, Any]:
    """Return a candidate, ended if there is a reason."""
    made: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": index}
    return made | {"finishReason": reason} if reason else made


def written_part(part: Part, *, thoughts: bool) -> dict[str, Any] | None:
    """Write one part of an answer; None for what Gemini would not show."""
    if isinstance(part, Text):
        return {"text": part.text} if part.text else None
    if isinstance(part, Thinking):
        if not thoughts or not part.text:
            return None
        signed = {"thoughtSignature": part.signature} if part.signature and part.by in {"", "gemini"} else {}
        return {"text": part.text, "thought": True, **signed}
    if isinstance(part, ToolCall):
        arguments = arguments_of(part.arguments)
        if arguments is None:
            return None
        signed = {"thoughtSignature": part.signature} if part.signature else {}
        return {"functionCall": {"id": part.id, "name": part.name, "args": arguments}, **signed}
    if isinstance(part, ToolResult):
        return None
    return {"inlineData": {"mimeType": part.media_type, "data": part.data}}


def arguments_of(written: str) -> dict[str, Any] | None:
    """Return a call's arguments; None where what was made is no JSON object."""
    return answered(written.encode()) if written.strip() else {}
