"""The fast lane: a connection that answers the gateway's paths itself, and hands all others on to ASGI.

It shares uvicorn's queue of requests, so that requests for the gateway and for the portal may follow each other on one
connection.
"""

from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.endpoints import handles
from gateway.errors import GatewayError, RequestError, UnavailableError
from gateway.front import wire
from gateway.front.connection import BoundedConnection
from gateway.front.exchange import Exchange

if TYPE_CHECKING:
    from gateway.realtime.socket import Socket

MAX_PIPELINED = 16


class FastLane(BoundedConnection):
    """One connection. Give this class to uvicorn as `http`."""

    _turn: Any = None  # the request that is being answered: an `Exchange`, or uvicorn's own kind

    def busy(self) -> bool:
        """See `BoundedConnection.busy`."""
        return self._turn is not None

    def fail_body(self, error: GatewayError) -> None:
        """See `BoundedConnection.fail_body`. A call of ours still gets an answer, from the pipeline."""
        cycle: Any = self.cycle
        if isinstance(cycle, Exchange):
            cycle.fail(error)
            self._try(cycle)
        else:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits for the client."""
        self._drop_waiting()
        turn, self._turn = self._turn, None
        if isinstance(turn, Exchange):
            turn.lost()
            turn = None
        self.cycle = turn
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        """Choose the lane. Raises GatewayError, which ends the connection, for a head that is not to be trusted."""
        parser = self.parser
        if parser.should_upgrade():
            self._offer = True
            return
        self._unheard = 0
        websocket, self._websocket = self._websocket, False
        version = parser.get_http_version()
        headers = self.checked_headers(version)
        if len(self.pipeline) >= MAX_PIPELINED:
            raise RequestError(f"More than {MAX_PIPELINED} requests wait on this connection. Wait for their answers.")
        try:
            path = self.root_path + wire.path_of(self.url)
        except (ValueError, httptools.HttpParserError):
            raise RequestError("The address of the request cannot be read. Check the URL.") from None
        self._in_body = True
        if self.gateway is None or not handles(path):
            self._hand_on()
            return
        exchange = Exchange(
            self,
            self.gateway,
            parser.get_method().decode(),
            path,
            self.url.partition(b"?")[2],
            headers,
            http_1_1=version == "1.1",
            keep_alive=version == "1.1" and parser.should_keep_alive(),
        )
        exchange.refusal = self._refusal()
        exchange.offers_websocket = websocket
        self.cycle = exchange  # type: ignore[assignment]
        if self._turn is None:
            self._take(exchange)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((exchange, self.app))  # type: ignore[arg-type]

    def on_body(self, body: bytes) -> None:
        """Pass on a piece of the body."""
        self._unheard = 0
        self._received += len(body)
        cycle: Any = self.cycle
        if not isinstance(cycle, Exchange):
            super().on_body(body)
        elif not cycle.response_complete:
            cycle.receive(body)
            self._try(cycle)

    def on_message_complete(self) -> None:
        """Begin to answer, at the latest now."""
        if self._offer:
            return
        self._receiving = self._in_body = False
        self._unheard = 0
        if self._turn is None:
            self.rest()  # it was answered before it was complete
        else:
            self._deadline.clear()
        cycle: Any = self.cycle
        if not isinstance(cycle, Exchange):
            super().on_message_complete()
        elif not cycle.response_complete:
            cycle.complete()
            self._try(cycle)

    def on_response_complete(self) -> None:
        """Go on with the next request of the connection, if there is one. uvicorn's own requests call this too."""
        self.server_state.total_requests += 1
        self._turn = None
        self.flow.resume_reading()
        if self.pipeline and not self.transport.is_closing():
            self._take(self.pipeline.pop()[0])
        else:
            self.rest()

    def hand_over(self, protocol: "Socket") -> None:
        """Let another protocol have the connection, for good. It counts as one of uvicorn's until it is closed."""
        self._drop_waiting()  # nobody will answer what was sent before its time
        self._deadline.stop()
        self._unset_keepalive_if_required()
        self._turn = None
        self._deaf = True
        self.flow.resume_reading()
        self.connections.discard(self)
        self.connections.add(protocol)  # type: ignore[arg-type]
        protocol.lost = lambda: self.connections.discard(protocol)
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)

    def ended(self, exchange: Exchange) -> None:
        """See to the connection after a response: it goes on, closes, or waits for a client that is still sending."""
        if exchange.more_body:
            self.leave()
        elif not exchange.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _drop_waiting(self) -> None:
        for waiting, _ in self.pipeline:
            if isinstance(waiting, Exchange):
                waiting.lost()
        self.pipeline.clear()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._turn = cycle
        super()._start_asgi_task(cycle, app)

    def _take(self, cycle: Any) -> None:
        if isinstance(cycle, Exchange):
            self._turn = cycle
            cycle.in_turn = True
            self._try(cycle)
        else:
            self._start_asgi_task(cycle, self.app)

    def _try(self, exchange: Exchange) -> None:
        """Serve a request as soon as enough of it is here and it is its turn."""
        if exchange.running or not (exchange.ready and exchange.in_turn) or self.gateway is None:
            return
        exchange.running = True
        if exchange.refusal is not None:
            exchange.answer(exchange.refusal)
        else:
            exchange.arrived = self.gateway.runtime.clock.monotonic()
            self.gateway.workers.start(exchange, self.loop)

    def _refusal(self) -> GatewayError | None:
        """Return why a call is refused before anything of it is looked at, if it is."""
        gateway = self.gateway
        if gateway is not None:
            try:
                gateway.runtime.admit(1)
                gateway.congestion.check(gateway.runtime.clock.monotonic())
            except UnavailableError as error:
                return error
        return None

    def _hand_on(self) -> None:
        """Let uvicorn begin this request as if it had read the head itself."""
        url, headers = self.url, self.headers
        HttpToolsProtocol.on_message_begin(self)
        self.url = url
        for name, value in headers:
            HttpToolsProtocol.on_header(self, name, value)
        HttpToolsProtocol.on_headers_complete(self)
