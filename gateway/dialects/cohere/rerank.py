"""Reranking at Cohere: POST /v2/rerank, which takes texts alone and returns none of them."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gateway.dialects.canonical import cannot
from gateway.dialects.cohere.provider import path_of
from gateway.dialects.lanes import Outbound, Whole
from gateway.dialects.rerank import RerankLane
from gateway.dialects.shapes import answered, decoded, flag, listed, texts
from gateway.snapshot import DeploymentPolicy
from gateway.types import ParsedRequest

WHO = "Cohere's rerank API v2"
_TAKEN = frozenset({"model", "query", "documents", "top_n", "max_tokens_per_doc"})
_WRITTEN = frozenset({"top_k", "return_documents", "rank_fields", "user"})  # in other words, or by the gateway itself


class CohereRerankLane(RerankLane):
    """See `Lane`. A body of v2 passes as it is; documents with fields are written as texts, and shown again if wanted."""

    def __init__(self, place: Callable[[DeploymentPolicy], str] = lambda one: path_of(one, "/rerank")) -> None:
        """`place` returns where Cohere's API reranks, below the base URL of a deployment."""
        super().__init__(lambda deployment, _: place(deployment))
        self._where = place

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`."""
        body = decoded(request)
        plain = isinstance(body["query"], str) and all(isinstance(one, str) for one in body["documents"])
        if plain and body.keys() <= _TAKEN:
            return super().outbound(request, deployment, cap, headers)
        for name in sorted(body.keys() - _TAKEN - _WRITTEN):
            if body[name] is not None:
                raise cannot(name[:60], WHO, "it has no such parameter. Leave it out.")
        fields = texts(body.get("rank_fields"), "rank_fields")
        asked: dict[str, Any] = {
            "model": deployment.upstream_model,
            "query": _as_text(body["query"], []),
            "documents": [_as_text(one, fields) for one in body["documents"]],
            "top_n": body.get("top_n") or body.get("top_k"),
            "max_tokens_per_doc": body.get("max_tokens_per_doc"),
        }
        told = {name: value for name, value in asked.items() if value is not None}
        return Outbound(self._where(deployment), msgspec.json.encode(told))

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`. The documents are put to their ranks where the client wants them, as v1 does."""
        whole = super().whole(request, body)
        asked = decoded(request)
        if whole is None or whole.error is not None or not flag(asked.get("return_documents"), "return_documents"):
            return whole
        answer, documents = answered(body) or {}, asked["documents"]
        for ranked in listed(answer.get("results")):
            index = ranked.get("index")
            if isinstance(index, int) and 0 <= index < len(documents):
                one = documents[index]
                ranked["document"] = {"text": one} if isinstance(one, str) else one
        return Whole(msgspec.json.encode(answer), whole.usage)


def _as_text(value: Any, fields: list[str]) -> str:
    """Return a text as it is, and fields as lines of YAML, which Cohere recommends; `fields`: those that count, in order."""
    if isinstance(value, str):
        return value
    names = fields or list(value)
    return "\n".join(f"{name}: {value[name]}" for name in names if value.get(name) is not None)
