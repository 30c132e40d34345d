"""What is left of quotas, as far as the database knows: money exactly; rates only gateways know, so their limit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from billing.models import Balance, Quota, QuotaExtra
from gateway.quotas.window import bounds
from gateway.snapshot import UNSET, Window


@dataclass(frozen=True, slots=True)
class Remaining:
    """One quota now. For money, amounts are nano-USD of the current period; for rates `spent` and `left` are None.

    `spent` is settled: it equals what the events say. `reserved` is held by gateways for calls in flight and the next ones.
    """

    quota: Quota
    limit: int  # extras in force included
    extra: int
    spent: int | None
    reserved: int
    left: int | None
    resets_at: datetime | None  # None: never

    @property
    def is_money(self) -> bool:
        return self.quota.metric == Quota.Metric.USD


def remaining_of(scopes: Sequence[tuple[str, str]]) -> list[Remaining]:
    """Return every quota on one of the (kind, id) `scopes`, the order of scopes kept; three queries whatever their number."""
    if not scopes:
        return []
    wanted = Q()
    for kind in {kind for kind, _ in scopes}:
        wanted |= Q(scope_kind=kind, scope_id__in=[one for other, one in scopes if other == kind])
    order = {scope: n for n, scope in reversed(list(enumerate(scopes)))}
    found = standing_of(list(Quota.objects.filter(wanted)))
    return sorted(found, key=lambda one: (order[one.quota.scope_kind, one.quota.scope_id], one.quota.metric != "usd"))


def standing_of(quotas: Sequence[Quota]) -> list[Remaining]:
    """Return what is left of each of `quotas`; two queries."""
    now = timezone.now()
    ids = [quota.pk for quota in quotas]
    extras: dict[str, int] = {}
    for quota_id, amount in QuotaExtra.objects.in_force(now).filter(quota_id__in=ids).values_list("quota_id", "amount"):
        extras[quota_id] = extras.get(quota_id, 0) + amount
    windows = {quota.pk: _window(quota, now) for quota in quotas}
    starts = {start for start, _ in windows.values()}
    balances = {
        (quota, period): (settled, leased)
        for quota, period, settled, leased in Balance.objects.filter(quota_id__in=ids, period__in=starts).values_list(
            "quota_id", "period", "settled", "leased"
        )
    }
    return [_remaining(quota, extras.get(quota.pk, 0), windows[quota.pk], balances) for quota in quotas]


def _remaining(
    quota: Quota, extra: int, window: tuple[int, int], balances: dict[tuple[str, int], tuple[int, int]]
) -> Remaining:
    limit, (start, end) = quota.capacity + extra, window
    resets_at = None if end >= UNSET else datetime.fromtimestamp(end, UTC)
    if quota.metric != Quota.Metric.USD:
        return Remaining(quota, limit, extra, None, 0, None, resets_at)
    settled, leased = balances.get((quota.pk, start), (0, 0))
    return Remaining(quota, limit, extra, settled, leased, max(0, limit - settled), resets_at)


def _window(quota: Quota, now: datetime) -> tuple[int, int]:
    zone = settings.BILLING_TIME_ZONE if quota.metric == Quota.Metric.USD else "UTC"
    window: Window = quota.window  # type: ignore[assignment]  # the same words, held by a column
    return bounds(window, now.timestamp(), zone)
