"""Whatever bytes come, the server neither breaks nor hangs, and serves the next connection."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.runtime import Limits
from tests.gateway.front.wire import Wire, head
from tests.gateway.live import LiveGateway, until
from tests.upstream import FakeUpstream

LINES = (
    b"host: x",
    b"content-length: 5",
    b"transfer-encoding: chunked",
    b"expect: 100-continue",
    b"connection: close",
    b"connection: upgrade\r\nupgrade: h2c",
    b"5\r\nhello\r\n0\r\n",
)
STARTS = (b"GET ", b"POST ", b"CONNECT ", b"/v1/models", b"/v1/chat/completions", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n")
BITS = (b"\r\n", b"\r", b"\n", b": ", b"\x00", b"1", b"content-length: ", b"{}")
WORDS = st.sampled_from((*STARTS, *BITS, *(line + b"\r\n" for line in LINES)))
PIECES = st.lists(st.one_of(WORDS, WORDS, st.binary(max_size=40)), min_size=1, max_size=12)
SOON = Limits(head_s=0.05, body_idle_s=0.05, keep_alive_s=0.05, write_timeout_s=0.1)


@pytest.fixture(scope="module")
def open_gateway() -> Iterator[LiveGateway]:
    """One gateway for all examples, with deadlines that soon end whatever hangs."""
    with FakeUpstream() as upstream, LiveGateway(upstream.url, limits=SOON) as started:
        yield started


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=PIECES, split=st.booleans())
def test_random_bytes(open_gateway: LiveGateway, pieces: list[bytes], split: bool) -> None:
    gateway = open_gateway
    with Wire(gateway) as wire:
        try:
            for piece in pieces if split else [b"".join(pieces)]:
                wire.send(piece)
            said = wire.rest()  # ends because the server closes
        except ConnectionError:
            said = b""
    assert said == b"" or said.startswith(b"HTTP/1.1 ")
    assert b"internal_error" not in said
    with Wire(gateway) as wire:
        assert wire.send(head(gateway, "GET", "/v1/models")).answer().status == 200
    until(lambda: gateway.idle and not gateway.connections)
