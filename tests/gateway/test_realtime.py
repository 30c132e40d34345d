"""Realtime sessions through a gateway: what passes, what is charged, and what ends a session."""

import asyncio
import base64
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from gateway.errors import CredentialError
from gateway.http.client import HttpUpstream
from gateway.realtime.held import usage_of
from gateway.snapshot import Price
from gateway.stages.meter import cost
from tests.factories import gateway as make
from tests.gateway.live import LiveGateway, until
from tests.upstream.realtime import SECOND, Behaviour, FakeRealtime

PRICE = Price(  # gpt-realtime's, USD per 1M: text 4 / 16, cached 0.40; sound 32 / 64
    "price_rt",
    0.0,
    input=4_000_000_000,
    output=16_000_000_000,
    cached_input=400_000_000,
    units={
        "input_audio_tokens": 32_000_000_000,
        "cached_audio_tokens": 400_000_000,
        "output_audio_tokens": 64_000_000_000,
    },
)
HEARING = Price(
    "price_tr", 0.0, input=2_500_000_000, output=10_000_000_000, units={"input_audio_tokens": 6_000_000_000}
)
QUIET = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}

Start = Callable[..., LiveGateway]


@pytest.fixture
def fake() -> Iterator[FakeRealtime]:
    with FakeRealtime() as running:
        yield running


@pytest.fixture
def start(fake: FakeRealtime) -> Iterator[Start]:
    with ExitStack() as stack:

        def start(**options: Any) -> LiveGateway:
            place = make.deployment(fake.url, upstream_model="gpt-realtime")
            talks = make.model(
                "talk", place, capabilities=frozenset({"realtime"}), context_tokens=32_000, prices=(PRICE,)
            )
            hears = make.model(
                "hear", replace(place, id="dep_2", upstream_model="gpt-4o-transcribe"),
                capabilities=frozenset({"transcription"}), prices=(HEARING,),
            )  # fmt: skip
            return stack.enter_context(LiveGateway(fake.url, models=(talks, hears), **options))

        yield start


