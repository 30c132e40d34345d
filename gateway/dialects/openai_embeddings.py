"""OpenAI's embeddings where the other side speaks something else: see `gateway.dialects.embedding`."""

import struct
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from typing import Any

import msgspec

from gateway.dialects import parameters, shapes
from gateway.dialects.canonical import Failed, cannot
from gateway.dialects.embedding import Asked, Purpose, Vectors
from gateway.dialects.lanes import Outbound
from gateway.dialects.openai_answer import as_detail, status_of
from gateway.dialects.openai_usage import usage_of
from gateway.dialects.profiles import profile_of
from gateway.snapshot import DeploymentPolicy
from gateway.types import ParsedRequest

OTHERS = "an API other than OpenAI's"
KNOWN = frozenset({"model", "input", "dimensions", "encoding_format", "user", "stream", "input_type"})
# OpenAI has no word for what vectors are for; these are Cohere's and Voyage's, which clients send beside.
PURPOSES: dict[str, Purpose] = {
    "": "", "search_document": "document", "document": "document", "search_query": "query", "query": "query",
    "classification": "classification", "clustering": "clustering",
}  # fmt: skip


class OpenAIEmbeddingClient:
    """See `EmbeddingClient`."""

    def read(self, request: ParsedRequest) -> Asked:
        """See `EmbeddingClient.read`."""
        body = shapes.decoded(request)
        for unknown in sorted(name for name in body.keys() - KNOWN if body[name] is not None):
            raise cannot(unknown[:60], OTHERS, "it has no such parameter.")
        given = body.get("input")
        if not isinstance(given, str | list) or not all(isinstance(one, str) for one in given):
            raise cannot("input", OTHERS, "it takes texts, and no tokens.")
        purpose = PURPOSES.get(shapes.text(body.get("input_type"), "input_type"))
        if purpose is None:
            known = ", ".join(name for name in PURPOSES if name)
            raise cannot("input_type", OTHERS, f"it is one of {known}.")
        return Asked(shapes.texts(given, "input"), shapes.whole_number(body.get("dimensions"), "dimensions"), purpose)

    def answer(self, request: ParsedRequest, vectors: Vectors) -> bytes:
        """See `EmbeddingClient.answer`. Where nobody said what was used, nor does the answer: it is counted afterwards."""
        packed = parameters.value(request.members, "encoding_format") == "base64"
        made: dict[str, Any] = {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": _packed(vector) if packed else vector}
                for index, vector in enumerate(vectors.values)
            ],
            "model": request.model,
        }
        if vectors.usage is not None:
            tokens = vectors.usage.input_tokens
            made["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
        return msgspec.json.encode(made)


class OpenAIEmbeddingProvider:
    """See `EmbeddingProvider`. What vectors are for is left out: the same ones serve all."""

    def __init__(self, place: Callable[[DeploymentPolicy, str], str] = lambda _, path: path) -> None:
        """`place` returns where an operation stands below the base URL of a deployment."""
        self._place = place

    def write(self, asked: Asked, deployment: DeploymentPolicy) -> Outbound:
        """See `EmbeddingProvider.write`."""
        body: dict[str, Any] = {"model": deployment.upstream_model, "input": list(asked.texts)}
        body |= {"encoding_format": "float"} | ({} if asked.size is None else {"dimensions": asked.size})
        written = profile_of(deployment).fitted(msgspec.json.encode(body))
        return Outbound(self._place(deployment, "/embeddings"), written)

    def read(self, body: bytes) -> Vectors | Failed | None:
        """See `EmbeddingProvider.read`. Some engines pack vectors, whatever they are asked for."""
        answer = shapes.answered(body)
        if answer is None:
            return None
        if answer.get("error"):
            return Failed(as_detail(answer["error"]), status_of(answer["error"]))
        if not isinstance(answer.get("data"), list):
            return None
        found = sorted(shapes.listed(answer["data"]), key=lambda one: shapes.counted(one, "index"))
        return Vectors([_vector(one.get("embedding")) for one in found], usage_of(answer.get("usage")))


def _packed(vector: list[float]) -> str:
    """Return a vector as OpenAI packs it: little-endian floats of 32 bits, in base64."""
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _vector(given: object) -> list[float]:
    if isinstance(given, list):
        return given
    try:
        data = b64decode(shapes.said(given), validate=True)
    except (Base64Error, ValueError):
        return []
    return list(struct.unpack(f"<{len(data) // 4}f", data[: len(data) // 4 * 4]))
