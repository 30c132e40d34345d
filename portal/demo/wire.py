"""The engine's side of the wire: ASGI messages in and out, errors as OpenAI words them."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gateway.dialects.multipart import Form
from gateway.errors import RequestError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_BODY = 32 << 20
_TYPES = {
    400: "invalid_request_error", 401: "invalid_request_error", 403: "invalid_request_error",
    404: "invalid_request_error", 405: "invalid_request_error", 413: "invalid_request_error", 429: "requests",
}  # fmt: skip
_LABEL = (b"x-demo-engine", b"no model was called")


class ApiError(Exception):
    """An error answer in OpenAI's format."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code

    def body(self) -> dict[str, Any]:
        """Return the error as it is sent."""
        kind = _TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


class ClientGoneError(Exception):
    """Nobody listens any more."""


class Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self._headers = {bytes(name): bytes(value) for name, value in scope["headers"]}
        self._receive, self._send = receive, send
        self._gone: asyncio.Task[None] | None = None

    def header(self, name: str) -> str:
        """Return a request header, or an empty string."""
        return self._headers.get(name.encode(), b"").decode("latin-1")

    async def read_fields(self) -> dict[str, Any]:
        """Return the request's body as an object, or the plain fields of a form. Raises ApiError."""
        kind = self._headers.get(b"content-type", b"")
        if not kind.startswith(b"multipart/"):
            return await self.read_json()
        try:
            form = Form(await self.read_body(), kind)
            return {part.name: form.value(part.name) for part in form.parts if part.file_name is None}
        except RequestError as error:
            raise ApiError(400, error.message, param=error.param) from None

    async def read_form(self) -> Form:
        """Return the request's body as a form. Raises RequestError."""
        return Form(await self.read_body(), self._headers.get(b"content-type", b""))

    async def read_json(self) -> dict[str, Any]:
        """Return the request's body as an object. Raises ApiError."""
        try:
            value = json.loads(await self.read_body())
        except ValueError:
            raise ApiError(400, "The body of your request is no valid JSON.") from None
        if not isinstance(value, dict):
            raise ApiError(400, "The body of your request is no JSON object.")
        return value

    async def read_body(self) -> bytes:
        """Return the request's body. Raises ApiError."""
        body = bytearray()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            body += message.get("body", b"")
            if len(body) > MAX_BODY:
                raise ApiError(413, f"The request is longer than {MAX_BODY} bytes.")
            if not message.get("more_body"):
                return bytes(body)

    async def pause(self, seconds: float) -> None:
        """Wait; raises ClientGoneError when the client goes away meanwhile."""
        if self._gone is None:
            self._gone = asyncio.create_task(self._disconnected())
        await asyncio.wait({self._gone}, timeout=seconds)
        if self._gone.done():
            raise ClientGoneError

    async def start(self, status: int, content_type: str, *headers: tuple[bytes, bytes]) -> None:
        """Send the head."""
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", content_type.encode()), _LABEL, *headers],
            }
        )

    async def write(self, data: bytes, more: bool = True) -> None:
        """Send a piece of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def send_json(self, status: int, value: Any, *headers: tuple[bytes, bytes]) -> None:
        """Send a whole answer."""
        body = json.dumps(value, ensure_ascii=False).encode()
        await self.start(status, "application/json", (b"content-length", str(len(body)).encode()), *headers)
        await self.write(body, more=False)

    def close(self) -> None:
        """Stop watching for the client to go."""
        if self._gone is not None:
            self._gone.cancel()

    async def _disconnected(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
