"""One side of a session on the wire: messages come whole, nobody fills our memory, and who misbehaves is told why."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from websockets.client import ClientProtocol
from websockets.protocol import OPEN, SERVER, Protocol
from websockets.uri import parse_uri

from gateway.realtime.socket import INBOX_BYTES, QUIET, Socket


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.reading, self.closing = b"", True, False

    def write(self, data: Any) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closing

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.written += b"<eof>"

    def abort(self) -> None:
        self.closing = True


class World:
    """A server's socket, and the client at its other end. `held`: bytes that are held for it."""

    def __init__(self, most: int = 4 << 20) -> None:
        self.held = self.woken = 0
        self.wire = Wire()
        self.socket = Socket(Protocol(SERVER, state=OPEN, max_size=most, logger=QUIET), self.wake, self.hold)
        self.socket.connection_made(self.wire)
        self.client = ClientProtocol(parse_uri("ws://h/"), state=OPEN, max_size=None)

    def wake(self) -> None:
        self.woken += 1

    def hold(self, size: int) -> bool:
        self.held += size
        return True

    def send(self, *pieces: bytes, cut: int = 1 << 16) -> None:
        """Send a text message, in frames, as the network cuts them."""
        for number, piece in enumerate(pieces):
            last = number == len(pieces) - 1
            (self.client.send_text if number == 0 else self.client.send_continuation)(piece, last)
        self.flush(cut)

    def flush(self, cut: int = 1 << 16) -> None:
        data = b"".join(self.client.data_to_send())
        for start in range(0, len(data), cut):
            self.socket.data_received(data[start : start + cut])


def with_world(test: Callable[[World], None], **options: Any) -> None:
    async def run() -> None:
        world = World(**options)
        test(world)
        world.socket.forget()
        world.socket.connection_lost(None)
        assert world.held == 0

    asyncio.run(run())


def test_messages_come_whole_however_they_are_cut() -> None:
    def test(world: World) -> None:
        world.send(b'{"a": 1}', cut=1)
        world.send(b'{"a"', b": ", b"", b"2}", cut=3)
        assert [world.socket.take(), world.socket.take()] == [b'{"a": 1}', b'{"a": 2}']
        assert (world.held, world.socket.trouble, world.socket.closed) == (0, None, False)

    with_world(test)


def test_no_more_is_read_than_is_taken() -> None:
    def test(world: World) -> None:
        world.send(b"x" * INBOX_BYTES)
        assert world.wire.reading
        world.send(b"y")
        assert not world.wire.reading
        assert world.held == INBOX_BYTES + 1
        world.socket.take()
        assert world.wire.reading

    with_world(test)


def test_what_is_too_long_or_no_text_is_told() -> None:
    def too_long(world: World) -> None:
        world.send(b"x" * 2_000)
        assert world.socket.trouble is not None
        assert world.socket.trouble[0] == 1009
        assert world.socket.closed
        assert world.wire.written.endswith(b"<eof>")

    def binary(world: World) -> None:
        world.client.send_binary(b"x")
        world.flush()
        assert world.socket.trouble is not None
        assert world.socket.trouble[0] == 1003

    with_world(too_long, most=1_000)
    with_world(binary)


def test_who_pings_and_reads_nothing_is_given_up() -> None:
    def test(world: World) -> None:
        def ping(times: int) -> None:
            for _ in range(times):
                world.client.send_ping(b"")
            world.flush()

        ping(2_000)
        assert world.socket.trouble is None
        world.socket.pause_writing()
        ping(1_100)
        assert world.socket.trouble is not None
        assert world.socket.trouble[0] == 1008

    with_world(test)


def test_a_goodbye_is_said_once_and_kept_short() -> None:
    def test(world: World) -> None:
        world.socket.close(1008, "ö" * 200)
        world.socket.close(1000)
        world.client.receive_data(world.wire.written)
        assert world.client.close_rcvd is not None
        assert (world.client.close_rcvd.code, len(world.client.close_rcvd.reason)) == (1008, 61)
        world.flush()
        assert world.socket.closed
        assert world.socket.close_code == 1008

    with_world(test)


@pytest.mark.parametrize(
    ("frame", "most"),
    [(b"\x8a\x80" + bytes(4), 4_000), (b"\x00\x80" + bytes(4), 4_000), (b"\x81\x82" + bytes(4) + b"{}", 10_000)],
)
def test_a_flood_of_tiny_frames_is_not_read_to_its_end(frame: bytes, most: int) -> None:
    def test(world: World) -> None:
        if frame[0] == 0:
            world.socket.data_received(b"\x01\x80" + bytes(4))
        world.socket.data_received(frame * 50_000)
        assert world.socket.trouble == (1008, "it sends more at once than can be looked at")
        assert len(world.socket.inbox) < most
        world.socket.data_received(frame * 50_000)
        assert len(world.socket.inbox) < most

    with_world(test)
