"""Connections without sockets: a transport that notes what is done to it."""

import asyncio
import socket
from typing import Any

from gateway.http.connection import Connection


class FakeTransport(asyncio.Transport):
    """Takes what is written, and says whether it is open and read from."""

    def __init__(self, protocol: asyncio.Protocol | None = None) -> None:
        super().__init__()
        self.protocol = protocol
        self.written = b""
        self.aborted = False
        self.reading = True
        self.socket: socket.socket | None = None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.socket if name == "socket" else default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        """Close; the protocol hears of it a moment later, as it does from a real transport."""
        if not self.aborted:
            self.aborted = True
            if self.protocol is not None:
                asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


async def dial(connection: Connection) -> None:
    """Connect to nobody, in a moment."""
    await asyncio.sleep(0)
    connection.connection_made(FakeTransport(connection))
