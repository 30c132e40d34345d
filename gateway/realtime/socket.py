"""One side of a session on the wire: WebSocket frames over an asyncio transport, with bounds and back-pressure.

The library `websockets` reads and writes the frames (its sans-I/O protocol); who owns the session takes whole messages out
of `inbox` when it is woken.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

from websockets.exceptions import InvalidState, ProtocolError
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import OPEN, Protocol

# Says nothing, whatever is set up: at its finest level the library logs heads, which hold keys.
QUIET = logging.Logger("websockets", level=logging.CRITICAL + 1)
INBOX_BYTES, INBOX_MESSAGES = 1 << 20, 256  # of whole messages; with more waiting, no more is read
MOST_WAITING = 8_192  # messages: more at once are so small that they only cost time
MOST_IDLE = 2_500  # frames a second that bring nothing
SLICE_BYTES = 8 << 10  # read at a time, so that a flood is noticed before it was read
MOST_UNREAD = 1_000
_CONTROLS = frozenset({Opcode.PING, Opcode.PONG})
LEAVES_WITHIN_S = 5.0  # from our close frame to the end of the connection
NORMAL, GOING_AWAY, BROKEN, UNREADABLE, POLICY, TOO_BIG, INTERNAL = 1000, 1001, 1002, 1003, 1008, 1009, 1011
NO_STATUS, ABNORMAL = 1005, 1006  # never on the wire


class Socket(asyncio.Protocol):
    """A connection, or what will be one. `wake` is called when something has come, has gone, or may be written again."""

    def __init__(self, protocol: Protocol, wake: Callable[[], None], hold: Callable[[int], bool]) -> None:
        """`hold` is told by how many bytes more or less are held here; it says whether that is still allowed."""
        self._protocol, self._wake, self._hold = protocol, wake, hold
        self._loop = asyncio.get_running_loop()
        self._most_partial = 2 * (protocol.max_message_size or 0) + (256 << 10)  # with frames around its pieces
        self._transport: asyncio.Transport | None = None
        self._pieces: list[bytes] = []  # of a message in several frames
        self._full = False  # the other side takes no more for now
        self._paused = False
        self._unread = 0  # control frames since then
        self._idle, self._idle_since = 0, 0.0  # frames that brought nothing within this second
        self._flooded = False  # with so many frames that no more are read
        self._partial = 0  # bytes of a message that is not whole yet
        self._waiting = 0  # bytes of whole ones
        self._deaf = False  # nobody takes messages any more
        self._goodbye: asyncio.TimerHandle | None = None
        self.inbox: deque[bytes] = deque()
        self.response: Response | None = None  # of the provider, to our request for a WebSocket
        self.trouble: tuple[int, str] | None = None  # the client breaks the rules: a close code, and why
        self.closed = False  # nothing will come any more
        self.draining = False  # whoever serves is about to stop
        self.heard_at = self.full_since = self._loop.time()
        self.lost: Callable[[], None] = lambda: None

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Read frames."""
        self.heard_at = self._loop.time()
        if self.closed or self._flooded:
            return
        self._partial += len(data)
        allowed = self._hold(len(data))
        for start in range(0, len(data), SLICE_BYTES):
            self._protocol.receive_data(data[start : start + SLICE_BYTES])
            self._take(self._protocol.events_received())
            if self._floods():
                break
        self.flush()
        if self.trouble is None and self._partial > self._most_partial:
            self.trouble = TOO_BIG, "a message is longer than the gateway takes"
        elif self.trouble is None and not allowed:
            self.trouble = POLICY, "the gateway holds as many bytes as it takes"
        if self._protocol.parser_exc is not None or self._protocol.handshake_exc is not None:
            self._broken()
        elif (self._waiting > INBOX_BYTES or len(self.inbox) > INBOX_MESSAGES) and not self._paused:
            self._paused = True
            self._reading(False)
        self._wake()

    def eof_received(self) -> bool:
        """Take the end of their half as the end of both."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note of the end."""
        if self._goodbye is not None:
            self._goodbye.cancel()
        self._transport = None
        self.closed = True
        self._hold(-self._partial)
        self._partial = 0
        self.lost()
        self._wake()

    def pause_writing(self) -> None:
        """Take nothing more for this side."""
        self._full, self.full_since = True, self._loop.time()

    def resume_writing(self) -> None:
        """Go on."""
        self._full, self._unread = False, 0
        self._wake()

    def shutdown(self) -> None:
        """The process is about to stop: uvicorn tells each of its connections."""
        self.draining = True
        self._wake()

    # What the session does.

    @property
    def writable(self) -> bool:
        """Whether more may be written."""
        return not self._full

    def stalled_s(self, now: float) -> float:
        """Return for how long the other side has taken nothing. `now`: the loop's time."""
        return now - self.full_since if self._full else 0.0

    @property
    def close_code(self) -> int:
        """The code with which the other side closed; ABNORMAL: it did not say goodbye."""
        received = self._protocol.close_rcvd
        return ABNORMAL if received is None else int(received.code)

    @property
    def close_reason(self) -> str:
        """Why the other side closed, in its words."""
        received = self._protocol.close_rcvd
        return "" if received is None else received.reason

    def take(self) -> bytes:
        """Return the next message; there must be one."""
        message = self.inbox.popleft()
        self._waiting -= len(message)
        self._hold(-len(message))
        if self._paused and self._waiting < INBOX_BYTES // 2 and len(self.inbox) < INBOX_MESSAGES // 2:
            self._paused = False
            self._reading(True)
        return message

    def send(self, message: bytes) -> None:
        """Send a text message, unless the connection is closing."""
        if self._protocol.state is OPEN:
            self._protocol.send_text(message)
            self.flush()

    def ping(self) -> None:
        """Ask whether somebody is there; any byte is an answer."""
        if self._protocol.state is OPEN:
            self._protocol.send_ping(b"")
            self.flush()

    def close(self, code: int, reason: str = "") -> None:
        """Say goodbye, and let the connection end within a few seconds. Idempotent."""
        if self._protocol.state is OPEN:
            try:
                self._protocol.send_close(code, _shortened(reason))
            except (ProtocolError, InvalidState):
                self._protocol.send_close(NORMAL)
            self.flush()
        self._leave()

    def forget(self) -> None:
        """Drop what nobody takes any more, and what comes from now on."""
        self._deaf = True
        self._hold(-self._waiting)
        self._waiting = 0
        self.inbox.clear()

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def flush(self) -> None:
        """Write what the protocol has for the other side; its empty piece is the end of our half."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        for piece in self._protocol.data_to_send():
            if piece:
                transport.write(piece)
            elif transport.can_write_eof():
                transport.write_eof()  # with bytes unread, closing would take our goodbye from the other side
                self._leave()
            else:
                transport.close()

    def _take(self, events: Sequence[object]) -> None:
        for event in events:
            if isinstance(event, Frame):
                self._frame(event)
            elif isinstance(event, Response):
                self.response = event
                self._whole(0)
            elif isinstance(event, Request):
                self._whole(0)

    def _frame(self, frame: Frame) -> None:
        opcode = frame.opcode
        self._idle += opcode in _CONTROLS or not frame.data
        if opcode in _CONTROLS:
            self._control()
        if opcode is Opcode.BINARY:
            self.trouble = UNREADABLE, "messages have to be texts"
        elif opcode is Opcode.TEXT and frame.fin:
            self._message(bytes(frame.data))
        elif opcode in (Opcode.TEXT, Opcode.CONT):
            if frame.data:
                self._pieces.append(bytes(frame.data))
            if frame.fin:
                pieces, self._pieces = self._pieces, []
                self._message(b"".join(pieces))
        elif opcode is Opcode.CLOSE:
            self.closed = True

    def _floods(self) -> bool:
        """Say whether the other side sends frames faster than anybody needs: then the connection ends."""
        if self.heard_at - self._idle_since > 1.0:
            self._idle, self._idle_since = 0, self.heard_at
        if self._idle > MOST_IDLE or len(self.inbox) > MOST_WAITING:
            self._flooded = True
            self.trouble = self.trouble or (POLICY, "it sends more at once than can be looked at")
        return self._flooded

    def _message(self, message: bytes) -> None:
        if self._deaf:
            self._whole(0)
            return
        self.inbox.append(message)
        self._waiting += len(message)
        self._whole(len(message))

    def _control(self) -> None:
        """Each ping makes us write: who does not read meanwhile may not send many."""
        if not self._pieces:
            self._whole(0)
        self._unread += self._full
        if self._unread > MOST_UNREAD:
            self.trouble = POLICY, "it asks again and again, and reads no answer"

    def _whole(self, size: int) -> None:
        """What has come is a message of `size` bytes: the rest was its frame."""
        self._hold(size - self._partial)
        self._partial = 0

    def _reading(self, on: bool) -> None:
        transport = self._transport
        if transport is not None and not transport.is_closing():
            if on:
                transport.resume_reading()
            else:
                transport.pause_reading()

    def _leave(self) -> None:
        if self._transport is not None and self._goodbye is None:
            self._reading(True)
            self._goodbye = self._loop.call_later(LEAVES_WITHIN_S, self.abort)

    def _broken(self) -> None:
        """The other side does not keep to the protocol, or sends too much at once."""
        self.closed = True
        sent = self._protocol.close_sent
        if self.trouble is None and sent is not None and self._protocol.close_rcvd is None:
            self.trouble = int(sent.code), sent.reason


def _shortened(reason: str) -> str:
    """Return as much of a reason as fits into a close frame: 123 bytes."""
    return reason.encode()[:123].decode(errors="ignore")
