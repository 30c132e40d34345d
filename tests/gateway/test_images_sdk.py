"""Images, moderation and reranking through a gateway: the official OpenAI SDK, and clients as Cohere's."""

import json

import pytest

from gateway.money import parse_usd
from gateway.runtime import Limits
from gateway.snapshot import ModelPolicy, Price
from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.gateway.live import LiveGateway, until
from tests.gateway.ways import check_books
from tests.upstream import FakeUpstream, Plan

DRAWN = {"input_image_tokens": 8_000_000_000, "output_image_tokens": 30_000_000_000}  # USD 8 and 30 per 1M
BY_TOKENS = Price("price_t", 0.0, input=5_000_000_000, output=10_000_000_000, units=DRAWN)
BY_IMAGE = Price("price_i", 0.0, input=0, output=0, units={"images": 40_000_000 * 1_000_000})  # USD 0.04 each
BY_SEARCH = Price("price_s", 0.0, input=0, output=0, units={"searches": 2_000_000 * 1_000_000})  # USD 0.002 each
FREE = Price("price_f", 0.0, input=0, output=0, free=True)
PNG = ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(300), "image/png")


@pytest.fixture
def gateway(start_gateway: StartGateway, upstream: FakeUpstream) -> LiveGateway:
    """A gateway with models of each kind, and a budget."""
    place = make.deployment(upstream.url, upstream_model="up")

    def model(slug: str, capability: str, price: Price) -> ModelPolicy:
        return make.model(slug, place, capabilities=frozenset({capability}), max_output_tokens=0, prices=(price,))

    models = [
        model("draw-tokens", "image", BY_TOKENS), model("draw", "image", BY_IMAGE),
        model("rank", "rerank", BY_SEARCH), model("judge", "moderation", FREE),
    ]  # fmt: skip
    return start_gateway(models=models, quotas=[make.quota("usd", "month", parse_usd("100"))])


