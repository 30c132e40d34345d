"""A client that says exactly what it is told, and reads answers by the book."""

import contextlib
import json
import re
import socket
from dataclasses import dataclass
from typing import Any, Self

from tests.gateway.live import HELLO, LiveGateway

ANSWERS_WITHIN_S = 10.0


@dataclass(frozen=True)
class Answer:
    """One response, and what of the wire it took."""

    status: int
    headers: dict[str, str]
    body: bytes
    chunked: bool

    @property
    def code(self) -> str:
        """The stable code of an error."""
        return str(json.loads(self.body)["error"]["code"])

    @property
    def closes(self) -> bool:
        """Whether the server said that it closes the connection."""
        return self.headers.get("connection") == "close"


class Wire:
    """One connection. Use as a context manager."""

    def __init__(self, gateway: LiveGateway, receive_buffer: int = 0) -> None:
        self._socket = socket.socket()
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(ANSWERS_WITHIN_S)
        host, port = gateway.url.removeprefix("http://").split(":")
        self._socket.connect((host, int(port)))
        self._read = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> Self:
        """Send these bytes."""
        self._socket.sendall(data)
        return self

    def hang_up(self) -> None:
        """Close without another word, and with a reset for what comes in."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._socket.close()

    def some(self) -> bytes:
        """Return whatever comes next; nothing when the server closed."""
        if self._read:
            data, self._read = self._read, b""
            return data
        return self._socket.recv(65536)

    def answer(self, *, head_only: bool = False) -> Answer:
        """Return the next response. Raises ConnectionError when the server closes instead."""
        while True:
            head, lines = {}, self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")[:-2]
            status = int(lines[0].split()[1])
            for line in lines[1:]:
                name, _, value = line.partition(":")
                head[name.lower()] = value.strip()
            if status >= 200:
                break
        chunked = head.get("transfer-encoding") == "chunked"
        if head_only or status == 204:
            body = b""
        elif chunked:
            body = self._chunks()
        elif "content-length" in head:
            body = self._exactly(int(head["content-length"]))
        else:
            body = self.rest()
        return Answer(status, head, body, chunked)

    def rest(self) -> bytes:
        """Return everything until the server closes."""
        with contextlib.suppress(ConnectionResetError):
            while data := self._socket.recv(65536):
                self._read += data
        data, self._read = self._read, b""
        return data

    def closed(self) -> bool:
        """Wait until the server closes, and say whether it said nothing more before."""
        return self.rest() == b""

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self._until(b"\r\n"), 16):
            body += self._exactly(size)
            assert self._exactly(2) == b"\r\n"
        assert self._exactly(2) == b"\r\n"
        return body

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._read:
            self._more()
        data, self._read = re.split(re.escape(mark), self._read, maxsplit=1)
        return data + mark

    def _exactly(self, size: int) -> bytes:
        while len(self._read) < size:
            self._more()
        data, self._read = self._read[:size], self._read[size:]
        return data

    def _more(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError(f"the server closed after {self._read[-200:]!r}")
        self._read += data


def head(gateway: LiveGateway, method: str = "POST", path: str = "/v1/chat/completions", *lines: str) -> bytes:
    """Return a request's head with a valid key."""
    first = (f"{method} {path} HTTP/1.1", "host: x", f"authorization: Bearer {gateway.secret}", *lines)
    return "\r\n".join([*first, "", ""]).encode()


def chat(gateway: LiveGateway, *lines: str, **changes: Any) -> bytes:
    """Return a whole chat call."""
    body = json.dumps({"model": "chat-small", "messages": HELLO, **changes}).encode()
    return head(gateway, "POST", "/v1/chat/completions", f"content-length: {len(body)}", *lines) + body


def says(text: str) -> list[dict[str, str]]:
    """Return messages that say `text`."""
    return [{"role": "user", "content": text}]
