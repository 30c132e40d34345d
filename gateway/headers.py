"""The headers of our answers: what the contract promises, and the few of a provider's that are passed on."""

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote

from gateway.errors import GatewayError
from gateway.money import format_usd
from gateway.runtime import Runtime
from gateway.types import Attempt, Call, Headers

JSON = (b"content-type", b"application/json")
NO_STORE = (b"cache-control", b"no-store")
_PASSED = {name: name.encode() for name in ("openai-processing-ms", "openai-version")}
_PLAIN = re.compile(r"[\x20-\x7e]{1,256}\Z")
_TOKEN_METRICS = ("total_tokens", "input_tokens", "output_tokens")


def answer_headers(call: Call, attempt: Attempt, upstream: Mapping[str, str], runtime: Runtime) -> Headers:
    """Return the headers of a successful answer, but for its type and length. The cost is given once it is known."""
    headers = [*call_headers(call, runtime), (b"x-atrium-cache", b"bypass"), (b"x-atrium-guardrails", b"none")]
    if attempt.closed:
        headers.append((b"x-atrium-cost-usd", format_usd(attempt.cost_nano_usd).encode()))
    for name, written in _PASSED.items():
        value = upstream.get(name)
        if value is not None and _PLAIN.match(value):
            headers.append((written, value.encode()))
    return headers


def call_headers(call: Call, runtime: Runtime) -> Headers:
    """Return what is known about a call by now: on every answer, errors included."""
    overhead_ms = (runtime.clock.monotonic() - call.started - call.watch.waited_s) * 1000
    headers = [(b"x-request-id", call.request_id.encode()), (b"x-atrium-overhead-ms", b"%.2f" % overhead_ms)]
    grant, attempt = call.grant, call.attempt
    if grant is not None:
        deployment_id = attempt.deployment.id if attempt is not None else ""
        fell_back = len(call.attempts) > 1 or bool(grant.stepped_down)
        headers += _path_headers(grant.model.slug, grant.snapshot.version, deployment_id, len(call.attempts), fell_back)
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
    """Return the state of the tightest quotas, in OpenAI's names for requests and tokens."""
    reservation = attempt.reserved.reservation
    headers: Headers = []
    remaining_nano_usd = reservation.remaining_nano_usd
    if remaining_nano_usd is not None:
        if attempt.closed:  # what was reserved and not used is free again
            remaining_nano_usd = max(0, remaining_nano_usd + attempt.reserved.demand.nano_usd - attempt.cost_nano_usd)
        headers.append((b"x-atrium-budget-remaining-usd", format_usd(remaining_nano_usd).encode()))
    tokens = next((metric for metric in _TOKEN_METRICS if metric in reservation.remaining), "")
    for name, metric in ((b"requests", "requests"), (b"tokens", tokens)):
        left = reservation.remaining.get(metric)
        if left is not None:
            headers += [
                (b"x-ratelimit-limit-" + name, b"%d" % left.limit),
                (b"x-ratelimit-remaining-" + name, b"%d" % left.left),
                (b"x-ratelimit-reset-" + name, _duration(left.resets_at - now)),
            ]
    return headers


def _duration(seconds: float) -> bytes:
    """Write a duration as OpenAI does: `350ms`, `12s`, `6m0s`, `2h0m0s`."""
    if seconds < 1:
        return b"%dms" % max(0, seconds * 1000)
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return b"%dh%dm%ds" % (hours, minutes, rest)
    return b"%dm%ds" % (minutes, rest) if minutes else b"%ds" % rest
