"""From the head of a request to a served call: what every front shares."""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from gateway.endpoints import REALTIME, UNKNOWN, Endpoint, allowed, dialect_of, resolve
from gateway.errors import GatewayError, RequestError
from gateway.ids import new_id
from gateway.pipeline import handle, refuse
from gateway.runtime import Runtime
from gateway.stages.record import line_of
from gateway.types import Call, Client
from gateway.watch import Watch

# Twice one of these means that we and a proxy in front of us may read the request differently.
_SINGLE = frozenset(
    {b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"host", b"content-length", b"transfer-encoding"}
    | {b"content-type", b"content-encoding", b"expect"}
)
_NOT_SHOWN = re.compile(r"[^A-Za-z0-9._/-]+")
_PATHS_WITH_KEY = ("/v1beta", "/v1/models", "/v1/projects/", "/v1/publishers/")
_KEY_PROTOCOL = b"openai-insecure-api-key."
CLIENT_NAME_LENGTH = 64


def headers_of(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return headers by their names, which are in lower case. Raises RequestError when one that decides stands twice."""
    pairs = list(pairs)
    headers = dict(pairs)
    if len(headers) != len(pairs):
        seen = set[bytes]()
        for name, _ in pairs:
            if name in seen and name in _SINGLE:
                raise RequestError(f"The header {name.decode('latin-1')} stands twice in the request. Send it once.")
            seen.add(name)
    return headers


async def serve(
    client: Client,
    method: str,
    path: str,
    headers: Mapping[bytes, bytes],
    runtime: Runtime,
    arrived: float,
    query: bytes = b"",
) -> None:
    """Serve one request in the current task. `arrived`: monotonic seconds at which it could have begun."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a call is served by a task")
    watch = Watch(task, runtime.clock.monotonic, client.gone, runtime.limits.disconnect_after_s)
    call, error = arrive(client, watch, method, path, headers, runtime, arrived, query)
    if error is not None:
        await _refuse(call, error, runtime)
        return
    if method == "OPTIONS":
        await client.respond(204, [(b"allow", ", ".join(allowed(call.endpoint)).encode())], b"")
        return
    runtime.in_flight[task] = call
    try:
        await handle(call, runtime)
    finally:
        del runtime.in_flight[task]


def arrive(
    client: Client,
    watch: Watch,
    method: str,
    path: str,
    headers: Mapping[bytes, bytes],
    runtime: Runtime,
    arrived: float,
    query: bytes = b"",
) -> tuple[Call, GatewayError | None]:
    """Return the call that a head begins, and why it ends at once, if it does. `query` is used here and kept nowhere."""
    if query:
        headers = with_query_key(path, headers, query)
    if path == REALTIME.path:
        headers = with_protocol_key(headers)
    endpoint, target, error = _resolve(method, path, headers, query)
    call = Call(
        request_id=new_id("req"),
        endpoint=endpoint,
        target=target,
        method=method,
        headers=headers,
        client=client,
        watch=watch,
        at=runtime.clock.now(),
        started=arrived,
        client_name=client_name(headers.get(b"user-agent", b"")[:256]),
    )
    return call, error


async def _refuse(call: Call, error: GatewayError, runtime: Runtime) -> None:
    call.error = error
    if runtime.snapshot is not None:
        call.portal_url = runtime.snapshot.portal_url
    try:
        await refuse(call, error, runtime)
    finally:
        call.watch.stop()
        runtime.observer.call_ended(line_of(call, runtime))


def with_query_key(path: str, headers: Mapping[bytes, bytes], query: bytes) -> Mapping[bytes, bytes]:
    """Return the headers with the key that Google's clients may send as `?key=`, on their paths. A header goes before it."""
    given = next((item[4:] for item in query.split(b"&") if item.startswith(b"key=")), b"")
    if not given or b"x-goog-api-key" in headers or not path.startswith(_PATHS_WITH_KEY):
        return headers
    return {**headers, b"x-goog-api-key": unquote_to_bytes(given)}


def with_protocol_key(headers: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
    """Return the headers with what browsers can say as subprotocols alone: the key, and which API they mean.

    Source: "Realtime API with WebSocket", developers.openai.com/api/docs/guides/realtime-websocket.
    """
    given = [one.strip() for one in headers.get(b"sec-websocket-protocol", b"").split(b",")]
    found = dict(headers)
    for one in given:
        if one.startswith(_KEY_PROTOCOL):
            found.setdefault(b"authorization", b"Bearer " + one.removeprefix(_KEY_PROTOCOL))
        elif one == b"openai-beta.realtime-v1":
            found.setdefault(b"openai-beta", b"realtime=v1")
    if b"sec-websocket-protocol" in found:
        found[b"sec-websocket-protocol"] = b"realtime" if b"realtime" in given else b""
    return found


def _resolve(
    method: str, path: str, headers: Mapping[bytes, bytes], query: bytes
) -> tuple[Endpoint, str, GatewayError | None]:
    try:
        endpoint, target = resolve(method, path, headers, query)
        return endpoint, query.decode("latin-1") if endpoint is REALTIME else target, None
    except GatewayError as error:
        return replace(UNKNOWN, dialect=dialect_of(path, headers)), "", error


@lru_cache(maxsize=512)
def client_name(user_agent: bytes) -> str:
    """Return product and version of a user agent: `OpenAI/Python/3.52.0`, `curl/8.5.0`, `Mozilla/5.0`."""
    plain = user_agent.decode("latin-1").partition("(")[0].split()
    return _NOT_SHOWN.sub("", "/".join(plain[:2]))[:CLIENT_NAME_LENGTH]
