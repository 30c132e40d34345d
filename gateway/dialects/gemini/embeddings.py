"""Gemini's embeddings: requests for one and for many, to providers that speak Gemini; and OpenAI's, in Gemini's words."""

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.dialects import parameters
from gateway.dialects.canonical import cannot
from gateway.dialects.embeddings import written
from gateway.dialects.gemini.fields import folded, many, spelled
from gateway.dialects.gemini.lane import path_of, resource
from gateway.dialects.gemini.outgoing import WHO
from gateway.dialects.gemini.request import model_of
from gateway.dialects.gemini.stream import GeminiStream
from gateway.dialects.gemini.usage import usage_of
from gateway.dialects.lanes import Outbound, Whole
from gateway.dialects.members import Members
from gateway.dialects.openai_answer import as_detail, status_of
from gateway.dialects.shapes import answered, decoded, listed, texts, whole_number
from gateway.errors import RequestError
from gateway.snapshot import DeploymentPolicy
from gateway.tokens import Countable
from gateway.types import ParsedRequest

_ONE, _MANY = folded("content", "model"), folded("requests")
_TEXT_ALONE = "only text is metered here. Send text."
_OPENAI = {"model", "input", "dimensions", "encoding_format", "user"}


def parse_one(members: Members, target: str) -> ParsedRequest:
    """Read an embedContent. Raises RequestError that names the parameter."""
    names = spelled(members.spans, _ONE)
    if "requests" in members:
        raise parameters.unsupported("requests", "many are embedded by batchEmbedContents. Leave it out.")
    parameters.required(members, names.get("content", "content"), "It is what to embed.")
    _check([parameters.value(members, names["content"])], "content")
    return _parsed(members, target)


def parse_many(members: Members, target: str) -> ParsedRequest:
    """Read a batchEmbedContents. Raises RequestError that names the parameter."""
    names = spelled(members.spans, _MANY)
    parameters.required(members, names.get("requests", "requests"), "It is the list of what to embed.")
    given = parameters.value(members, names["requests"])
    if not isinstance(given, list) or not given or not all(isinstance(one, dict) for one in given):
        raise RequestError('The parameter "requests" must be a list of at least one object.', param="requests")
    _check([one.get("content") for one in given], "requests")
    return _parsed(members, target)


def _check(contents: list[Any], param: str) -> None:
    for content in contents:
        parts = many(content.get("parts")) if isinstance(content, dict) else []
        if not parts or any("text" not in part or len(part) > 1 for part in parts):
            raise parameters.unsupported(param, _TEXT_ALONE)


def _parsed(members: Members, target: str) -> ParsedRequest:
    return ParsedRequest(
        members=members,
        model=model_of(target),
        streamed=False,
        choices=1,
        output_cap=0,
        usage_wanted=False,
        prompt_bound=len(members.body),
        window_bound=False,
    )


def prompt(request: ParsedRequest) -> Countable:
    """Return what counts as prompt."""
    body = decoded(request)
    found = []
    for one in (body, *many(body.get("requests"))):
        content = one.get("content")
        found += [part.get("text") for part in many(content.get("parts"))] if isinstance(content, dict) else []
    return Countable(tuple(text for text in found if isinstance(text, str)), 0, True)


class EmbedLane:
    """See `Lane`: an embedContent, or a batch of them, as it is but for the model's name."""

    def __init__(self, method: str) -> None:
        """`method`: of Google's API."""
        self._method = method

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`."""
        members, name = request.members, {"model": msgspec.json.encode(resource(deployment))}
        changes = name if "model" in members else {}
        if (batch := members.raw("requests")) is not None:
            each = msgspec.json.decode(batch, type=list[msgspec.Raw])
            changes = {"requests": b"[%b]" % b",".join([Members(bytes(one)).replaced(name) for one in each])}
        return Outbound(path_of(deployment, self._method), members.replaced(changes))

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`."""
        answer = answered(body)
        return None if answer is None else _failed(answer) or Whole(body, usage_of(answer.get("usageMetadata")))

    def stream(self, request: ParsedRequest) -> GeminiStream:
        """Embeddings are never streamed."""
        return GeminiStream(1, array=False)


class OpenAIEmbedLane(EmbedLane):
    """See `Lane`: OpenAI's embeddings as one batchEmbedContents."""

    def __init__(self) -> None:
        super().__init__("batchEmbedContents")

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`."""
        body = decoded(request)
        for unknown in sorted(name for name in body.keys() - _OPENAI if body[name] is not None):
            raise cannot(unknown[:60], WHO, "it has no such parameter.")
        given = body.get("input")
        if not isinstance(given, str | list) or not all(isinstance(one, str) for one in given):
            raise cannot("input", WHO, "it takes texts, and no tokens.")
        size = whole_number(body.get("dimensions"), "dimensions")
        common = {"model": resource(deployment)} | ({} if size is None else {"outputDimensionality": size})
        each = [{**common, "content": {"parts": [{"text": text}]}} for text in texts(given, "input")]
        return Outbound(path_of(deployment, self._method), msgspec.json.encode({"requests": each}))

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`."""
        answer = answered(body)
        if answer is None:
            return None
        if (failed := _failed(answer)) is not None:
            return failed
        vectors = [one.get("values") or [] for one in listed(answer.get("embeddings"))]
        usage = usage_of(answer.get("usageMetadata"))
        return Whole(written(request, vectors, usage), usage)


def _failed(answer: dict[str, Any]) -> Whole | None:
    error = answer.get("error")
    return Whole(b"", None, as_detail(error), status_of(error)) if error else None
