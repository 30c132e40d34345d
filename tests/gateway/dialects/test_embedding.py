"""Embeddings of every client at every dialect of providers that has them: what is asked, and what comes back."""

import json
from typing import Any

import pytest

from gateway.dialects import embeddings as openai
from gateway.dialects.embedding import TranslatedEmbeddings
from gateway.dialects.gemini import embeddings as gemini
from gateway.dialects.lanes import Lane
from gateway.dialects.members import Members
from gateway.dialects.registry import PROVIDERS, lane_of
from gateway.endpoints import BATCH_EMBED, EMBED, EMBEDDINGS, Endpoint
from gateway.errors import RequestError
from gateway.snapshot import DeploymentPolicy
from gateway.types import ParsedRequest, Usage
from tests.factories import gateway as make

PACKED = ["AACAPwAAAD8=", "AAAAAAAAgL8="]  # [1.0, 0.5] and [0.0, -1.0] as floats of 32 bits, little-endian
VECTORS = [[1.0, 0.5], [0.0, -1.0]]
PLACES = {
    "openai": make.deployment("https://api.openai.com/v1", upstream_model="e"),
    "azure": make.deployment("https://acme.openai.azure.com", dialect="azure", upstream_model="e"),
    "gemini": make.deployment("https://g.example/v1beta", dialect="gemini", upstream_model="e"),
    "cohere": make.deployment("https://api.cohere.com", dialect="cohere", upstream_model="e"),
    "bedrock": make.deployment("https://b.example", dialect="bedrock", upstream_model="cohere.embed-v4:0"),
}
TITAN = make.deployment("https://b.example", dialect="bedrock", upstream_model="amazon.titan-embed-text-v2:0")
ANSWERS: dict[str, Any] = {
    "openai": {"data": [{"index": 1, "embedding": VECTORS[1]}, {"index": 0, "embedding": PACKED[0]}], "usage": {"prompt_tokens": 4}},
    "gemini": {"embeddings": [{"values": one} for one in VECTORS], "usageMetadata": {"promptTokenCount": 4}},
    "cohere": {"embeddings": {"float": VECTORS}, "texts": ["a", "b"], "meta": {"billed_units": {"input_tokens": 4}}},
    "bedrock": {"embeddings": VECTORS, "texts": ["a", "b"], "response_type": "embeddings_floats"},
}  # fmt: skip
ANSWERS["azure"] = ANSWERS["openai"]
SENT: dict[str, Any] = {
    "openai": ("/embeddings", {"model": "e", "input": ["a", "b"], "encoding_format": "float", "dimensions": 2}),
    "gemini": (
        "/models/e:batchEmbedContents",
        {"requests": [
            {"model": "models/e", "outputDimensionality": 2, "taskType": "RETRIEVAL_QUERY", "content": {"parts": [{"text": text}]}}
            for text in ("a", "b")
        ]},
    ),
    "cohere": (
        "/v2/embed",
        {"model": "e", "texts": ["a", "b"], "input_type": "search_query", "embedding_types": ["float"], "output_dimension": 2},
    ),
    "bedrock": (
        "/model/cohere.embed-v4%3A0/invoke",
        {"texts": ["a", "b"], "input_type": "search_query", "embedding_types": ["float"], "output_dimension": 2},
    ),
}  # fmt: skip
SENT["azure"] = ("/openai/v1/embeddings", SENT["openai"][1])
ASKED: dict[str, tuple[Endpoint, dict[str, Any]]] = {
    "openai": (
        EMBEDDINGS,
        {"model": "m", "input": ["a", "b"], "dimensions": 2, "input_type": "search_query", "encoding_format": "base64"},
    ),
    "gemini": (
        BATCH_EMBED,
        {"requests": [
            {"model": "models/m", "content": {"parts": [{"text": text}]}, "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 2}
            for text in ("a", "b")
        ]},
    ),
}  # fmt: skip


def read(endpoint: Endpoint, body: dict[str, Any]) -> ParsedRequest:
    members = Members(json.dumps(body).encode())
    if endpoint is EMBEDDINGS:
        return openai.parse(members)
    return gemini.parse_one(members, "models/m") if endpoint is EMBED else gemini.parse_many(members, "models/m")


def lane(endpoint: Endpoint, place: DeploymentPolicy) -> Lane:
    found = lane_of(endpoint, place)
    assert found is not None
    return found


@pytest.mark.parametrize("provider", PLACES)
@pytest.mark.parametrize("client", ASKED)
def test_from_every_client_to_every_provider(client: str, provider: str) -> None:
    endpoint, body = ASKED[client]
    found = lane(endpoint, PLACES[provider])
    request = read(endpoint, body)
    if not isinstance(found, TranslatedEmbeddings):
        assert client == provider or (client, provider) == ("openai", "azure"), "only where both speak the same"
        return
    outbound = found.outbound(request, PLACES[provider], 0, {})
    assert (outbound.path, json.loads(outbound.body)) == SENT[provider]
    whole = found.whole(request, json.dumps(ANSWERS[provider]).encode())
    assert whole is not None and whole.usage == (None if provider == "bedrock" else Usage(4))
    told = json.loads(whole.body)
    if client == "openai":
        assert [one["embedding"] for one in told["data"]] == PACKED and told["model"] == "m"
        assert ("usage" in told) is (provider != "bedrock")
    else:
        assert [one["values"] for one in told["embeddings"]] == VECTORS
        assert told.get("usageMetadata") == (None if provider == "bedrock" else {"promptTokenCount": 4})


def test_who_has_no_embeddings_is_not_asked() -> None:
    for dialect in PROVIDERS:
        assert (lane_of(EMBED, make.deployment("", dialect=dialect)) is None) is (dialect == "anthropic")


def test_one_text_of_a_gemini_client() -> None:
    body = {"content": {"parts": [{"text": "a"}]}, "embed_content_config": {"outputDimensionality": 2}}
    found, request = lane(EMBED, TITAN), read(EMBED, body)
    sent = json.loads(found.outbound(request, TITAN, 0, {}).body)
    assert sent == {"inputText": "a", "dimensions": 2}
    whole = found.whole(request, json.dumps({"embedding": VECTORS[0], "inputTextTokenCount": 3}).encode())
    assert whole is not None and whole.usage == Usage(3)
    assert json.loads(whole.body) == {"embedding": {"values": VECTORS[0]}, "usageMetadata": {"promptTokenCount": 3}}


@pytest.mark.parametrize(
    ("provider", "options", "purpose", "sent"),
    [
        ("cohere", {}, "", "search_document"), ("cohere", {"input_type": "clustering"}, "", "clustering"),
        ("cohere", {"input_type": "clustering"}, "query", "search_query"), ("bedrock", {}, "", "search_document"),
    ],
)  # fmt: skip
def test_what_vectors_are_for(provider: str, options: dict[str, str], purpose: str, sent: str) -> None:
    base = PLACES[provider]
    place = make.deployment(base.base_url, dialect=provider, upstream_model=base.upstream_model, options=options)
    request = read(EMBEDDINGS, {"model": "m", "input": "a", "input_type": purpose or None})
    assert json.loads(lane(EMBEDDINGS, place).outbound(request, place, 0, {}).body)["input_type"] == sent


TEXT = {"content": {"parts": [{"text": "a"}]}}


@pytest.mark.parametrize(
    ("endpoint", "body", "place", "param"),
    [
        (EMBEDDINGS, {"model": "m", "input": [[1, 2]]}, PLACES["cohere"], "input"),
        (EMBEDDINGS, {"model": "m", "input": "a", "truncate": "END"}, PLACES["cohere"], "truncate"),
        (EMBEDDINGS, {"model": "m", "input": "a", "input_type": "image"}, PLACES["cohere"], "input_type"),
        (EMBEDDINGS, {"model": "m", "input": ["a", "b"]}, TITAN, "input"),
        (EMBEDDINGS, {"model": "m", "input": "a"}, make.deployment("", dialect="bedrock", upstream_model="x"), "model"),
        (EMBED, {**TEXT, "title": "T"}, PLACES["openai"], "title"),
        (EMBED, {**TEXT, "taskType": "NEW"}, PLACES["openai"], "taskType"),
        (EMBED, {**TEXT, "taskType": "SEMANTIC_SIMILARITY"}, PLACES["cohere"], "taskType"),
        (EMBED, {"content": {"parts": [{"text": "a"}, {"text": "b"}]}}, PLACES["openai"], "content"),
        (BATCH_EMBED, {"requests": [TEXT, {**TEXT, "outputDimensionality": 2}]}, PLACES["openai"], "requests"),
    ],
)
def test_what_cannot_be_asked(endpoint: Endpoint, body: dict[str, Any], place: DeploymentPolicy, param: str) -> None:
    with pytest.raises(RequestError) as refused:
        lane(endpoint, place).outbound(read(endpoint, body), place, 0, {})
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("openai", {"error": {"message": "No."}}), ("gemini", {"error": {"code": 429, "message": "No."}}),
        ("cohere", {"message": "No."}), ("bedrock", {"message": "No."}),
    ],
)  # fmt: skip
def test_errors_under_status_200(provider: str, body: dict[str, Any]) -> None:
    endpoint, asked = ASKED["openai" if provider != "openai" else "gemini"]
    found, request = lane(endpoint, PLACES[provider]), read(endpoint, asked)
    whole = found.whole(request, json.dumps(body).encode())
    assert whole is not None and whole.error is not None and whole.error["message"] == "No." and whole.usage is None
    assert found.whole(request, b"<html>") is None


@pytest.mark.parametrize("vectors", [["x"], [["x"]], [[1e300]], [None]])
def test_vectors_that_are_none(vectors: list[Any]) -> None:
    found, request = lane(EMBEDDINGS, PLACES["cohere"]), read(*ASKED["openai"])
    assert found.whole(request, json.dumps({"embeddings": {"float": vectors}}).encode()) is None
