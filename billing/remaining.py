"""What is left of quotas: money as the ledger says, rates as those who count them say, and to whom that is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.module_loading import import_string

from billing.models import Balance, Quota, QuotaExtra
from gateway.quotas.window import bounds
from gateway.snapshot import UNSET, Window
from portal.people.access import Viewer

COMPANY_WIDE = (Quota.Scope.ORGANISATION, Quota.Scope.MODEL)
SHORT = (Quota.Window.SECOND, Quota.Window.MINUTE)


@dataclass(frozen=True, slots=True)
class Remaining:
    """One quota now. Amounts are nano-USD of the current period for money, counts otherwise; None: nobody can say.

    `spent` of money is settled: it equals what the events say. `reserved` is held by gateways for calls in flight and
    the next ones. `hidden`: the viewer may know that there is such a budget, and no figure of it.
    """

    quota: Quota
    limit: int  # extras in force included
    extra: int
    spent: int | None
    reserved: int
    left: int | None
    resets_at: datetime | None  # None: never, or a gauge
    hidden: bool = False

    @property
    def is_money(self) -> bool:
        return self.quota.metric == Quota.Metric.USD

    @property
    def is_gauge(self) -> bool:
        return self.quota.metric == Quota.Metric.CONCURRENT

    @property
    def comes_back_at_once(self) -> bool:
        """Say whether the window is so short that a moment of reset means nothing."""
        return self.quota.window in SHORT

    @property
    def percent(self) -> int:
        """Return the share that is used, rounded down: 100 only when nothing is left."""
        return self.spent_percent if self.limit else 100

    @property
    def spent_percent(self) -> int:
        return (self.spent or 0) * 100 // self.limit

    @property
    def crossed(self) -> int:
        """Return the highest share that people are told of and that is reached; 0 for none, or where it is hidden."""
        if self.hidden or self.spent is None:
            return 0
        return max((share for share in self.quota.notify_percent if share <= self.percent), default=0)


def remaining_of(
    scopes: Sequence[tuple[str, str]], viewer: Viewer | None, model_id: str | None = None
) -> list[Remaining]:
    """Return every quota on one of the (kind, id) `scopes`, the order of scopes kept.

    With `model_id`, pairs with other models are left out. Without a viewer nothing is hidden. Three queries whatever
    their number, and one question to who counts rates.
    """
    if not scopes:
        return []
    wanted = Q()
    for kind in {kind for kind, _ in scopes}:
        wanted |= Q(scope_kind=kind, scope_id__in=[one for other, one in scopes if other == kind])
    rows = Quota.objects.filter(wanted)
    if model_id is not None:
        rows = rows.filter(model_id__in=["", model_id])
    order = {scope: n for n, scope in reversed(list(enumerate(scopes)))}
    found = standing_of(list(rows.order_by("model_id", "window", "id")), viewer)
    return sorted(found, key=lambda one: (order[one.quota.scope_kind, one.quota.scope_id], one.quota.metric != "usd"))


def standing_of(quotas: Sequence[Quota], viewer: Viewer | None) -> list[Remaining]:
    """Return what is left of each of `quotas`; two queries, and one question to who counts rates."""
    now = timezone.now()
    ids = [quota.pk for quota in quotas]
    extras: dict[str, int] = {}
    for quota_id, amount in QuotaExtra.objects.in_force(now).filter(quota_id__in=ids).values_list("quota_id", "amount"):
        extras[quota_id] = extras.get(quota_id, 0) + amount
    windows = {quota.pk: window_of(quota, now) for quota in quotas}
    starts = {start for start, _ in windows.values()}
    balances = {
        (quota, period): (settled, leased)
        for quota, period, settled, leased in Balance.objects.filter(quota_id__in=ids, period__in=starts).values_list(
            "quota_id", "period", "settled", "leased"
        )
    }
    rates = [quota for quota in quotas if quota.metric != Quota.Metric.USD]
    left = import_string(settings.BILLING_RATES)(rates) if rates else {}
    return [
        _remaining(
            quota, extras.get(quota.pk, 0), windows[quota.pk], balances, left.get(quota.pk), is_hidden(quota, viewer)
        )
        for quota in quotas
    ]


def is_hidden(quota: Quota, viewer: Viewer | None) -> bool:
    """Say whether the viewer may know that there is this budget, and no figure of it. Without a viewer nothing is hidden."""
    company_wide = quota.metric == Quota.Metric.USD and quota.scope_kind in COMPANY_WIDE
    return company_wide and viewer is not None and not viewer.allows("quotas.view")


def window_of(quota: Quota, now: datetime) -> tuple[int, int]:
    """Return start and end (epoch s) of the quota's window: money's in the billing time zone, a rate's in UTC."""
    zone = settings.BILLING_TIME_ZONE if quota.metric == Quota.Metric.USD else "UTC"
    window: Window = quota.window  # type: ignore[assignment]  # the same words, held by a column
    return bounds(window, now.timestamp(), zone)


def _remaining(
    quota: Quota,
    extra: int,
    window: tuple[int, int],
    balances: dict[tuple[str, int], tuple[int, int]],
    left: int | None,
    hidden: bool,
) -> Remaining:
    limit, (start, end) = quota.capacity + extra, window
    resets_at = None if end >= UNSET else datetime.fromtimestamp(end, UTC)
    if quota.metric != Quota.Metric.USD:
        spent = None if left is None else max(0, limit - left)
        return Remaining(quota, limit, extra, spent, 0, left, resets_at)
    if hidden:
        return Remaining(quota, 0, 0, None, 0, None, resets_at, hidden=True)
    settled, leased = balances.get((quota.pk, start), (0, 0))
    return Remaining(quota, limit, extra, settled, leased, max(0, limit - settled), resets_at)
