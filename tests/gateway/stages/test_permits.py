"""What was granted is granted again, as long as nothing changed and nothing else of the call has a say."""

from dataclasses import replace as changed

import pytest
from msgspec.structs import replace

from gateway.dialects.members import Members
from gateway.endpoints import CHAT
from gateway.errors import CredentialError
from gateway.kept.records import Wish
from gateway.routing.bounds import UNBOUND, Bounds
from gateway.snapshot import Price, Snapshot
from gateway.stages.authenticate import admitted
from gateway.stages.permits import keep, permitted
from gateway.stages.stand_in import granted
from gateway.types import Grant, ParsedRequest, Principal
from tests.factories import gateway as make

NOW = 1_800_000_000.0
PLACE = make.deployment("http://127.0.0.1:1/v1")
REQUEST = ParsedRequest(Members(b"{}"), "a", False, 1, 50, False, 100, False)


def world(until: float = NOW + 3600) -> tuple[Snapshot, Principal]:
    later = Price("price_later", NOW + 60, 2_000_000_000, 2_000_000_000)
    model = make.model(REQUEST.model, PLACE)
    model = changed(model, prices=(*model.prices, later))
    snapshot = make.snapshot([model], [make.team([model])])
    return snapshot, admitted(make.key_entry(expires_at=until), snapshot, NOW)


def grant_of(snapshot: Snapshot, principal: Principal, now: float, bounds: Bounds = UNBOUND) -> Grant:
    return granted(CHAT, principal, REQUEST, snapshot, now, bounds, {})


def test_the_next_call_gets_the_same_until_a_price_changes() -> None:
    snapshot, principal = world()
    first = grant_of(snapshot, principal, NOW)
    again = permitted(CHAT, principal, replace(REQUEST, choices=2), snapshot, NOW + 59, UNBOUND)
    assert again is not None and (again.price, again.places, again.request.choices) == (first.price, first.places, 2)
    assert permitted(CHAT, principal, REQUEST, snapshot, NOW + 60, UNBOUND) is None
    assert grant_of(snapshot, principal, NOW + 60).price.id == "price_later"


def test_other_bounds_are_decided_anew() -> None:
    snapshot, principal = world()
    grant_of(snapshot, principal, NOW)
    assert permitted(CHAT, principal, REQUEST, snapshot, NOW, Bounds("restricted")) is None


def test_an_entry_that_was_read_anew_is_decided_anew() -> None:
    snapshot, principal = world()
    grant_of(snapshot, principal, NOW)
    other = admitted(changed(principal.key, model_ids=frozenset()), snapshot, NOW)
    assert other is not principal and permitted(CHAT, other, REQUEST, snapshot, NOW, UNBOUND) is None


def test_what_a_call_goes_on_from_or_keeps_is_never_remembered() -> None:
    snapshot, principal = world()
    grant = grant_of(snapshot, principal, NOW)
    for special in (
        replace(REQUEST, kept=Wish(True)),
        replace(REQUEST, priced_unit="images"),
        replace(REQUEST, model=""),
    ):
        snapshot.permits.clear()
        keep(CHAT, replace(grant, request=special), NOW, UNBOUND)
        assert not snapshot.permits
        grant_of(snapshot, principal, NOW)
        assert permitted(CHAT, principal, special, snapshot, NOW, UNBOUND) is None


def test_a_key_that_is_let_in_is_looked_at_again_when_it_expires() -> None:
    snapshot, principal = world(until=NOW + 10)
    assert admitted(principal.key, snapshot, NOW + 9) is principal
    with pytest.raises(CredentialError, match="expired"):
        admitted(principal.key, snapshot, NOW + 10)


def test_no_prompt_outlives_its_call() -> None:
    snapshot, principal = world()
    long = replace(REQUEST, members=Members(b'{"input": "%b"}' % (b"x" * 1_000)))
    assert granted(CHAT, principal, long, snapshot, NOW, UNBOUND, {}).request is long
    [permit] = snapshot.permits.values()
    assert permit.grant.request.members.body == b"{}"
