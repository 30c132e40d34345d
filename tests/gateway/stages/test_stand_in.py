"""Who answers in place of the model that was asked for: redirects in steps, and models that are stopped or served nowhere."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.dialects.members import Members
from gateway.endpoints import CHAT
from gateway.errors import GatewayError
from gateway.routing.bounds import UNBOUND
from gateway.routing.policy import Fallback, Redirect, RoutePolicy
from gateway.snapshot import ModelPolicy, Snapshot
from gateway.stages.stand_in import asked_model_id, granted
from gateway.types import Grant, ParsedRequest, Principal
from tests.factories import gateway as make

NOW = 1_000_000.0
PLACE = make.deployment("http://127.0.0.1:1/v1")
NEW = make.model("new", PLACE)
HALF = Redirect("mod_new", ((NOW - 10, 50.0), (NOW + 10, 100.0)))
UNAVAILABLE = RoutePolicy(fallbacks=(Fallback("mod_new", frozenset({"unavailable"})),))


def old(redirect: Redirect = HALF, **changes: Any) -> ModelPolicy:
    return make.model("old", PLACE, **{"route": RoutePolicy(redirect=redirect)} | changes)


def ask(
    *models: ModelPolicy, may: str = "old new", now: float = NOW, session: bytes = b"", key: str = "key_1",
    stops: dict[tuple[str, str], str] | None = None, **request: Any,
) -> Grant:  # fmt: skip
    """Return the grant for a call of `old`."""
    world: Snapshot = replace(make.snapshot(models, []), stops=stops or {})
    who = Principal(make.key_entry(key), make.team([one for one in models if one.slug in may.split()]))
    said = {"output_cap": None, "prompt_bound": 10} | request
    call = ParsedRequest(
        members=Members(b"{}"), model="old", streamed=False, choices=1, usage_wanted=False, window_bound=False, **said
    )
    headers = {b"x-atrium-session": session} if session else {}
    return granted(CHAT, who, call, world, now, UNBOUND, headers)


def test_the_share_follows_the_days_and_a_session_never_jumps_back() -> None:
    def gone(now: float) -> set[int]:
        return {n for n in range(200) if ask(old(), NEW, now=now, session=b"%d" % n).model is NEW}

    early, half, late = gone(NOW - 11), gone(NOW), gone(NOW + 10)
    assert not early
    assert 70 < len(half) < 130
    assert len(late) == 200
    assert gone(NOW + 5) == half
    by_key = {key: ask(old(), NEW, key=key).model.slug for key in ("k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8")}
    assert set(by_key.values()) == {"old", "new"}
    assert by_key == {key: ask(old(), NEW, key=key).model.slug for key in by_key}


def test_the_grant_says_what_was_asked_for_and_why_another_answers() -> None:
    grant = ask(old(), NEW, now=NOW + 10)
    assert (grant.model, grant.redirected, grant.request.model) == (NEW, "mod_new", "old")
    assert grant.stepped_down == "old is being retired, so new answers."
    assert asked_model_id(grant) == "mod_old"
    assert asked_model_id(ask(old(), NEW, now=NOW - 11)) == ""


ALL = Redirect("mod_new", ((0.0, 100.0),))


@pytest.mark.parametrize(
    ("first", "second", "more"),
    [
        ({}, {}, {"may": "old"}),
        ({}, {"deployments": ()}, {}),
        ({}, {"capabilities": frozenset({"embeddings"})}, {}),
        ({}, {}, {"stops": {("model", "mod_new"): "leak"}}),
        ({}, {"context_tokens": 5}, {}),
        ({}, {"max_output_tokens": 5}, {"output_cap": 6}),
        ({"route": RoutePolicy(redirect=ALL, regions=frozenset({"eu"})), "deployments": (replace(PLACE, region="eu"),)}, {}, {}),
    ],
)  # fmt: skip
def test_who_cannot_use_the_successor_stays(first: Any, second: Any, more: Any) -> None:
    assert ask(replace(old(ALL), **first), replace(NEW, **second), **more).model.slug == "old"


def test_past_the_models_life_every_call_goes_on_or_is_told_why_not() -> None:
    gone = old(Redirect("mod_new", ((NOW - 10, 1.0),)), retires_at=NOW - 1)
    assert ask(gone, NEW).model is NEW
    with pytest.raises(GatewayError, match=r'"old" is retired\. Its calls go to "new", which cannot serve') as refused:
        ask(gone, NEW, may="old")
    assert (refused.value.code, refused.value.status) == ("model_retired", 403)
    assert "kind=model&model=new" in (refused.value.link or "")
    with pytest.raises(GatewayError) as refused:
        ask(gone, NEW, may="new")  # a redirect is no permission
    assert refused.value.code == "model_not_allowed"


@pytest.mark.parametrize(
    ("first", "stops", "why"),
    [
        ({}, {("model", "mod_old"): "leak"}, "is stopped for now"),
        ({}, {("provider", "prov_1"): "leak"}, "is stopped for now"),
        ({"deployments": ()}, {}, "is served nowhere at the moment"),
    ],
)
def test_a_model_that_is_stopped_or_served_nowhere_falls_back(first: Any, stops: Any, why: str) -> None:
    other = replace(NEW, deployments=(replace(PLACE, id="dep_2", provider_id="prov_2"),))
    grant = ask(replace(old(route=UNAVAILABLE), **first), other, stops=stops)
    assert (grant.model.slug, grant.stepped_down) == ("new", f"old {why}, so new answers.")
    for_errors = RoutePolicy(fallbacks=(Fallback("mod_new", frozenset({"error"})),))
    for refused, may in ((old(route=for_errors), "old new"), (old(route=UNAVAILABLE), "old")):
        with pytest.raises(GatewayError) as error:
            ask(replace(refused, **first), other, stops=stops, may=may)
        assert error.value.code in {"stopped", "model_unavailable"}
