"""Embeddings at Cohere: POST /v2/embed. See `gateway.dialects.embedding`."""

from typing import Any

import msgspec

from gateway.dialects.canonical import Failed, cannot
from gateway.dialects.cohere.provider import path_of
from gateway.dialects.cohere.usage import usage_of
from gateway.dialects.embedding import Asked, Purpose, Vectors
from gateway.dialects.lanes import Outbound
from gateway.dialects.shapes import answered, said
from gateway.snapshot import DeploymentPolicy

WHO = "Cohere's embeddings API"
INPUT_TYPE = "search_document"  # where neither client nor provider says what the vectors are for; Cohere must be told
INPUT_TYPES: dict[Purpose, str] = {
    "document": "search_document", "query": "search_query", "classification": "classification", "clustering": "clustering",
}  # fmt: skip


def input_type_of(asked: Asked, usual: str = "") -> str:
    """Return Cohere's word for what vectors are for. `usual`: where the client does not say it."""
    if asked.purpose and asked.purpose not in INPUT_TYPES:
        raise cannot("taskType", WHO, "it has no vectors for similarity alone. Ask for clustering, or for documents.")
    return INPUT_TYPES.get(asked.purpose) or usual or INPUT_TYPE


class CohereEmbeddingProvider:
    """See `EmbeddingProvider`. Vectors are asked for as numbers: how Cohere packs them is not documented."""

    def write(self, asked: Asked, deployment: DeploymentPolicy) -> Outbound:
        """See `EmbeddingProvider.write`."""
        body: dict[str, Any] = {
            "model": deployment.upstream_model,
            "texts": list(asked.texts),
            "input_type": input_type_of(asked, deployment.options.get("input_type", "")),
            "embedding_types": ["float"],
        }
        sized = {} if asked.size is None else {"output_dimension": asked.size}
        return Outbound(path_of(deployment, "/embed"), msgspec.json.encode(body | sized))

    def read(self, body: bytes) -> Vectors | Failed | None:
        """See `EmbeddingProvider.read`."""
        answer = answered(body)
        if answer is None:
            return None
        made = answer.get("embeddings")
        vectors = made.get("float") if isinstance(made, dict) else None
        if not isinstance(vectors, list):
            words = said(answer.get("message"))
            return Failed({"message": words}) if words else None
        return Vectors(vectors, usage_of(answer.get("meta")))
