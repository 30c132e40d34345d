"""What is left of rates, for pages: asked where they are counted, in Redis or in the gateway of this very process."""

import asyncio
import threading
from collections.abc import Sequence

from django.conf import settings
from django.utils import timezone

from billing.models import Quota
from gateway.control.compile import policies
from gateway.errors import GatewayError
from gateway.quotas.interface import RateStore, Remaining
from gateway.snapshot import QuotaPolicy

WITHIN_S = 0.5


class LocalRates:
    """The store of the gateway in this process, if there is one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offered: tuple[RateStore, asyncio.AbstractEventLoop] | None = None

    def offer(self, store: RateStore) -> None:
        """Let pages ask `store`, which lives on the loop that runs now."""
        with self._lock:
            self._offered = store, asyncio.get_running_loop()

    def withdraw(self) -> None:
        with self._lock:
            self._offered = None

    def peek(self, quotas: Sequence[QuotaPolicy], now: float) -> list[Remaining]:
        """Ask from another thread; nothing where nobody counts here, or the answer is late."""
        with self._lock:
            offered = self._offered
        if offered is None:
            return []
        store, loop = offered
        asked = asyncio.run_coroutine_threadsafe(store.peek(quotas, now), loop)
        try:
            return asked.result(WITHIN_S)
        except TimeoutError:
            asked.cancel()
            return []


local_rates = LocalRates()


def rates_left(rows: Sequence[Quota]) -> dict[str, int]:
    """Return by id what is left of each rate, at least: gateways hold part of it in hand. Empty where nobody can say."""
    quotas, now = policies(rows), timezone.now().timestamp()
    try:
        found = asyncio.run(_in_redis(quotas, now)) if settings.REDIS_URL else local_rates.peek(quotas, now)
    except GatewayError:
        return {}
    return {remaining.quota.id: remaining.left for remaining in found}


async def _in_redis(quotas: Sequence[QuotaPolicy], now: float) -> list[Remaining]:
    from gateway.stores.redis import RedisRateStore  # needs a Redis client only here

    store = RedisRateStore(settings.REDIS_URL)
    try:
        found = await store.peek(quotas, now)
        return [] if store.degraded else found
    finally:
        await store.aclose()
