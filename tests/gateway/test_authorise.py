"""Which models a key may call: key, team and exceptions; and what a refusal says."""

import time
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec import structs

from gateway.dialects.members import Members
from gateway.endpoints import CHAT
from gateway.errors import RequestError
from gateway.snapshot import UNSET, ModelGrant
from gateway.stages.authorise import authorise, callable_models, may_use, price_at
from gateway.types import ParsedRequest, Principal
from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.gateway.live import LiveGateway
from tests.upstream import FakeUpstream

NOW = 1_000_000.0
PARSED = ParsedRequest(Members(b"{}"), "a", False, 1, 50, False, 100, False)
PLACE = make.deployment("http://127.0.0.1:1/v1")
A, B, C = (make.model(slug, PLACE) for slug in ("a", "b", "c"))


def principal(model_ids: frozenset[str] | None = None, *grants: ModelGrant) -> Principal:
    """Return a key with `model_ids` in a team that may use A and B."""
    return Principal(make.key_entry(model_ids=model_ids), make.team([A, B], grants=grants))


@pytest.mark.parametrize(
    ("key_models", "grant", "allowed"),
    [
        (None, None, "ab"),
        (frozenset({"mod_a"}), None, "a"),
        (frozenset({"mod_a", "mod_c"}), None, "a"),
        (None, ModelGrant("mod_c", NOW + 1), "abc"),
        (None, ModelGrant("mod_c", NOW), "ab"),
        (None, ModelGrant("mod_c", UNSET, user_id="user_1"), "abc"),
        (None, ModelGrant("mod_c", UNSET, user_id="user_2"), "ab"),
        (frozenset({"mod_a"}), ModelGrant("mod_c", UNSET, user_id="user_1"), "a"),
        (frozenset({"mod_a"}), ModelGrant("mod_c", UNSET, key_id="key_1"), "ac"),
        (frozenset({"mod_a"}), ModelGrant("mod_b", UNSET, key_id="key_1"), "ab"),
        (None, ModelGrant("mod_c", UNSET, key_id="key_2"), "ab"),
        (None, ModelGrant("mod_c", UNSET, user_id="user_2", key_id="key_1"), "ab"),
    ],
)
def test_effective_models(key_models: frozenset[str] | None, grant: ModelGrant | None, allowed: str) -> None:
    who = principal(key_models, *([grant] if grant else []))
    assert "".join(policy.slug for policy in (A, B, C) if may_use(who, policy.id, NOW)) == allowed
    world = make.snapshot([A, B, C], [who.team])
    assert "".join(policy.slug for policy in callable_models(who, world, NOW)) == allowed


def test_a_price_counts_from_its_moment_and_zero_must_be_meant() -> None:
    first, second = replace(make.PRICE, id="p1", effective_from=10), replace(make.PRICE, id="p2", effective_from=20)
    policy = replace(A, prices=(first, second))
    found = [price_at(policy, moment) for moment in (9.9, 10, 19.9, 20)]
    assert [price.id if price else None for price in found] == [None, "p1", "p1", "p2"]
    nothing = replace(make.PRICE, input=0, output=0)
    assert price_at(replace(A, prices=(nothing,)), NOW) is None
    assert price_at(replace(A, prices=(replace(nothing, free=True),)), NOW) is not None


def test_what_has_a_rate_of_its_own_goes_only_where_the_price_names_it() -> None:
    named = replace(make.PRICE, units={"cache_write_1h_tokens": 1})
    there = make.deployment("http://127.0.0.1:2/v1", id="dep_2", prices=(named,))
    request = structs.replace(PARSED, priced_unit="cache_write_1h_tokens")
    for model, served in (
        (make.model("a", PLACE, there), ["dep_2"]),
        (make.model("a", PLACE, prices=(named,)), ["dep_1"]),
    ):
        who = Principal(make.key_entry(), make.team([model]))
        world = make.snapshot([model], [who.team])
        assert [place.id for place in authorise(CHAT, who, request, world, NOW).places] == served
    with pytest.raises(RequestError, match="no rate for 1-hour cache write tokens"):
        authorise(CHAT, principal(), request, make.snapshot([A, B], [principal().team]), NOW)


def models(upstream: FakeUpstream) -> list[object]:
    """Return one model for each reason not to be served."""
    place = make.deployment(upstream.url)
    return [
        make.model("good", place),
        make.model("foreign", place),
        make.model("old", place, stage="retired"),
        make.model("ended", place, retires_at=time.time() - 1),
        make.model("unpriced", place, prices=()),
        make.model("future", place, prices=(replace(make.PRICE, effective_from=time.time() + 99),)),
        make.model("nowhere"),
        make.model("drained", replace(place, weight=0)),
        make.model("embed", place, capabilities=frozenset({"embeddings"})),
    ]


@pytest.fixture
def crowded(start_gateway: StartGateway, upstream: FakeUpstream) -> LiveGateway:
    """A gateway with many models; the team may use all but `foreign`."""
    policies = models(upstream)
    return start_gateway(
        models=policies,
        team=make.team([policy for policy in policies if policy.slug != "foreign"]),  # type: ignore[attr-defined]
    )


@pytest.mark.parametrize(
    ("slug", "status", "code"),
    [
        ("foreign", 403, "model_not_allowed"),
        ("missing", 404, "model_not_found"),
        ("old", 403, "model_retired"),
        ("ended", 403, "model_retired"),
        ("unpriced", 403, "model_unpriced"),
        ("future", 403, "model_unpriced"),
        ("nowhere", 503, "model_unavailable"),
        ("drained", 503, "model_unavailable"),
        ("embed", 403, "endpoint_not_supported"),
    ],
)
def test_refusals(crowded: LiveGateway, upstream: FakeUpstream, slug: str, status: int, code: str) -> None:
    answer = crowded.chat(model=slug)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, "model")
    assert not upstream.received
    assert not crowded.journal.records


def test_a_refusal_links_to_a_prefilled_request(crowded: LiveGateway) -> None:
    error = crowded.chat(model="foreign").json()["error"]
    link = urlsplit(error["portal_url"])
    assert f"{link.scheme}://{link.netloc}{link.path}" == f"{make.PORTAL}/requests/new"
    assert parse_qs(link.query) == {
        "kind": ["model"], "model": ["foreign"], "key": ["key_1"], "request_id": [error["request_id"]],
    }  # fmt: skip


def test_an_unknown_model_names_those_that_can_be_called(crowded: LiveGateway) -> None:
    assert "This key can call: embed, good." in crowded.chat(model="missing").json()["error"]["message"]


def test_models_lists_exactly_what_can_be_called(crowded: LiveGateway) -> None:
    listed = [item["id"] for item in crowded.client.get("/v1/models").json()["data"]]
    assert listed == ["embed", "good"]
    callable_ = [p.slug for p in crowded.models if crowded.chat(model=p.slug).status_code == 200]
    callable_ += [
        p.slug
        for p in crowded.models
        if crowded.client.post("/v1/embeddings", json={"model": p.slug, "input": "x"}).status_code == 200
    ]
    assert sorted(callable_) == listed


def test_an_approved_exception_works_and_ends_by_itself(crowded: LiveGateway) -> None:
    assert crowded.chat(model="foreign").status_code == 403
    grant = ModelGrant("mod_foreign", time.time() + 0.4, key_id="key_1")
    crowded.reconfigure(team=replace(crowded.team, grants=(grant,)))
    assert crowded.chat(model="foreign").status_code == 200
    time.sleep(0.45)
    assert crowded.chat(model="foreign").status_code == 403
