"""OpenAI's embeddings in Cohere's words: POST /v2/embed."""

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.dialects.canonical import cannot
from gateway.dialects.cohere.provider import path_of
from gateway.dialects.cohere.usage import usage_of
from gateway.dialects.embeddings import written
from gateway.dialects.lanes import Outbound, Stream, Whole
from gateway.dialects.openai_stream import ChatStream
from gateway.dialects.shapes import answered, decoded, said, text, texts, whole_number
from gateway.snapshot import DeploymentPolicy
from gateway.types import ParsedRequest

WHO = "Cohere's embeddings API"
INPUT_TYPE = "search_document"  # where neither client nor provider says what the vectors are for; Cohere must be told
_KNOWN = frozenset({"model", "input", "dimensions", "encoding_format", "user", "stream", "input_type"})


class EmbedLane:
    """See `Lane`. Vectors are asked for as numbers, and packed here where the client wants that: Cohere does not say how."""

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`. The client may send Cohere's `input_type` along; the provider's option is its default."""
        body = decoded(request)
        for unknown in sorted(name for name in body.keys() - _KNOWN if body[name] is not None):
            raise cannot(unknown[:60], WHO, "it has no such parameter.")
        given = body.get("input")
        if not isinstance(given, str | list) or not all(isinstance(one, str) for one in given):
            raise cannot("input", WHO, "it takes texts, and no tokens.")
        size = whole_number(body.get("dimensions"), "dimensions")
        asked: dict[str, Any] = {
            "model": deployment.upstream_model,
            "texts": texts(given, "input"),
            "input_type": text(body.get("input_type"), "input_type")
            or deployment.options.get("input_type")
            or INPUT_TYPE,
            "embedding_types": ["float"],
        }
        sized = {} if size is None else {"output_dimension": size}
        return Outbound(path_of(deployment, "/embed"), msgspec.json.encode(asked | sized))

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`."""
        answer = answered(body)
        if answer is None:
            return None
        made = answer.get("embeddings")
        vectors = made.get("float") if isinstance(made, dict) else None
        if not isinstance(vectors, list):
            words = said(answer.get("message"))
            return Whole(b"", None, {"message": words}, 502) if words else None
        usage = usage_of(answer.get("meta"))
        return Whole(written(request, vectors, usage), usage)

    def stream(self, request: ParsedRequest) -> Stream:
        """Embeddings are never streamed; `parse` has refused it."""
        return ChatStream(hide_usage=False)
