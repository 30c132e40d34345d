"""Realtime sessions without sockets: whatever both sides say, each response is reserved before and charged as told."""

import base64
import json
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from gateway.errors import BudgetError, GatewayError, UpstreamError
from gateway.realtime.allowances import Allowance, Allowances
from gateway.realtime.events import check_response, check_session, read, written
from gateway.realtime.held import Bound, most, transcription_usage_of, usage_of
from gateway.realtime.purse import Over, Purse, Rules
from gateway.realtime.settings import Said, Settings, said_in
from gateway.realtime.talk import Talk
from gateway.snapshot import Price
from gateway.stages.meter import cost
from gateway.types import Usage
from tests.upstream.realtime import usage

PRICE = Price(
    "p", 0.0, 4_000_000_000, 16_000_000_000, 400_000_000,
    units={"input_audio_tokens": 32_000_000_000, "output_audio_tokens": 64_000_000_000},
)  # fmt: skip
RULES = Rules(frozenset({"talk"}), "gpt-realtime", 32_000, 4_096, "max_output_tokens", "acme")
CREATED = {
    "type": "realtime",
    "instructions": "Be kind.",
    "audio": {"input": {"turn_detection": {"type": "server_vad"}}},
}


def now(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Run what waits for nothing."""
    with pytest.raises(StopIteration):
        coroutine.send(None)


class Ledger:
    """Books over a budget in nano-USD."""

    def __init__(self, budget: int) -> None:
        self.left, self.open_, self.charged, self.overdrawn = budget, set[int](), list[int](), 0
        self.estimates = list[int]()

    async def open(self, bound: Bound) -> Allowance:
        need = most(PRICE, bound)
        if need > self.left:
            raise BudgetError("nothing left")
        self.left -= need
        return self._new(bound, need)

    def overdraw(self, bound: Bound) -> Allowance:
        self.overdrawn += 1
        return self._new(bound, 0)

    def note(self, allowance: Allowance, what: str) -> None:
        assert id(allowance) in self.open_

    def close(
        self, allowance: Allowance, used: Usage, *, estimated: bool = False, error: GatewayError | None = None
    ) -> None:
        self.open_.remove(id(allowance))
        charged = cost(used, PRICE)
        assert charged <= most(PRICE, allowance.bound)
        self.left += allowance.account[0] - charged
        (self.estimates if estimated else self.charged).append(charged)

    def _new(self, bound: Bound, need: int) -> Allowance:
        allowance = Allowance(bound, (need,))
        self.open_.add(id(allowance))
        allowance.account = (need, allowance)  # kept, so that its id stays its own
        return allowance


class World:
    """A session between a client who says anything and a provider that keeps to its rules."""

    def __init__(self, budget: int) -> None:
        self.ledger = Ledger(budget)
        self.up: list[dict[str, Any]] = []
        self.down: list[dict[str, Any]] = []
        self.told: list[dict[str, Any]] = []
        self.refusals: list[str] = []
        self.read, self.sound, self.spoken, self.made = 3, 0, 0, 0  # tokens
        self.automatic, self.cap = True, 4_096
        self.running = ""
        purse = Purse(RULES, Allowances(self.ledger), self.transcriber)
        self.talk = Talk(purse, self.send_up, lambda data: self.down.append(json.loads(data)), self.complain)
        self.provider("session.created", session=CREATED)

    def transcriber(self, name: str) -> tuple[str, Allowances]:
        raise NotImplementedError

    def complain(self, error: GatewayError, event_id: str | None) -> None:
        self.refusals.append(error.code)

    def send_up(self, data: bytes) -> None:
        event = json.loads(data)
        self.up.append(event)
        match event["type"]:
            case "session.update":
                self.provider_updates(event["session"])
            case "input_audio_buffer.append":
                self.sound += len(base64.b64decode(event["audio"])) // 4_800
            case "conversation.item.create":
                self.read += len(json.dumps(event["item"]))
            case "response.create" if not self.running:
                self.begin()
            case "response.create":
                self.provider("error", error={"message": "busy", "event_id": event["event_id"]})

    def provider_updates(self, changes: dict[str, Any]) -> None:
        self.cap = changes.get("max_output_tokens", self.cap)
        if "audio" in changes:
            self.automatic = changes["audio"]["input"]["turn_detection"] is not None
        detection = {"turn_detection": {"type": "server_vad"} if self.automatic else None}
        self.provider("session.updated", session={"max_output_tokens": self.cap, "audio": {"input": detection}})

    def provider(self, type_: str, **members: Any) -> None:
        now(self.talk.from_provider(json.dumps({"type": type_, **members}).encode()))

    def client(self, type_: str, **members: Any) -> None:
        now(self.talk.from_client(json.dumps({"type": type_, **members}).encode()))

    def begin(self) -> None:
        self.made += 1
        self.running = f"resp_{self.made}"
        self.prompt = self.read, min(self.sound + self.spoken, 30_000 - self.read)  # what comes later is not read
        self.provider("response.created", response={"id": self.running})

    def finish(self, share: float) -> None:
        if not self.running:
            return
        spoken = int(self.cap * share)
        told = usage(*self.prompt, 0, spoken)
        id_, self.running = self.running, ""
        self.spoken += spoken
        self.told.append(told)
        self.provider("response.done", response={"id": id_, "status": "completed", "usage": told})


ENOUGH = 10**12  # nano-USD
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 400)),
        st.tuples(st.just("item"), st.integers(0, 400)),
        st.tuples(st.just("create"), st.sampled_from([None, "inf"])),
        st.tuples(st.just("update"), st.sampled_from([None, True, 1, 2_000, "inf"])),
        st.tuples(st.just("hear"), st.none()),
        st.tuples(st.just("finish"), st.sampled_from([0.1, 1.0])),
    ),
    max_size=40,
)


def take(world: World, kind: str, value: Any) -> None:
    match kind:
        case "append":
            world.client("input_audio_buffer.append", audio=base64.b64encode(bytes(4_800 * value)).decode())
        case "item":
            world.client("conversation.item.create", item={"type": "message", "role": "user", "content": "x" * value})
        case "create" if value is None:
            world.client("response.create")
        case "create":
            world.client("response.create", response={"max_output_tokens": value})
        case "update" if value in {None, True}:
            detection = None if value is None else {"type": "server_vad"}
            world.client(
                "session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
            )
        case "update":
            world.client("session.update", session={"type": "realtime", "max_output_tokens": value})
        case "hear" if world.automatic and world.sound and not world.running:
            world.begin()
        case "finish":
            world.finish(value)


@examples(max_examples=60, deadline=None)
@given(STEPS, st.sampled_from([10**6, 2 * 10**9, ENOUGH]))
def test_what_was_told_is_charged_and_what_costs_was_reserved(steps: list[tuple[str, Any]], budget: int) -> None:
    world, over = World(budget), False
    for kind, value in steps:
        try:
            take(world, kind, value)
        except Over:
            over = True
            break
    world.talk.end(None, whole=False)
    ledger = world.ledger
    assert not ledger.open_
    told = [cost(found, PRICE) for one in world.told if (found := usage_of(one))]
    assert sorted(one for one in ledger.charged if one) == sorted(told)
    assert ledger.left == budget - sum(ledger.charged) - sum(ledger.estimates)
    if budget == ENOUGH:
        assert not over
    if not over:
        assert ledger.overdrawn == 0
        assert ledger.left >= 0
    caps = [event["session"].get("max_output_tokens") for event in world.up if event["type"] == "session.update"]
    assert caps[0] == 4_096
    assert "inf" not in caps


def test_a_cap_of_its_own_bounds_a_response() -> None:
    world = World(ENOUGH)
    world.client("response.create", response={"max_output_tokens": 7})
    [allowance] = world.talk._purse.responses.running.values()
    assert allowance.bound.output == 7
    world.provider("response.done", response={"id": "resp_1", "status": "cancelled", "usage": None})
    assert world.ledger.estimates
    assert not world.ledger.charged


def test_a_response_that_nobody_reserved_is_cancelled_and_written_down() -> None:
    world = World(ENOUGH)
    with pytest.raises(Over):
        world.begin()  # without a sound
    assert world.up[-1] == {"type": "response.cancel", "response_id": "resp_1"}
    world.provider("response.done", response={"id": "resp_1", "status": "cancelled", "usage": usage(5, 0, 0, 1)})
    assert (world.ledger.overdrawn, len(world.ledger.charged), world.ledger.open_) == (1, 1, set())


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"type": "session.update", "session": {"model": "gpt-5"}}, "keeps the model"),
        ({"type": "session.update", "session": {"type": "transcription"}}, "only conversations"),
        ({"type": "session.update", "session": {"new": 1}}, "does not know what it costs"),
        ({"type": "session.update", "session": {"max_output_tokens": 0}}, "whole number"),
        ({"type": "session.update", "session": {"audio": {"input": {"transcription": {}}}}}, "Name the model"),
        ({"type": "response.create", "response": {"tools": [{"type": "mcp"}]}}, "Send functions"),
        ({"type": "response.create", "response": {"prompt": {"id": "x"}}}, "stored prompt"),
        ({"type": "response.create", "response": {"input": [{"type": "mcp_call"}]}}, "only messages"),
        ({"type": "conversation.item.create", "item": {"type": "mcp_approval_response"}}, "only messages"),
        ({"type": "response.create", "stray": 1}, "not one that the gateway passes on"),
        ({"type": "transcription_session.update", "session": {}}, "not one that the gateway passes on"),
    ],
)
def test_what_is_not_passed_on(event: dict[str, Any], words: str) -> None:
    world = World(ENOUGH)
    said = list[str]()
    world.talk._complain = lambda error, _: said.append(error.message)
    before = len(world.up)
    world.client(**{"type_": event.pop("type"), **event})
    assert words in said[0]
    assert len(world.up) == before
    assert not world.ledger.open_


def test_what_is_passed_on_is_what_was_read() -> None:
    twice = b'{"type": "response.cancel", "response_id": "a", "response_id": "b"}'
    assert json.loads(written(read(twice))) == {"type": "response.cancel", "response_id": "b"}


def test_a_provider_that_takes_no_cap_or_transcribes_unasked_is_not_used() -> None:
    world = World(ENOUGH)
    with pytest.raises(UpstreamError):
        world.provider("error", error={"event_id": "event_atrium_cap"})
    heard = {"input": {"transcription": {"model": "whisper-1"}}}
    with pytest.raises(UpstreamError):
        world.provider("session.created", session={**CREATED, "audio": heard})


def test_usage_of_each_kind() -> None:
    told = usage_of(usage(100, 50, 7, 20, (60, 30)))
    assert told == Usage(
        150, 90, 0, 27, 0, {"input_audio_tokens": 20, "cached_audio_tokens": 30, "output_audio_tokens": 20}
    )
    assert usage_of(None) is None
    assert usage_of({"input_tokens": 0, "output_tokens": 0}) is None
    assert transcription_usage_of({"type": "duration", "seconds": 2.2}) == Usage(units={"seconds": 3})


@pytest.mark.parametrize(
    ("session", "automatic", "cap", "pcm"),
    [
        ({"turn_detection": None, "max_response_output_tokens": 9, "input_audio_format": "g711_ulaw"}, False, 9, False),
        ({"turn_detection": {"type": "server_vad", "create_response": False}, "max_output_tokens": "inf"}, False, 0, None),
        ({"audio": {"input": {"turn_detection": {"create_response": False, "idle_timeout_ms": 5}}}}, True, None, None),
        ({"audio": {"input": {"turn_detection": {"type": "semantic_vad"}, "format": {"type": "audio/pcmu"}}}}, True, None, False),
        ({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 24_000}}}}, None, None, True),
    ],
)  # fmt: skip
def test_settings_of_either_time(
    session: dict[str, Any], automatic: bool | None, cap: int | None, pcm: bool | None
) -> None:
    said = said_in(session, {})
    assert (said.automatic, said.cap, said.pcm_in) == (automatic, cap, pcm)


def test_until_settings_are_confirmed_the_dearer_count() -> None:
    known = Settings(4_096)
    known.confirmed(Said(automatic=True, cap=100))
    known.asked("a", Said(cap=7))
    known.asked("b", Said(automatic=False, cap=0))
    assert (known.cap, known.automatic) == (4_096, True)
    known.refused("b")
    assert known.cap == 100
    known.confirmed(Said(cap=7))
    assert (known.cap, known.automatic) == (7, True)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_output_tokens": 1, "max_response_output_tokens": 4096},
        {"audio": {"input": {"transcription": {"model": "a"}}}, "input_audio_transcription": {"model": "dear"}},
        {"audio": {"input": {"turn_detection": {"type": "server_vad"}}}, "turn_detection": {"type": "none"}},
    ],
)
def test_what_is_said_twice_is_refused_and_nothing_is_traced(settings: dict[str, Any]) -> None:
    with pytest.raises(GatewayError, match="said twice"):
        check_session(settings, frozenset(), "gpt-realtime")
    quiet: dict[str, Any] = {"tracing": "auto", "instructions": "Be kind."}
    check_session(quiet, frozenset(), "gpt-realtime")
    assert quiet == {"instructions": "Be kind."}


def test_an_item_is_named_once_for_an_answer() -> None:
    named = [{"type": "item_reference", "id": one} for one in ("item_1", "item_2")]
    check_response({"input": named})
    with pytest.raises(GatewayError, match="twice"):  # each time it is read it costs as much again
        check_response({"input": [*named, named[0]]})
