"""The headers of our answers: what the contract promises, and the few of a provider's that are passed on."""

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote

from gateway.errors import GatewayError
from gateway.money import format_usd
from gateway.quotas.refusals import COMPANY_WIDE
from gateway.quotas.slices import Slice
from gateway.runtime import Runtime
from gateway.types import Attempt, Call, Headers

JSON = (b"content-type", b"application/json")
NO_STORE = (b"cache-control", b"no-store")
_PASSED = (("openai-processing-ms", b"openai-processing-ms"), ("openai-version", b"openai-version"))
_PLAIN = re.compile(r"[\x20-\x7e]{1,256}\Z")
_NEITHER_CACHED_NOR_GUARDED = ((b"x-atrium-cache", b"bypass"), (b"x-atrium-guardrails", b"none"))
_REQUESTS = (b"x-ratelimit-limit-requests", b"x-ratelimit-remaining-requests", b"x-ratelimit-reset-requests")
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
    """Return the state of the tightest quotas as it is by now, in OpenAI's names for requests and tokens.

    What is left of the whole company's money is nobody's business who calls.
    """
    reservation = attempt.reserved.reservation
    headers: Headers = []
    own = [part.left for part, _ in reservation.money if part.quota.scope_kind not in COMPANY_WIDE]
    if own:
        headers.append((b"x-atrium-budget-remaining-usd", format_usd(min(own)).encode()))
    tightest: dict[str, Slice] = {}
    for part, _ in reservation.rates:
        metric = part.quota.metric
        known = tightest.get(metric)
        if known is None or part.left < known.left:
            tightest[metric] = part
    requests = tightest.get("requests")
    tokens = tightest.get("total_tokens") or tightest.get("input_tokens") or tightest.get("output_tokens")
    for names, found in ((_REQUESTS, requests), (_TOKENS, tokens)):
        if found is not None:
            limit, remaining, reset = names
            headers.append((limit, b"%d" % found.capacity))
            headers.append((remaining, b"%d" % found.left))
            headers.append((reset, _duration(found.end - now)))
    return headers


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