class Client:
    """A session as a client holds it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def say(self, type_: str, **members: Any) -> None:
        self.socket.send(json.dumps({"type": type_, **members}))

    def hear(self, type_: str) -> dict[str, Any]:
        """Return the next event of a type; others are passed over, but an error is not."""
        while True:
            event: dict[str, Any] = json.loads(self.socket.recv(timeout=10))
            if event["type"] == type_:
                return event
            assert event["type"] != "error", event

    def closed(self) -> tuple[int, str]:
        """Read to the end; return code and reason of the close."""
        with pytest.raises(ConnectionClosed) as end:
            self._pass_over()
        assert end.value.rcvd is not None
        return end.value.rcvd.code, end.value.rcvd.reason

    def _pass_over(self) -> None:
        while True:
            self.socket.recv(timeout=10)


@pytest.fixture
def open_session() -> Iterator[Callable[..., Client]]:
    with ExitStack() as stack:

        def start(gateway: LiveGateway, model: str = "talk", **options: Any) -> Client:
            url = f"{gateway.url.replace('http', 'ws')}/v1/realtime?model={model}"
            options = {"additional_headers": {"authorization": f"Bearer {gateway.secret}"}, "proxy": None} | options
            return Client(stack.enter_context(connect(url, **options)))

        yield start


def check_books(gateway: LiveGateway, fake: FakeRealtime) -> None:
    """What was told was charged, each allowance closed once, and nothing is held."""
    until(lambda: len(gateway.journal.closed) == len(gateway.journal.opened))
    closed = {(one.request_id, one.attempt): one for one in gateway.journal.closed}
    assert len(closed) == len(gateway.journal.closed)
    charged = sorted(one.cost_nano_usd for one in closed.values() if one.cost_nano_usd and not one.estimated)
    assert charged == sorted(cost(found, PRICE) for told in fake.told if (found := usage_of(told)))
    for opened in gateway.journal.opened:
        assert closed[opened.request_id, opened.attempt].cost_nano_usd <= opened.bound_nano_usd
    snapshot = gateway.runtime.snapshot
    assert snapshot is not None
    for quotas in snapshot.quotas.values():
        assert all(gateway.money.held(quota.id) == 0 for quota in quotas if quota.metric == "usd")


def test_a_turn_in_text_and_a_turn_in_sound(
    start: Start, fake: FakeRealtime, open_session: Callable[..., Client]
) -> None:
    gateway = start(quotas=[make.quota("usd", "month", 10_000_000_000)])
    client = open_session(gateway)
    created = client.hear("session.created")
    assert created["session"]["model"] == "gpt-realtime"
    client.say("session.update", session={**QUIET, "model": "talk", "max_output_tokens": "inf"})
    assert client.hear("session.updated")["session"]["max_output_tokens"] == 4_096
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    client.say("conversation.item.create", item=item)
    client.say("response.create", response={"output_modalities": ["text"]})
    assert client.hear("response.output_text.delta")["delta"] == "Hello there."
    told = client.hear("response.done")["response"]["usage"]
    assert gateway.journal.closed[-1].input_tokens == told["input_tokens"]  # charged before the client sees the end
    client.say("input_audio_buffer.append", audio=SECOND)
    client.say("input_audio_buffer.commit")
    client.say("response.create")
    assert client.hear("response.output_audio.delta")["delta"] == SECOND
    client.hear("response.done")
    client.socket.close()
    until(lambda: gateway.idle and not gateway.connections)
    assert [event["type"] for event in fake.heard] == [
        "session.update", "session.update", "conversation.item.create", "response.create",
        "input_audio_buffer.append", "input_audio_buffer.commit", "response.create",
    ]  # fmt: skip
    assert fake.heard[0]["session"] == {"type": "realtime", "max_output_tokens": 4_096}
    assert fake.heard[1]["session"] == {**QUIET, "max_output_tokens": 4_096}
    assert fake.heard[2]["item"] == item
    assert fake.paths == ["/v1/realtime?model=gpt-realtime"]
    assert fake.heads[0]["authorization"] == f"Bearer {make.CREDENTIAL}"
    assert gateway.secret not in str(fake.heads)
    text, sound = gateway.journal.closed
    assert (text.status, text.units, sound.units) == (200, None, {"input_audio_tokens": 10, "output_audio_tokens": 20})
    until(lambda: fake.closes == [1000])
    check_books(gateway, fake)
    [line] = gateway.observed.lines
    assert (line.endpoint, line.status, line.attempts, line.output_tokens) == ("realtime", 200, 2, 28)
    assert line.cost_nano_usd == text.cost_nano_usd + sound.cost_nano_usd
    assert gateway.runtime.held_bytes == 0
    assert not gateway.runtime.sessions


def test_responses_that_begin_by_themselves_and_what_was_heard(
    start: Start, fake: FakeRealtime, open_session: Callable[..., Client]
) -> None:
    fake.behaviour = Behaviour(hears_s=2)
    gateway = start(quotas=[make.quota("usd", "month", 10_000_000_000), make.quota("concurrent", "total", 1)])
    client = open_session(gateway)
    client.hear("session.created")
    client.say("session.update", session={"type": "realtime", "audio": {"input": {"transcription": {"model": "hear"}}}})
    client.hear("session.updated")
    for _ in range(2):
        client.say("input_audio_buffer.append", audio=SECOND)
        client.say("input_audio_buffer.append", audio=SECOND)
        client.hear("conversation.item.input_audio_transcription.completed")
        client.hear("response.done")
    client.socket.close()
    until(lambda: gateway.idle)
    assert fake.heard[1]["session"]["audio"]["input"]["transcription"] == {"model": "gpt-4o-transcribe"}
    heard = [one for one in gateway.journal.opened if one.model_id == "mod_hear"]
    spoken = [one for one in gateway.journal.opened if one.model_id == "mod_talk"]
    assert (len(heard), len(spoken)) == (3, 3)  # two that were used, and one that stood by
    costs = {one.attempt: one for one in gateway.journal.closed}
    assert sorted(costs[one.attempt].cost_nano_usd for one in heard) == [0, 150_000, 150_000]  # 20 × 6 + 3 × 10 µUSD
    assert sorted(costs[one.attempt].cost_nano_usd for one in spoken)[0] == 0
    assert sum(one.cost_nano_usd for one in costs.values()) == 300_000 + sum(
        cost(found, PRICE) for told in fake.told if (found := usage_of(told))
    )
    quota = make.quota("usd", "month", 0)
    assert gateway.money.held(quota.id) == 0
    assert gateway.money.spent(quota.id) == sum(one.cost_nano_usd for one in costs.values())


def test_without_budget_nothing_is_asked_for(
    start: Start, fake: FakeRealtime, open_session: Callable[..., Client]
) -> None:
    gateway = start(quotas=[make.quota("usd", "month", 1_000)])
    client = open_session(gateway)
    client.hear("session.created")
    client.say("response.create", event_id="mine")
    error = json.loads(client.socket.recv(timeout=10))["error"]
    assert (error["code"], error["event_id"], error["type"]) == ("budget_exhausted", "mine", "insufficient_quota")
    assert error["portal_url"].startswith(make.PORTAL)
    client.say("session.update", session={"instructions": "Go on."})  # the session does
    client.hear("session.updated")
    client.say("input_audio_buffer.append", audio=SECOND)  # which may make the provider speak
    assert client.closed() == (1008, "budget_exhausted")
    assert {event["type"] for event in fake.heard} == {"session.update"}
    until(lambda: gateway.idle)
    assert gateway.journal.records == []


@pytest.mark.parametrize(("how", "code", "status"), [("dies", 1011, 502), ("stop", 1008, 403), ("revoke", 1008, 401)])
def test_a_session_that_is_cut_midway(
    start: Start, fake: FakeRealtime, open_session: Callable[..., Client], how: str, code: int, status: int
) -> None:
    """The provider dies, somebody uses the kill switch, or the key is revoked: what came is charged, as told where it is."""
    fake.behaviour = Behaviour(dies=how == "dies", hangs=how != "dies")
    gateway = start()
    client = open_session(gateway)
    client.say("response.create")
    client.hear("response.output_audio.delta")
    began = time.monotonic()
    snapshot, [call] = gateway.runtime.snapshot, gateway.runtime.in_flight.values() if how != "dies" else [None]
    assert snapshot is not None
    if how == "stop":
        gateway.configure(replace(snapshot, stops={("model", "mod_talk"): "It leaks."}))
    elif call is not None and gateway.loop is not None:  # as `gateway.control.cut` does once the feed names the key
        gateway.loop.call_soon_threadsafe(call.watch.end, CredentialError("It was revoked.", code="revoked_key"))
    assert client.closed()[0] == code
    assert time.monotonic() - began < 5
    until(lambda: gateway.idle)
    [closed] = gateway.journal.closed
    assert closed.status == gateway.observed.lines[-1].status == status
    assert closed.estimated == (how == "dies")
    if how == "dies":
        assert closed.units is not None
        assert closed.units["output_audio_tokens"] == 20  # the second that came
    else:
        assert closed.output_tokens == 5  # told once it was cancelled


def test_refused_before_the_connection_is_a_websocket(
    start: Start, fake: FakeRealtime, open_session: Callable[..., Client]
) -> None:
    gateway = start()
    for options, model, status, error_code in (
        ({"additional_headers": {}}, "talk", 401, "missing_key"),
        ({}, "none", 404, "model_not_found"),
        ({}, "hear", 403, "endpoint_not_supported"),
        ({}, "talk&intent=transcription", 400, "unsupported_parameter"),
    ):
        with pytest.raises(InvalidStatus) as refused:
            open_session(gateway, model, **options)
        assert refused.value.response.status_code == status
        assert json.loads(refused.value.response.body or b"")["error"]["code"] == error_code
    plain = gateway.client.get("/v1/realtime?model=talk")
    assert (plain.status_code, plain.headers["upgrade"]) == (426, "websocket")
    secrets: httpx.Response = gateway.client.post("/v1/realtime/client_secrets", json={})
    assert secrets.status_code == 404
    assert "client secrets lead past this gateway" in secrets.json()["error"]["message"]
    assert fake.heads == []


def test_browsers_bounds_and_rules(start: Start, fake: FakeRealtime, open_session: Callable[..., Client]) -> None:
    gateway = start()
    gateway.runtime.limits = replace(gateway.runtime.limits, max_event_bytes=300_000)
    client = open_session(
        gateway,
        additional_headers={},
        subprotocols=["realtime", f"openai-insecure-api-key.{gateway.secret}"],
    )
    assert client.socket.subprotocol == "realtime"
    client.hear("session.created")
    for event, word in (
        ({"type": "response.invent"}, "not one that the gateway passes on"),
        ({"type": "session.update", "session": {"model": "gpt-5"}}, "keeps the model"),
        (
            {"type": "session.update", "session": {"tools": [{"type": "mcp", "server_url": "https://x"}]}},
            "Send functions",
        ),
        ({"type": "session.update", "session": {"prompt": {"id": "pmpt_1"}}}, "stored prompt"),
        ({"type": "response.create", "response": {"metadata": {"fake": "refuse"}}}, "no: [credential]"),
        ([], "JSON object"),
    ):
        client.socket.send(json.dumps(event))
        told = json.loads(client.socket.recv(timeout=10))
        assert told["type"] == "error"
        assert word in told["error"]["message"]
    client.say("input_audio_buffer.append", audio=base64.b64encode(bytes(300_000)).decode())
    assert client.closed()[0] == 1009
    until(lambda: gateway.idle)
    assert [event["type"] for event in fake.heard] == ["session.update", "response.create"]
    assert gateway.secret not in str(fake.heads) + str(gateway.observed.lines)
    assert [one.cost_nano_usd for one in gateway.journal.closed] == [0]
    until(lambda: gateway.runtime.held_bytes == 0)


def test_one_key_does_not_take_all_sessions(
    start: Start, fake: FakeRealtime, open_session: Callable[..., Client]
) -> None:
    gateway = start()
    gateway.runtime.limits = replace(gateway.runtime.limits, max_sessions=4)
    first = open_session(gateway)
    with pytest.raises(InvalidStatus) as refused:
        open_session(gateway)
    assert refused.value.response.status_code == 503
    first.socket.close()
    until(lambda: not gateway.runtime.sessions)
    open_session(gateway).hear("session.created")


def test_a_process_that_stops_says_goodbye(
    start: Start, fake: FakeRealtime, open_session: Callable[..., Client]
) -> None:
    gateway = start()
    client = open_session(gateway)
    client.hear("session.created")
    gateway._server.should_exit = True
    assert client.closed() == (1001, "shutting_down")
    until(lambda: not gateway._thread.is_alive())


def test_what_was_sent_before_the_handshake_is_let_go_of(
    start: Start, fake: FakeRealtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request on the same connection that nobody will answer must not count as held for ever."""
    gateway, connect_ = start(), HttpUpstream.connect

    async def slowly(*given: Any) -> None:
        await asyncio.sleep(0.3)
        await connect_(*given)

    monkeypatch.setattr(HttpUpstream, "connect", slowly)
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        head = f"GET /v1/realtime?model=talk HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.secret}\r\n"
        offer = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        raw.sendall((head + offer + "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n").encode())
        time.sleep(0.1)
        raw.sendall(b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n" + bytes(50_000))
        until(lambda: gateway.runtime.held_bytes)
        assert raw.recv(100).startswith(b"HTTP/1.1 101")
    until(lambda: gateway.idle and not gateway.runtime.held_bytes)


def test_a_key_that_is_narrowed_is_narrowed_within_a_session(
    start: Start, fake: FakeRealtime, open_session: Callable[..., Client]
) -> None:
    gateway = start()
    client = open_session(gateway)
    client.hear("session.created")
    gateway.keys.add(make.key_entry(model_ids=frozenset({"mod_other"})), gateway.secret)
    assert gateway.loop is not None
    gateway.loop.call_soon_threadsafe(gateway.runtime.key_ring.evict, "key", "key_1", 8)
    gateway.keys.revision = 8
    client.say("response.create", event_id="mine")
    error = json.loads(client.socket.recv(timeout=10))["error"]
    assert (error["code"], error["event_id"]) == ("model_not_allowed", "mine")
