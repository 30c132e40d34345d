"""Settles what a provider did in the background: once it has ended, what it used takes the place of what was charged."""

from collections.abc import Mapping
from typing import Any

from gateway.dialects.responses.kept import ENDED, items_of
from gateway.dialects.responses.usage import usage_of
from gateway.kept.records import Kept
from gateway.runtime import Runtime
from gateway.stages.meter import cost
from gateway.types import Usage


async def settle_response(kept: Kept, response: Mapping[str, Any], runtime: Runtime) -> bool:
    """Settle by what the provider says now; returns whether nothing is left to do. Doing it again changes nothing.

    Of a failure without usage nothing is charged, as of any other. Of a cancelled response without usage the bound stays:
    what was made before is billed, and nobody tells how much. Raises StoreUnavailable.
    """
    if response.get("status") not in ENDED:
        return False
    store, usage = runtime.kept, usage_of(response.get("usage"))
    pending = await store.pending(kept.id)
    if pending is None:
        return True
    if usage is not None:
        done = await store.settle(kept.id, usage, cost(usage, pending.price))
    else:
        done = await store.settle(kept.id, Usage() if response["status"] == "failed" else None, 0)
    if done:
        await store.ended(kept.id, usage, items_of(response))
    return done
