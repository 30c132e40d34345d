"""Embeddings on Bedrock: Amazon Titan's and Cohere's bodies as they are, and those of other clients in their words.

Sources: Amazon Bedrock User Guide, "Amazon Titan Embeddings Text" and "Cohere Embed v3" / "v4".
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.dialects import parameters
from gateway.dialects.bedrock.provider import path_of
from gateway.dialects.canonical import Failed, cannot
from gateway.dialects.cohere.embeddings import input_type_of
from gateway.dialects.embedding import Asked, Vectors
from gateway.dialects.lanes import Outbound, Stream, Whole
from gateway.dialects.members import Members
from gateway.dialects.openai_stream import ChatStream
from gateway.dialects.shapes import answered, counted, decoded, said, texts
from gateway.errors import RequestError
from gateway.snapshot import DeploymentPolicy
from gateway.tokens import Countable
from gateway.types import ParsedRequest, Usage

WHO = "Amazon Bedrock"
TITAN = frozenset({"inputText", "dimensions", "normalize", "embeddingTypes"})
COHERE = frozenset({"texts", "input_type", "truncate", "embedding_types", "output_dimension", "max_tokens"})


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


class BedrockEmbeddingProvider:
    """See `EmbeddingProvider`: models of Amazon Titan, one text a call, and of Cohere."""

    def write(self, asked: Asked, deployment: DeploymentPolicy) -> Outbound:
        """See `EmbeddingProvider.write`."""
        model = deployment.upstream_model
        if "cohere.embed" in model:
            body: dict[str, Any] = {"texts": list(asked.texts), "input_type": input_type_of(asked)}
            body |= {"embedding_types": ["float"]} | ({} if asked.size is None else {"output_dimension": asked.size})
        elif "amazon.titan-embed" in model:
            if len(asked.texts) != 1:
                raise cannot("input", WHO, "Amazon Titan takes one text a call. Call once for each.")
            body = {"inputText": asked.texts[0]} | ({} if asked.size is None else {"dimensions": asked.size})
        else:
            raise cannot("model", WHO, "only embeddings of Amazon Titan and of Cohere are known.")
        return Outbound(path_of(deployment, "invoke"), msgspec.json.encode(body))

    def read(self, body: bytes) -> Vectors | Failed | None:
        """See `EmbeddingProvider.read`."""
        answer = answered(body)
        if answer is None:
            return None
        made = answer.get("embeddings")
        vectors = (
            [answer["embedding"]] if "embedding" in answer else made.get("float") if isinstance(made, dict) else made
        )
        if not isinstance(vectors, list):
            words = said(answer.get("message"))
            return Failed({"message": words}) if words else None
        return Vectors(vectors, usage_of(answer))


def _failed(answer: dict[str, Any]) -> Whole | None:
    made = "embedding" in answer or "embeddings" in answer or "embeddingsByType" in answer
    words = said(answer.get("message"))
    return Whole(b"", None, {"message": words}, 502) if words and not made else None
