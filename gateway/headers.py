"""The headers of our answers: what the contract promises, and the few of a provider's that are passed on."""

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote

from gateway.errors import GatewayError
from gateway.money import format_usd
from gateway.quotas.slices import Slice
from gateway.runtime import Runtime
from gateway.snapshot import Metric
from gateway.types import Attempt, Call, Headers

JSON = (b"content-type", b"application/json")
NO_STORE = (b"cache-control", b"no-store")
_PASSED = (("openai-processing-ms", b"openai-processing-ms"), ("openai-version", b"openai-version"))
_PLAIN = re.compile(r"[\x20-\x7e]{1,256}\Z")
_NEITHER_CACHED_NOR_GUARDED = ((b"x-atrium-cache", b"bypass"), (b"x-atrium-guardrails", b"none"))
_REQUESTS = (b"x-ratelimit-limit-requests", b"x-ratelimit-remaining-requests", b"x-ratelimit-reset-requests")
_TOLD_FIRST: dict[Metric, int] = {"total_tokens": 0, "input_tokens": 1, "output_tokens": 2}
_TOKENS = (b"x-ratelimit-limit-tokens", b"x-ratelimit-remaining-tokens", b"x-ratelimit-reset-tokens")


def answer_headers(call: Call, attempt: Attempt, upstream: Mapping[str, str], runtime: Runtime) -> Headers:
    """Return the headers of a successful answer, but for its type and length. The cost is given once it is known."""
    headers = call_headers(call, runtime)
    headers += _NEITHER_CACHED_NOR_GUARDED
    if attempt.closed:
        headers.append((b"x-atrium-cost-usd", format_usd(call.cost_nano_usd).encode()))
    for name, written in _PASSED:
        value = upstream.get(name)
        if value is not None and _PLAIN.match(value):
            headers.append((written, value.encode()))
    return headers


def call_headers(call: Call, runtime: Runtime) -> Headers:
    """Return what is known about a call by now: on every answer, errors included."""
    overhead_ms = (runtime.clock.monotonic() - call.started - call.watch.waited_s) * 1000
    headers = [(b"x-request-id", call.request_id.encode()), (b"x-atrium-overhead-ms", b"%.2f" % overhead_ms)]
    if call.endpoint.dialect == "anthropic":
        headers.append((b"request-id", call.request_id.encode()))  # the name that its clients know
    grant, attempts = call.grant, call.attempts
    attempt = attempts[-1] if attempts else None
    if grant is not None:
        deployment_id = attempt.deployment.id if attempt is not None else ""
        fell_back = len(attempts) > 1 or bool(grant.stepped_down)
        headers += _path_headers(grant.model.slug, grant.snapshot.version, deployment_id, len(attempts), fell_back)
        if grant.stepped_down:
            headers += [
                (b"x-atrium-model-asked", _plain(grant.request.model)),
                (b"x-atrium-fallback-reason", _plain(grant.stepped_down)),
            ]
    if attempt is not None:
        headers += _limits(attempt, runtime.clock.now())
    return headers


def error_headers(call: Call, error: GatewayError, runtime: Runtime) -> Headers:
    """Return the headers of an error. `x-should-retry: false` keeps SDKs from trying again what cannot be mended so."""
    headers = [*call_headers(call, runtime), JSON, NO_STORE]
    headers += [(name.encode(), value.encode()) for name, value in error.headers]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after_s))
    if not error.retry:
        headers.append((b"x-should-retry", b"false"))
    if error.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="Atrium"'))
    return headers


@lru_cache(maxsize=4096)
def _path_headers(slug: str, version: int, deployment_id: str, attempts: int, fell_back: bool) -> Headers:
    """Say which way a call went. Few ways are gone by many calls, so they are written once."""
    headers = [
        (b"x-atrium-model", _plain(slug)),
        (b"x-atrium-policy-version", b"%d" % version),
        (b"x-atrium-attempts", b"%d" % attempts),
        (b"x-atrium-fallback", b"true" if fell_back else b"false"),
    ]
    if deployment_id:
        headers.append((b"x-atrium-deployment", _plain(deployment_id)))
    return headers


def _plain(text: str) -> bytes:
    """Make a name fit for a header: no control character gets into one, whoever chose the name."""
    return text.encode() if text.isascii() and text.isprintable() else quote(text).encode()


def _limits(attempt: Attempt, now: float) -> Headers:
    """Return the state of the tightest quotas as it is by now, in OpenAI's names for requests and tokens.

    What is left of the whole company's money is nobody's business who calls.
    """
    reservation = attempt.reserved.reservation
    headers: Headers = []
    own = [part.left for part, _ in reservation.money if part.shown]
    if own:
        headers.append((b"x-atrium-budget-remaining-usd", format_usd(min(own)).encode()))
    requests: Slice | None = None
    tokens: Slice | None = None
    for part, _ in reservation.rates:
        metric = part.quota.metric
        if metric == "requests":
            if requests is None or part.left < requests.left:
                requests = part
        elif metric != "concurrent" and (tokens is None or _tells_more(part, tokens)):
            tokens = part
    if requests is not None:
        headers += _state(_REQUESTS, requests, now)
    if tokens is not None:
        headers += _state(_TOKENS, tokens, now)
    return headers


def _tells_more(part: Slice, than: Slice) -> bool:
    """Say whether a quota of tokens is the one to show: all tokens before input before output, then what is left."""
    mine, theirs = _TOLD_FIRST[part.quota.metric], _TOLD_FIRST[than.quota.metric]
    return mine < theirs or (mine == theirs and part.left < than.left)


def _state(names: tuple[bytes, bytes, bytes], part: Slice, now: float) -> Headers:
    limit, remaining, reset = names
    return [(limit, b"%d" % part.capacity), (remaining, b"%d" % part.left), (reset, _duration(part.end - now))]


def _duration(seconds: float) -> bytes:
    """Write a duration as OpenAI does: `350ms`, `12s`, `6m0s`, `2h0m0s`."""
    return _whole_duration(int(seconds)) if seconds >= 1 else b"%dms" % max(0, seconds * 1000)


@lru_cache(maxsize=4096)
def _whole_duration(seconds: int) -> bytes:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return b"%dh%dm%ds" % (hours, minutes, rest)
    return b"%dm%ds" % (minutes, rest) if minutes else b"%ds" % rest
