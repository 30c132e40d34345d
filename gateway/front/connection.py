"""A connection with a bound for everything that its client may do: how much it sends, how slowly, how it leaves."""

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from gateway.arrival import headers_of
from gateway.errors import GatewayError, RequestError, SlowRequestError, UnavailableError
from gateway.front import wire
from gateway.front.deadline import Deadline
from gateway.runtime import Limits
from gateway.types import Headers

if TYPE_CHECKING:
    from gateway.asgi import GatewayApp

LEAVES_WITHIN_S = 5.0  # who was answered before all was sent may take so long to notice
SLOW_LEAVES_WITHIN_S = 1.0  # who had time enough already
VERSIONS = ("1.1", "1.0")


class BoundedConnection(HttpToolsProtocol, ABC):
    """uvicorn's protocol, which has no deadline for what it receives. The application says which gateway it holds."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.gateway = gateway_of(config.loaded_app)
        self._limits = self.gateway.runtime.limits if self.gateway is not None else Limits()
        self._deadline = Deadline(self.loop, self._late)
        self._receiving = False  # a request has begun and is not complete
        self._in_body = False
        self._began = 0.0  # loop's time of the request's first byte
        self._received = 0  # bytes of its body
        self._unheard = 0  # bytes since the parser last had something for us
        self._suspect = False  # the head may be longer than allowed
        self._offer = False  # of another protocol than HTTP/1.1
        self._websocket = False  # that protocol is WebSocket, and nothing was said in it yet
        self._deaf = False  # nothing more is read
        self._slow = False  # given up because it did not get on
        self._leaving = False  # answered, and closed as soon as the client has noticed
        self._fault: GatewayError | None = None  # to be answered after what came before
        self._unread = 0  # bytes that the client had not taken when we last looked
        self._preamble: tuple[Headers, bytes] = ([], b"")

    @abstractmethod
    def busy(self) -> bool:
        """Say whether a request is being answered, or waits for its turn."""

    @abstractmethod
    def fail_body(self, error: GatewayError) -> None:
        """End the request whose body is not to be had."""

    # What the transport tells.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, or turn away who is one too many."""
        super().connection_made(transport)
        most = self._limits.max_connections
        if len(self.connections) <= most:
            self._deadline.within(self._limits.head_s)
        elif len(self.connections) <= most + most // 8 + 1:
            self._reject(_full(most))
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go."""
        self._deaf = True
        self._deadline.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and see to it that the request gets on."""
        if self._deaf:
            return
        most = self._limits.max_head_bytes
        self._unheard += len(data)
        self._suspect = self._unheard > most
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            known = error.__context__
            self._fail(known if isinstance(known, GatewayError) else _not_http())
            return
        if self._unheard > most:
            self._fail(_too_long("head", most))
        elif self._receiving:
            self._deadline.at(self._due())

    def shutdown(self) -> None:
        """Close, at once or when what is being answered has been."""
        super().shutdown()
        if self.transport.is_closing():
            self._deadline.within(self._limits.write_timeout_s)

    # What the parser tells.

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.url, self.headers = b"", []
        self._receiving, self._in_body, self._received = True, False, 0
        self._began = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header. Trailers are not kept: nothing that matters is ever said there."""
        if not self._in_body:
            self.headers.append((name.lower(), value))

    def checked_headers(self, version: str) -> dict[bytes, bytes]:
        """Return the request's headers by their names. Raises RequestError for a head that is not to be trusted."""
        limits = self._limits
        if self._suspect and sum(len(name) + len(value) for name, value in self.headers) > limits.max_head_bytes:
            raise _too_long("head", limits.max_head_bytes)
        if len(self.headers) > limits.max_headers:
            raise RequestError(
                f"The request has more than {limits.max_headers} headers. Send fewer.",
                code="headers_too_large",
                status=431,
            )
        if len(self.url) > limits.max_target_bytes:
            raise RequestError(
                f"The address is longer than {limits.max_target_bytes} bytes.", code="uri_too_long", status=414
            )
        if version not in VERSIONS:
            raise RequestError("This is not HTTP/1.1 or HTTP/1.0.", code="version_not_supported", status=505)
        headers = headers_of(self.headers)
        coding = headers.get(b"transfer-encoding")
        if coding is not None and (version != "1.1" or coding.lower() != b"chunked"):
            raise RequestError("The transfer encoding is not one that is understood. Send content-length or chunked.")
        return headers

    # Ends.

    def rest(self) -> None:
        """See to a connection on which nothing is being answered (any more)."""
        if self.transport.is_closing():
            self._deadline.within(self._limits.write_timeout_s)
        elif self._fault is not None:
            self._reject(self._fault)
        elif not self._receiving:
            self._deadline.within(self._limits.keep_alive_s)

    def leave(self) -> None:
        """Close once the client has noticed its answer: closing with bytes unread would take the answer from it."""
        self._deaf = self._leaving = True
        if self.transport.is_closing():
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self._deadline.within(SLOW_LEAVES_WITHIN_S if self._slow else LEAVES_WITHIN_S)

    def _due(self) -> float:
        """Return when the request that is being received is late, in the loop's time."""
        limits = self._limits
        if not self._in_body:
            return self._began + limits.head_s
        slowest = self._began + limits.head_s + self._received / limits.body_min_bytes_s
        return min(self.loop.time() + limits.body_idle_s, slowest, self._began + limits.body_s)

    def _late(self) -> None:
        if not self._receiving or self._leaving or self.transport.is_closing():
            self._out()
        elif self.flow.read_paused:
            self._began = self.loop.time()  # it is we who do not read
            self._deadline.within(self._limits.body_idle_s)
        else:
            self._slow = True
            self._fail(SlowRequestError("The request did not arrive in time. Check the connection and send it again."))

    def _out(self) -> None:
        """Close an idle connection, unless the client is still taking what it was sent."""
        unread = self.transport.get_write_buffer_size()
        if unread and unread != self._unread and not self._leaving:
            self._unread = unread
            self._deadline.within(self._limits.write_timeout_s)
        else:
            self.transport.abort()

    def _fail(self, error: GatewayError) -> None:
        """Hear nothing more; answer `error` when it is its turn, and close."""
        self._deaf = True
        if self._in_body:
            self.fail_body(error)
        elif self.busy():
            self._fault = error
        else:
            self._reject(error)

    def _reject(self, error: GatewayError) -> None:
        """Answer what no call can be made of."""
        headers: Headers = [(b"content-type", b"text/plain; charset=utf-8")]
        body = error.message.encode()
        if self.gateway is not None:
            headers, body = self.gateway.refusals.answer(error)
        framing = b"content-length: %d\r\n" % len(body) + wire.CLOSE
        self.transport.write(wire.head(error.status, self.preamble(), headers, framing) + body)
        self.leave()

    def _decline(self, rest: bytes) -> None:
        """Answer the offer of another protocol in HTTP/1.1 (RFC 9110, 7.8): read the same head again, without it."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._fail(RequestError("This is not a proxy: it does not know CONNECT."))
            return
        self._offer = False
        kind = next((value for name, value in self.headers if name == b"upgrade"), b"")
        self._websocket = method == b"GET" and not rest and kind.strip().lower() == b"websocket"
        lines = [b"%b %b HTTP/1.1" % (method, self.url)]
        for name, value in self.headers:
            if name == b"connection" and b"close" in value.lower():
                lines.append(b"connection: close")
            elif name not in {b"connection", b"upgrade", b"http2-settings"}:
                lines.append(b"%b: %b" % (name, value))
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(b"\r\n".join([*lines, b"", rest]))

    def preamble(self) -> bytes:
        """Return the header lines of every response, such as the date. The server renews them once a second."""
        default = self.server_state.default_headers
        if default is not self._preamble[0]:
            self._preamble = default, b"".join([b"%b: %b\r\n" % pair for pair in default])
        return self._preamble[1]


def gateway_of(app: Any) -> "GatewayApp | None":
    """Return the gateway that an application holds, behind whatever middleware of uvicorn's."""
    while not hasattr(app, "gateway"):
        if not hasattr(app, "app"):
            return None
        app = app.app
    gateway: GatewayApp | None = app.gateway
    return gateway


def _not_http() -> RequestError:
    return RequestError("This is not a valid HTTP request. Check the client, and proxies in between.")


def _too_long(what: str, most: int) -> RequestError:
    return RequestError(
        f"The {what} of the request is longer than {most >> 10} KiB. Send less in headers.",
        code="headers_too_large",
        status=431,
    )


def _full(most: int) -> UnavailableError:
    return UnavailableError(
        f"This gateway process has {most} connections open, the most it takes. Try again shortly.",
        code="overloaded",
        retry_after_s=1,
    )
