"""Cohere's chat and embed as clients' formats: see `ClientFormat` and `EmbeddingClient`."""

import struct
from base64 import b64encode
from typing import Any

import msgspec

from gateway.dialects import shapes
from gateway.dialects.canonical import Answer, Request, cannot
from gateway.dialects.cohere.embeddings import INPUT_TYPES
from gateway.dialects.cohere.request import OTHERS, read_request
from gateway.dialects.cohere.writer import CohereWriter, write_answer
from gateway.dialects.embedding import Asked, Purpose, Vectors
from gateway.ids import new_id
from gateway.types import ParsedRequest

PURPOSES: dict[str, Purpose] = {"": "", **{name: purpose for purpose, name in INPUT_TYPES.items()}}


class CohereClient:
    """See `ClientFormat`."""

    def read(self, request: ParsedRequest) -> Request:
        """See `ClientFormat.read`."""
        return read_request(request)

    def answer(self, request: ParsedRequest, answer: Answer) -> bytes:
        """See `ClientFormat.answer`."""
        return write_answer(answer)

    def writer(self, request: ParsedRequest) -> CohereWriter:
        """See `ClientFormat.writer`."""
        return CohereWriter()


class CohereEmbeddingClient:
    """See `EmbeddingClient`."""

    def read(self, request: ParsedRequest) -> Asked:
        """See `EmbeddingClient.read`. Others cut nothing off, and have vectors of floats alone."""
        body = shapes.decoded(request)
        if body.get("max_tokens") is not None or body.get("truncate") not in (None, "NONE", "END"):
            raise cannot("truncate", OTHERS, "it takes texts whole. Leave truncate and max_tokens out.")
        if not set(_types(body)) <= {"float", "base64"}:
            raise cannot("embedding_types", OTHERS, "its vectors are float or base64.")
        purpose = PURPOSES.get(shapes.text(body.get("input_type"), "input_type"))
        if purpose is None:
            raise cannot("input_type", OTHERS, f"it is one of {', '.join(INPUT_TYPES.values())}.")
        size = shapes.whole_number(body.get("output_dimension"), "output_dimension")
        return Asked(shapes.texts(body.get("texts"), "texts"), size, purpose)

    def answer(self, request: ParsedRequest, vectors: Vectors) -> bytes:
        """See `EmbeddingClient.answer`."""
        body = shapes.decoded(request)
        made: dict[str, Any] = {}
        for kind in _types(body):
            packed = [b64encode(struct.pack(f"<{len(one)}f", *one)).decode() for one in vectors.values]
            made[kind] = packed if kind == "base64" else vectors.values
        billed = {} if vectors.usage is None else {"billed_units": {"input_tokens": vectors.usage.input_tokens}}
        written = {
            "id": new_id("emb"),
            "embeddings": made,
            "texts": body["texts"],
            "response_type": "embeddings_by_type",
        }
        return msgspec.json.encode(written | {"meta": {"api_version": {"version": "2"}, **billed}})


def _types(body: dict[str, Any]) -> list[str]:
    return shapes.texts(body.get("embedding_types"), "embedding_types") or ["float"]
