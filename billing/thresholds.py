"""Which budgets and limits have reached a share of themselves that people want to hear of: noted once a period.

Everything is derived from the ledger each time, so it does not matter who looks, how often, or how late in the period.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from django.db.models import Sum
from django.utils import timezone

from billing.models import Balance, Quota, QuotaExtra, QuotaNotice, RollupHour
from billing.remaining import window_of

SUMS = {
    Quota.Metric.REQUESTS: ("requests",),
    Quota.Metric.INPUT_TOKENS: ("input_tokens",),
    Quota.Metric.OUTPUT_TOKENS: ("output_tokens",),
    Quota.Metric.TOTAL_TOKENS: ("input_tokens", "output_tokens"),
}


def note_crossed() -> int:
    """Write a `QuotaNotice` for every share that was reached and is not noted yet; returns how many."""
    now = timezone.now()
    quotas = {quota.pk: quota for quota in Quota.objects.exclude(notify_percent=[]).filter(capacity__gt=0)}
    periods = {pk: window_of(quota, now)[0] for pk, quota in quotas.items()}
    spent = _settled(quotas, periods) | _counted(quotas.values(), periods)
    limits = {
        pk: quota.capacity + extra for (pk, quota), extra in zip(quotas.items(), _extras(quotas, now), strict=True)
    }
    crossed = [
        QuotaNotice(quota_id=pk, period=periods[pk], percent=share, spent=amount, limit=limits[pk])
        for pk, amount in spent.items()
        for share in quotas[pk].notify_percent
        if amount * 100 >= share * limits[pk]
    ]
    noted = set(
        QuotaNotice.objects.filter(period__in=set(periods.values())).values_list("quota_id", "period", "percent")
    )
    new = [one for one in crossed if (one.quota_id, one.period, one.percent) not in noted]
    QuotaNotice.objects.bulk_create(new, ignore_conflicts=True)
    return len(new)


def _settled(quotas: dict[str, Quota], periods: dict[str, int]) -> dict[str, int]:
    rows = Balance.objects.filter(period__in=set(periods.values()), settled__gt=0)
    return {
        pk: settled
        for pk, period, settled in rows.values_list("quota_id", "period", "settled")
        if periods.get(pk) == period
    }


def _counted(quotas: Iterable[Quota], periods: dict[str, int]) -> dict[str, int]:
    """Return what the roll-ups say of limits of requests and tokens; their windows are whole hours of UTC."""
    return {quota.pk: used(quota, periods[quota.pk]) for quota in quotas if quota.metric in SUMS}


def used(quota: Quota, period: int) -> int:
    """Return what a limit of requests or tokens counted since `period` began (epoch s), as far as it is rolled up."""
    rows = RollupHour.objects.filter(hour__gte=datetime.fromtimestamp(period, UTC))
    if quota.scope_kind != Quota.Scope.ORGANISATION:
        rows = rows.filter(**{f"{quota.scope_kind}_id": quota.scope_id})
    if quota.model_id:
        rows = rows.filter(model_id=quota.model_id)
    sums = rows.aggregate(**{f"sum_{name}": Sum(name) for name in SUMS[Quota.Metric(quota.metric)]})
    return sum(value or 0 for value in sums.values())


def _extras(quotas: Sequence[str] | dict[str, Quota], now: datetime) -> list[int]:
    """Return what is added to each quota now, in their order."""
    added: dict[str, int] = {}
    for pk, amount in QuotaExtra.objects.in_force(now).values_list("quota_id", "amount"):
        added[pk] = added.get(pk, 0) + amount
    return [added.get(pk, 0) for pk in quotas]
