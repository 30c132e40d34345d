"""What every answer about something kept has in common: it is the caller's, it counts as a request, it is never cached."""

from collections.abc import Sequence
from urllib.parse import parse_qsl

from gateway.errors import RateError
from gateway.headers import JSON, NO_STORE, call_headers
from gateway.kept.records import Kept, may_touch
from gateway.quotas.interface import Remaining
from gateway.quotas.refusals import rate_words, retry_after_s
from gateway.quotas.slices import Parts
from gateway.runtime import Runtime
from gateway.snapshot import Snapshot
from gateway.stages.keep import not_found
from gateway.stages.limit import every_quota_of
from gateway.types import Call, Principal


async def own(call: Call, principal: Principal, kind: str, runtime: Runtime) -> Kept:
    """Return the object that a call is about. Raises NotKeptError where it is not the caller's."""
    id_ = call.target.partition("?")[0]
    kept = (await runtime.kept.find([id_])).get(id_)
    if kept is None or kept.kind != kind or not may_touch(kept.owner, principal.key):
        raise not_found(kind, id_)
    return kept


async def respond(call: Call, body: bytes, runtime: Runtime) -> None:
    """Give a JSON answer."""
    await call.client.respond(200, [*call_headers(call, runtime), JSON, NO_STORE], body)


async def counted(principal: Principal, snapshot: Snapshot, runtime: Runtime) -> Parts:
    """Count a call against the limits of requests and of calls at once; returns what was taken. Raises RateError."""
    quotas = [quota for quota in every_quota_of(principal, snapshot) if quota.model_id is None]
    asks = [(quota, 1) for quota in quotas if quota.metric in ("requests", "concurrent")]
    now = runtime.clock.now()
    taken = await runtime.rates.take(asks, now) if asks else []
    if isinstance(taken, Remaining):
        raise RateError(rate_words(taken, 1, principal, now), retry_after_s=retry_after_s(taken, now))
    return taken


def paged(found: Sequence[Kept], query: str, usual: int, most: int) -> tuple[Sequence[Kept], bool]:
    """Return the page that `after` and `limit` of a query ask for, and whether more follows. Raises NotKeptError."""
    asked = dict(parse_qsl(query))
    if (after := asked.get("after")) is not None:
        ids = [one.id for one in found]
        if after not in ids:
            raise not_found("object", after, "after")
        found = found[ids.index(after) + 1 :]
    limit = asked.get("limit", "")
    size = min(int(limit), most) if limit.isdecimal() and len(limit) < 9 else usual
    return found[: max(1, size)], len(found) > max(1, size)
