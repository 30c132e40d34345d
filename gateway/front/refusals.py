"""Refusals at the door, made once for each reason: who is overloaded must not work for those it cannot serve."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, cast

from msgspec.structs import replace

from gateway.arrival import arrive, client_name
from gateway.dialects.error_bodies import error_body
from gateway.endpoints import dialect_of
from gateway.errors import GatewayError
from gateway.headers import error_headers
from gateway.ids import new_id
from gateway.runtime import Runtime
from gateway.stages.record import line_of
from gateway.types import CallLine, Client, Headers
from gateway.watch import Watch

NO_HEADERS: Mapping[bytes, bytes] = MappingProxyType({})
REASONS_KEPT = 256


class _Unwatched:
    """Stands for the `Watch` of a call that never waits."""

    waited_s = 0.0


class _Refusal(NamedTuple):
    headers: Headers  # but for the request id
    body: list[bytes]  # around the request id
    line: CallLine


class Refusals:
    """Answers for one process. Each is noted as that of any other call."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._made: dict[tuple[str, str, str, str], _Refusal] = {}

    def answer(
        self, error: GatewayError, method: str = "", path: str = "", headers: Mapping[bytes, bytes] = NO_HEADERS
    ) -> tuple[Headers, bytes]:
        """Return headers and body of the answer to a request of which no call is made."""
        reason = (error.message, method, path, dialect_of(path, headers))
        made = self._made.get(reason)
        if made is None:
            if len(self._made) >= REASONS_KEPT:
                self._made.clear()
            made = self._made[reason] = self._make(error, method, path, headers)
        request_id = new_id("req")
        client = client_name(headers.get(b"user-agent", b"")[:256])
        at_ms = int(self._runtime.clock.now() * 1000)
        self._runtime.observer.call_ended(replace(made.line, at_ms=at_ms, request_id=request_id, client=client))
        shown = request_id.encode()
        return [(b"x-request-id", shown), *made.headers], shown.join(made.body)

    def _make(self, error: GatewayError, method: str, path: str, headers: Mapping[bytes, bytes]) -> _Refusal:
        runtime = self._runtime
        nobody, unwatched = cast(Client, None), cast(Watch, _Unwatched)  # the front itself answers
        call, _ = arrive(nobody, unwatched, method, path, headers, runtime, runtime.clock.monotonic())
        call.error = error
        shown = [pair for pair in error_headers(call, error, runtime) if pair[0] != b"x-request-id"]
        body = error_body(error, call.endpoint.dialect, call.request_id, "")
        return _Refusal(shown, body.split(call.request_id.encode()), line_of(call, runtime))
