"""Reranking and moderations: what is read of a request, what it may cost at most, and how answers are read."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects import moderations, rerank
from gateway.dialects.openai_prompt import IMAGE_TOKENS
from gateway.dialects.registry import lane_of
from gateway.endpoints import RERANK
from gateway.errors import RequestError
from gateway.types import Usage
from tests.factories import gateway as make
from tests.gateway.dialects.speaking import parsed

BODY: dict[str, Any] = {"model": "m", "query": "tides", "documents": ["the moon", {"text": "the sun", "n": 2}]}
COHERE = {"results": [], "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 3}}}
VOYAGE = make.deployment("https://api.voyageai.com/v1", upstream_model="rerank-2.5")


@given(st.lists(st.integers(0, 3_000), min_size=1, max_size=400), st.integers(1, 2_000))
def test_searches_are_never_more_than_reserved(sizes: list[int], query: int) -> None:
    parts = sum(max(1, -(-(query + size) // rerank.CHUNK_TOKENS)) for size in sizes)  # if each byte were a token
    assert rerank.searches(len(sizes)) <= rerank.most_searches(query, sizes) == -(-parts // 100)


def test_a_query_is_read_with_each_document() -> None:
    request = parsed(rerank.parse, BODY | {"top_n": 1, "return_documents": True, "rank_fields": ["text"]})
    assert rerank.prompt(request).texts == ("tides", "the moon", "tides", "the sun", "2")
    assert request.prompt_bound >= rerank.prompt(request).bound
    assert request.unit_bounds == {"searches": 1}


@pytest.mark.parametrize(
    ("answer", "usage"),
    [
        (COHERE, Usage(units={"searches": 3})),
        (
            {"results": [], "usage": {"total_tokens": 38}},
            Usage(38, units={"searches": 1}, estimated=("searches",)),
        ),  # Jina
        (
            {"data": [], "usage": {"total_tokens": 26}},
            Usage(26, units={"searches": 1}, estimated=("searches",)),
        ),  # Voyage
        (
            {"results": [], "usage": {"prompt_tokens": 9, "total_tokens": 9}},
            Usage(9, units={"searches": 1}, estimated=("searches",)),
        ),  # vLLM
        (
            {"results": [], "meta": {"tokens": {"input_tokens": 7}}},
            Usage(7, units={"searches": 1}, estimated=("searches",)),
        ),  # SiliconFlow
        ({"results": []}, None),
    ],
)
def test_usage_is_read_where_it_stands(answer: dict[str, Any], usage: Usage | None) -> None:
    found = rerank.RerankLane().whole(parsed(rerank.parse, BODY), json.dumps(answer).encode())
    assert found is not None
    assert (found.usage, found.error) == (usage, None)
    assert json.loads(found.body)["results"] == []


def test_how_many_are_wanted_is_said_in_the_providers_word() -> None:
    lane, sent = rerank.RerankLane(), json.dumps(BODY | {"top_n": 1}).encode()
    request = parsed(rerank.parse, BODY | {"top_n": 1})
    body = json.loads(lane.outbound(request, VOYAGE, 0, {}).body)
    assert body == BODY | {"model": "rerank-2.5", "top_k": 1}
    own = make.deployment("http://vllm.internal:8000/v1", upstream_model="m")
    assert lane.outbound(request, own, 0, {}).body == sent  # bytes pass


def test_azure_is_asked_as_cohere_is() -> None:
    place = make.deployment("https://acme.services.ai.azure.com", dialect="azure", upstream_model="Cohere-rerank-v4.0")
    lane = lane_of(RERANK, place)
    assert lane is not None
    sent = lane.outbound(parsed(rerank.parse, BODY | {"return_documents": True}), place, 0, {})
    assert sent.path == "/providers/cohere/v2/rerank"
    texts = ["the moon", "text: the sun\nn: 2"]
    assert json.loads(sent.body) == {"model": "Cohere-rerank-v4.0", "query": "tides", "documents": texts}


def test_text_embeddings_inference_ranks_texts_and_answers_with_a_list() -> None:
    lane = rerank.RerankLane()
    place = make.deployment("http://tei.internal:8080", options={"profile": "tei"})
    request = parsed(rerank.parse, BODY | {"documents": ["a", "b"], "top_n": 1, "return_documents": True})
    sent = json.loads(lane.outbound(request, place, 0, {}).body)
    assert sent == {"query": "tides", "texts": ["a", "b"], "return_text": True, "truncate": True}
    found = lane.whole(request, b'[{"index":1,"score":0.9,"text":"b"},{"index":0,"score":0.1,"text":"a"}]')
    assert found is not None
    assert json.loads(found.body) == {"results": [{"index": 1, "relevance_score": 0.9, "document": {"text": "b"}}]}
    assert found.usage is None  # counted afterwards
    for changes in ({"rank_fields": ["text"]}, {}):
        with pytest.raises(RequestError):
            lane.outbound(parsed(rerank.parse, BODY | changes), place, 0, {})


def test_errors_under_status_200_are_errors() -> None:
    for body in ({"message": "invalid api token"}, {"detail": "no such model"}, {"error": {"message": "x"}}):
        found = rerank.RerankLane().whole(parsed(rerank.parse, BODY), json.dumps(body).encode())
        assert found is not None and found.error
    assert rerank.RerankLane().whole(parsed(rerank.parse, BODY), b"<html>") is None


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"query": None}, "query"),
        ({"query": ["a"]}, "query"),
        ({"documents": []}, "documents"),
        ({"documents": ["a"] * 10_001}, "documents"),
        ({"documents": [["a"]]}, "documents"),
        ({"documents": [{"image": "https://example.com/a.png"}]}, "documents"),
        ({"top_n": 0}, "top_n"),
        ({"top_n": 1, "top_k": 1}, "top_k"),
        ({"stream": True}, "stream"),
        ({"priority": 1}, "priority"),
        ({"Documents": ["b"]}, "documents"),
    ],
)
def test_what_is_wrong_or_not_metered_is_refused(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        parsed(rerank.parse, BODY | changes)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("address", "dialect", "has"),
    [
        ("https://api.voyageai.com/v1", "openai", True),
        ("https://api.openai.com/v1", "openai", False),
        ("http://own.internal/v1", "openai", True),
        ("https://acme.services.ai.azure.com", "azure", True),
        ("https://api.anthropic.com/v1", "anthropic", False),
    ],
)
def test_only_who_reranks_is_asked(address: str, dialect: str, has: bool) -> None:
    assert (lane_of(RERANK, make.deployment(address, dialect=dialect)) is not None) is has


def test_a_moderation_may_name_no_model_and_hold_images() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 50_000}}
    request = parsed(moderations.parse, {"input": [{"type": "text", "text": "hello"}, image]})
    assert request.model == ""
    assert IMAGE_TOKENS < request.prompt_bound < IMAGE_TOKENS + 200
    assert (moderations.prompt(request).texts, moderations.prompt(request).complete) == (("hello",), False)
    assert json.loads(moderations.outbound(request, "omni", "", 0))["model"] == "omni"


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": [1, 2]}, "input"),
        ({"input": [{"type": "image_url", "image_url": {"url": "file-abc"}}]}, "input"),
        ({"stream": True}, "stream"),
        ({"model": 5}, "model"),
    ],
)
def test_moderations_that_are_wrong(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        parsed(moderations.parse, {"input": "x"} | changes)
    assert caught.value.param == param
