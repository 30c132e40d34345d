"""Embeddings on Bedrock: Amazon Titan's and Cohere's bodies as they are, and OpenAI's embeddings in their words.

Sources: Amazon Bedrock User Guide, "Amazon Titan Embeddings Text" and "Cohere Embed v3" / "v4".
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.dialects import parameters
from gateway.dialects.bedrock.provider import path_of
from gateway.dialects.canonical import cannot
from gateway.dialects.embeddings import written
from gateway.dialects.lanes import Outbound, Stream, Whole
from gateway.dialects.members import Members
from gateway.dialects.openai_stream import ChatStream
from gateway.dialects.shapes import answered, counted, decoded, said, text, texts, whole_number
from gateway.errors import RequestError
from gateway.snapshot import DeploymentPolicy
from gateway.tokens import Countable
from gateway.types import ParsedRequest, Usage

WHO = "Amazon Bedrock"
TITAN = frozenset({"inputText", "dimensions", "normalize", "embeddingTypes"})
COHERE = frozenset({"texts", "input_type", "truncate", "embedding_types", "output_dimension", "max_tokens"})
INPUT_TYPE = "search_document"  # where nobody says what vectors are for; Cohere must be told
MOST_TEXTS = 96  # of a call of Cohere's
_OPENAI = frozenset({"model", "input", "dimensions", "encoding_format", "user", "stream", "input_type"})


def is_embedding(members: Members) -> bool:
    """Say whether a body asks for embeddings of text, in one of the two vendors' words. Generation has a config beside."""
    return "texts" in members or ("inputText" in members and "textGenerationConfig" not in members)


def parse(members: Members, target: str) -> ParsedRequest:
    """Read a body. Raises RequestError that names the parameter: images are billed apart, and not metered."""
    known = COHERE if "texts" in members else TITAN
    for name in sorted(members.spans.keys() - known):
        if members.raw(name) != b"null":
            raise parameters.unsupported(name[:60], "the gateway does not know what it costs. Leave it out.")
    param = "texts" if known is COHERE else "inputText"
    if not texts(parameters.value(members, param), param):
        raise RequestError(f'The parameter "{param}" is empty. Send at least one text.', param=param)
    return ParsedRequest(
        members=members,
        model=target,
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
    given = body.get("texts") or body.get("inputText")
    return Countable(tuple(texts(given, "texts")), 0, True)


def usage_of(answer: dict[str, Any]) -> Usage | None:
    """Read what was used: Titan says it; Cohere does not, there it is counted."""
    told = counted(answer, "inputTextTokenCount")
    return Usage(told) if told else None


class InvokeEmbedLane:
    """See `Lane`: bytes pass as they are; the model stands in the path."""

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`."""
        return Outbound(path_of(deployment, "invoke"), request.members.body)

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`."""
        answer = answered(body)
        if answer is None:
            return None
        return _failed(answer) or Whole(body, usage_of(answer))

    def stream(self, request: ParsedRequest) -> Stream:
        """Embeddings are never streamed."""
        return ChatStream(hide_usage=False)


class OpenAIEmbedLane(InvokeEmbedLane):
    """See `Lane`: OpenAI's embeddings to models of Amazon Titan, one text a call, and of Cohere."""

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`."""
        body, model = decoded(request), deployment.upstream_model
        for unknown in sorted(name for name in body.keys() - _OPENAI if body[name] is not None):
            raise cannot(unknown[:60], WHO, "it has no such parameter.")
        given = body.get("input")
        if not isinstance(given, str | list) or not all(isinstance(one, str) for one in given):
            raise cannot("input", WHO, "it takes texts, and no tokens.")
        size = whole_number(body.get("dimensions"), "dimensions")
        if "cohere.embed" in model:
            kind = text(body.get("input_type"), "input_type") or INPUT_TYPE
            asked: dict[str, Any] = {"texts": texts(given, "input"), "input_type": kind, "embedding_types": ["float"]}
            asked |= {} if size is None else {"output_dimension": size}
        elif "amazon.titan-embed" in model:
            if len(texts(given, "input")) != 1:
                raise cannot("input", WHO, "Amazon Titan takes one text a call. Call once for each.")
            asked = {"inputText": texts(given, "input")[0]} | ({} if size is None else {"dimensions": size})
        else:
            raise cannot("model", WHO, "only embeddings of Amazon Titan and of Cohere are known.")
        return Outbound(path_of(deployment, "invoke"), msgspec.json.encode(asked))

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`."""
        answer = answered(body)
        if answer is None or (failed := _failed(answer)) is not None:
            return None if answer is None else failed
        made = answer.get("embeddings")
        vectors = (
            [answer["embedding"]] if "embedding" in answer else made.get("float") if isinstance(made, dict) else made
        )
        usage = usage_of(answer)
        return Whole(written(request, vectors or [], usage), usage)


def _failed(answer: dict[str, Any]) -> Whole | None:
    made = "embedding" in answer or "embeddings" in answer or "embeddingsByType" in answer
    words = said(answer.get("message"))
    return Whole(b"", None, {"message": words}, 502) if words and not made else None
