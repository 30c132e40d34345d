"""Calls under way are looked at again when the feed names what they stand on: also those that are just being let in."""

from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DatabaseError
from pytest import MonkeyPatch

from gateway.control import cut
from gateway.control.cut import Cutter
from gateway.errors import GatewayError
from gateway.snapshot import KeyEntry
from gateway.types import Principal
from tests.factories import gateway as make

PLACE = make.deployment("http://127.0.0.1:1")
MODEL = make.model("chat-small", PLACE)
TEAM = make.team([MODEL])
SNAPSHOT = make.snapshot([MODEL], [TEAM])


class Database:
    """Holds keys and providers as they are now."""

    def __init__(self) -> None:
        self.entries: dict[str, KeyEntry] = {}
        self.enabled: set[str] = {"prov_1"}
        self.away = False

    async def run(self, function: Any, ids: Iterable[str]) -> Any:
        if self.away:
            raise DatabaseError("away")
        return function(ids)


class Call(SimpleNamespace):
    """A call of a key; `ended` holds the codes of the errors that ended it."""

    def __init__(self, key_id: str, *, let_in: bool = True, dialled: bool = False) -> None:
        self.entry = make.key_entry(key_id)
        self.ended: list[str] = []
        attempt = SimpleNamespace(deployment=PLACE) if dialled else None
        super().__init__(principal=None, grant=None, attempt=attempt, error=None, watch=SimpleNamespace(end=self.end))
        if let_in:
            self.let_in()

    def let_in(self) -> None:
        self.principal = Principal(self.entry, TEAM)

    def end(self, error: GatewayError) -> None:
        self.ended.append(error.code)
        self.error = error


@pytest.fixture
def database(monkeypatch: MonkeyPatch) -> Database:
    held = Database()
    monkeypatch.setattr(cut, "read_entries", lambda ids: {id_: held.entries[id_] for id_ in ids if id_ in held.entries})
    monkeypatch.setattr(cut, "enabled_providers", lambda ids: held.enabled & set(ids))
    return held


def cutter_of(database: Database, *calls: Call) -> tuple[Cutter, Any]:
    for call in calls:
        database.entries[call.entry.secret_id] = call.entry
    clock = SimpleNamespace(now=lambda: 0.0)
    runtime: Any = SimpleNamespace(in_flight=dict(enumerate(calls)), snapshot=SNAPSHOT, clock=clock)
    return Cutter(runtime, database), runtime  # type: ignore[arg-type]


def revoke(database: Database, call: Call) -> None:
    database.entries[call.entry.secret_id] = replace(call.entry, status="revoked")


async def test_only_what_is_named_and_refused_now_is_ended(database: Database) -> None:
    revoked, renamed, other = Call("key_1"), Call("key_2"), Call("key_3")
    cutter, _ = cutter_of(database, revoked, renamed, other)
    revoke(database, revoked)
    revoke(database, other)  # the feed will name it in a moment
    cutter.note([("key", "key_1"), ("key", "key_2")], everybody=False)
    await cutter.cut()
    assert (revoked.ended, renamed.ended, other.ended) == (["revoked_key"], [], [])


async def test_who_was_just_being_let_in_is_ended_at_the_second_look(database: Database) -> None:
    call = Call("key_1", let_in=False)
    cutter, _ = cutter_of(database, call)
    revoke(database, call)
    cutter.note([("key", "key_1")], everybody=False)
    await cutter.cut()
    call.let_in()
    cutter.note([], everybody=False)
    await cutter.cut()
    assert call.ended == ["revoked_key"]


async def test_what_could_not_be_asked_is_asked_again(database: Database) -> None:
    call = Call("key_1")
    cutter, _ = cutter_of(database, call)
    revoke(database, call)
    cutter.note([("key", "key_1")], everybody=False)
    database.away = True
    for _ in range(3):
        await cutter.cut()
    assert call.ended == []
    database.away = False
    await cutter.cut()
    assert call.ended == ["revoked_key"]


async def test_a_feed_that_was_lost_doubts_everybody(database: Database) -> None:
    revoked, deleted, fine = Call("key_1"), Call("key_2"), Call("key_3", dialled=True)
    cutter, _ = cutter_of(database, revoked, deleted, fine)
    revoke(database, revoked)
    del database.entries[deleted.entry.secret_id]
    cutter.note([], everybody=True)
    await cutter.cut()
    assert (revoked.ended, deleted.ended, fine.ended) == (["revoked_key"], ["revoked_key"], [])


async def test_a_disabled_provider_ends_its_calls(database: Database) -> None:
    dialled, waiting = Call("key_1", dialled=True), Call("key_2")
    cutter, _ = cutter_of(database, dialled, waiting)
    database.enabled.clear()
    cutter.note([("provider", "prov_1")], everybody=False)
    await cutter.cut()
    assert (dialled.ended, waiting.ended) == (["model_unavailable"], [])


async def test_a_stop_ends_each_call_once_however_often_it_is_looked_at(database: Database) -> None:
    call = Call("key_1")
    cutter, runtime = cutter_of(database, call)
    runtime.snapshot = replace(SNAPSHOT, stops={("team", "team_1"): "An incident."})
    for _ in range(3):
        await cutter.cut()
    assert call.ended == ["stopped"]
