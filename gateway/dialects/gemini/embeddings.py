"""Gemini's embeddings: requests for one and for many, as they are and in others' words; see `gateway.dialects.embedding`."""

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.dialects import parameters
from gateway.dialects.canonical import Failed, cannot
from gateway.dialects.embedding import Asked, Purpose, Vectors
from gateway.dialects.gemini.fields import field, folded, many, spelled
from gateway.dialects.gemini.lane import path_of, resource
from gateway.dialects.gemini.request import model_of
from gateway.dialects.gemini.stream import GeminiStream
from gateway.dialects.gemini.usage import usage_of
from gateway.dialects.lanes import Outbound, Whole
from gateway.dialects.members import Members
from gateway.dialects.openai_answer import as_detail, status_of
from gateway.dialects.shapes import answered, decoded, listed, mapping, text, whole_number
from gateway.errors import RequestError
from gateway.snapshot import DeploymentPolicy
from gateway.tokens import Countable
from gateway.types import ParsedRequest

_ONE, _MANY = folded("content", "model"), folded("requests")
_TEXT_ALONE = "only text is metered here. Send text."
OTHERS = "an API other than Google's"
_FIELDS = folded("model", "content", "taskType", "outputDimensionality", "embedContentConfig")
PURPOSES: dict[str, Purpose] = {  # the last three are queries of a kind (ai.google.dev/gemini-api/docs/embeddings)
    "": "", "RETRIEVAL_DOCUMENT": "document", "RETRIEVAL_QUERY": "query", "CLASSIFICATION": "classification",
    "CLUSTERING": "clustering", "SEMANTIC_SIMILARITY": "similarity", "TASK_TYPE_UNSPECIFIED": "",
    "QUESTION_ANSWERING": "query", "FACT_VERIFICATION": "query", "CODE_RETRIEVAL_QUERY": "query",
}  # fmt: skip
TASKS: dict[Purpose, str] = {
    "document": "RETRIEVAL_DOCUMENT", "query": "RETRIEVAL_QUERY", "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING", "similarity": "SEMANTIC_SIMILARITY",
}  # fmt: skip


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


class GeminiEmbeddingClient:
    """See `EmbeddingClient`: an embedContent, or a batch of them that all ask the same of their vectors."""

    def __init__(self, *, batch: bool) -> None:
        self._batch = batch

    def read(self, request: ParsedRequest) -> Asked:
        """See `EmbeddingClient.read`."""
        body = decoded(request)
        asked = [_read(one) for one in (many(body.get("requests")) if self._batch else [body])]
        if len({(one.size, one.purpose) for one in asked}) > 1:
            raise cannot(
                "requests", OTHERS, "all of a call must ask for the same size and task. Send one call for each."
            )
        return Asked([one.texts[0] for one in asked], asked[0].size, asked[0].purpose)

    def answer(self, request: ParsedRequest, vectors: Vectors) -> bytes:
        """See `EmbeddingClient.answer`."""
        each = [{"values": vector} for vector in vectors.values]
        made: dict[str, Any] = (
            {"embeddings": each} if self._batch else {"embedding": each[0] if each else {"values": []}}
        )
        if vectors.usage is not None:
            made["usageMetadata"] = {"promptTokenCount": vectors.usage.input_tokens}
        return msgspec.json.encode(made)


class GeminiEmbeddingProvider:
    """See `EmbeddingProvider`: one batchEmbedContents."""

    def write(self, asked: Asked, deployment: DeploymentPolicy) -> Outbound:
        """See `EmbeddingProvider.write`."""
        common: dict[str, Any] = {"model": resource(deployment)}
        common |= {} if asked.size is None else {"outputDimensionality": asked.size}
        common |= {"taskType": TASKS[asked.purpose]} if asked.purpose else {}
        each = [{**common, "content": {"parts": [{"text": text}]}} for text in asked.texts]
        return Outbound(path_of(deployment, "batchEmbedContents"), msgspec.json.encode({"requests": each}))

    def read(self, body: bytes) -> Vectors | Failed | None:
        """See `EmbeddingProvider.read`."""
        answer = answered(body)
        if answer is None:
            return None
        if error := answer.get("error"):
            return Failed(as_detail(error), status_of(error))
        vectors = [one.get("values") or [] for one in listed(answer.get("embeddings"))]
        return Vectors(vectors, usage_of(answer.get("usageMetadata")))


def _read(one: dict[str, Any]) -> Asked:
    """Read one of a batch; Vertex AI has what is asked of its vector in an object of its own."""
    config = mapping(field(one, "embedContentConfig"), "embedContentConfig")
    names = spelled([*one, *config], _FIELDS)
    if unknown := (one.keys() | config.keys()) - set(names.values()):
        raise cannot(min(unknown)[:60], OTHERS, "it has no such parameter.")
    task = text(field(config, "taskType") or field(one, "taskType"), "taskType")
    purpose = PURPOSES.get(task)
    if purpose is None:
        raise cannot("taskType", OTHERS, f"it is one of {', '.join(PURPOSES)[2:]}.")
    parts = many(mapping(one.get("content"), "content").get("parts"))
    if len(parts) != 1:
        raise cannot("content", OTHERS, "each has one text. Join the parts.")
    size = field(config, "outputDimensionality")
    size = field(one, "outputDimensionality") if size is None else size
    return Asked([text(parts[0].get("text"), "content")], whole_number(size, "outputDimensionality"), purpose)


def _failed(answer: dict[str, Any]) -> Whole | None:
    error = answer.get("error")
    return Whole(b"", None, as_detail(error), status_of(error)) if error else None