def test_images_by_the_sdk(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    with gateway.openai() as client:
        made = client.images.generate(model="draw-tokens", prompt="a tide pool", n=2, quality="low", size="1024x1024")
        assert made.usage is not None
        assert (len(made.data or ()), made.usage.output_tokens) == (2, 272)
        events = list(client.images.generate(model="draw-tokens", prompt="tides", stream=True, partial_images=2))
        assert [event.type for event in events] == ["image_generation.partial_image"] * 2 + [
            "image_generation.completed"
        ]
        edited = client.images.edit(model="draw-tokens", prompt="bluer", image=[PNG, PNG], mask=PNG)
        assert len(edited.data or ()) == 1
        streamed = list(client.images.edit(model="draw", prompt="bluer", image=PNG, stream=True))
        assert [event.type for event in streamed] == ["image_edit.completed"]
    sent = upstream.received[2].content()
    assert (sent["model"], sent["image[]"], sent["mask"]) == (
        "up",
        [(PNG[0], PNG[2], PNG[1])] * 2,
        (PNG[0], PNG[2], PNG[1]),
    )
    whole, stream, edit, last = gateway.journal.closed
    assert whole.cost_nano_usd == 13 * 5_000 + 272 * 30_000
    assert (stream.input_tokens, stream.output_tokens, stream.units) == (
        13,
        272,
        {"images": 1, "output_image_tokens": 272},
    )
    assert edit.cost_nano_usd == 13 * 5_000 + 194 * 8_000 + 272 * 30_000
    assert last.cost_nano_usd == 40_000_000
    assert not any(closed.estimated for closed in gateway.journal.closed)
    bounds = [opened.bound_output_tokens for opened in gateway.journal.opened]
    assert bounds[0] >= 544 and bounds[-1] == 0  # no limit of tokens holds what is charged by image
    check_books(gateway, [upstream])


def test_large_images_pass_and_what_tells_no_tokens_is_charged_at_its_most(
    gateway: LiveGateway, upstream: FakeUpstream
) -> None:
    big = 6 << 20
    upstream.script(Plan(huge=big, usage="none"), Plan(huge=big), Plan(huge=big, usage="none"), Plan(error_inside=True))
    body = {"model": "draw", "prompt": "a tide pool", "n": 2}
    answer = gateway.client.post("/v1/images/generations", json=body)
    assert [len(image["b64_json"]) for image in answer.json()["data"]] == [big, big]
    streamed = gateway.client.post("/v1/images/generations", json=body | {"n": 1, "stream": True, "partial_images": 1})
    kinds = [json.loads(event.split("data: ")[1])["type"] for event in streamed.text.strip().split("\n\n")]
    assert kinds == ["image_generation.partial_image", "image_generation.completed"]
    gateway.client.post("/v1/images/generations", json=body | {"model": "draw-tokens"})
    failed = gateway.client.post("/v1/images/generations", json=body | {"n": 1, "stream": True})
    assert failed.status_code == 502
    by_image, by_stream, untold, error = gateway.journal.closed
    assert (by_image.cost_nano_usd, by_image.units, by_image.estimated) == (80_000_000, {"images": 2}, False)
    assert by_stream.cost_nano_usd == 40_000_000
    bound = gateway.journal.opened[2].bound_nano_usd
    assert untold.estimated
    assert bound * 0.99 < untold.cost_nano_usd <= bound
    assert error.cost_nano_usd == 0
    gateway.runtime.limits = Limits(max_response_bytes=1 << 20)
    upstream.script(Plan(huge=2 << 20))
    answer = gateway.client.post("/v1/images/generations", json=body)
    assert (answer.status_code, "1 MiB" in answer.text) == (502, True)
    too_large = gateway.journal.closed[-1]  # it was made all the same
    assert (too_large.estimated, too_large.cost_nano_usd) == (True, 80_000_000)


def test_who_hangs_up_on_an_image_pays_for_it(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(hang=1))
    body = {"model": "draw", "prompt": "a tide pool", "stream": True, "partial_images": 3}
    with gateway.client.stream("POST", "/v1/images/generations", json=body) as answer:
        next(answer.iter_bytes())
    [closed] = until(lambda: gateway.journal.closed)
    assert (closed.status, closed.estimated, closed.cost_nano_usd) == (499, True, 40_000_000)


def test_moderation_needs_no_model_where_there_is_one(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    with gateway.openai() as client:
        assert not client.moderations.create(input="good day").results[0].flagged
    assert upstream.received[0].json() == {"input": "good day", "model": "up"}
    [closed] = gateway.journal.closed
    assert (closed.input_tokens, closed.cost_nano_usd) == (2, 0)
    seen = [
        {"type": "text", "text": "good day"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]
    assert gateway.client.post("/v1/moderations", json={"model": "judge", "input": seen}).status_code == 200
    assert [one.input_tokens for one in gateway.journal.closed] == [2, 2]  # nothing is made up for the image
    other = make.model(
        "judge-2", *gateway.models[-1].deployments, capabilities=frozenset({"moderation"}), prices=(FREE,)
    )
    models = [*gateway.models, other]
    gateway.configure(make.snapshot(models, [make.team(models)]))
    refused = gateway.client.post("/v1/moderations", json={"input": "x"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "model")
    assert "judge, judge-2" in refused.json()["error"]["message"]


def test_reranking_at_both_addresses(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    jina = {"usage": {"total_tokens": 38}}
    upstream.script(Plan(), Plan(tokens=jina), Plan(usage="none"), Plan(error_inside=True))
    body = {"model": "rank", "query": "tides", "documents": ["the moon", {"text": "the sun"}], "top_n": 1}
    first = gateway.client.post("/v2/rerank", json=body)
    assert [one["index"] for one in first.json()["results"]] == [0]
    for _ in range(2):
        assert gateway.client.post("/v1/rerank", json=body).status_code == 200
    assert gateway.client.post("/v1/rerank", json=body).status_code == 502
    assert upstream.received[0].target == "/v1/rerank"
    told, tokens, untold, failed = gateway.journal.closed
    assert (told.cost_nano_usd, told.units, told.estimated) == (2_000_000, {"searches": 1}, False)
    assert (tokens.input_tokens, tokens.cost_nano_usd) == (38, 2_000_000)
    assert (untold.estimated, untold.cost_nano_usd, failed.cost_nano_usd) == (True, 2_000_000, 0)
