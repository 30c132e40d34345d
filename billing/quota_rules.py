"""What can be a quota: which scopes, pairs, metrics and windows go together, and which model may step in."""

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from billing.labels import RESOLVERS, labels
from billing.models import Quota
from catalog.models import Model, Price

LARGEST = 9_000_000_000 * 10**9  # gateway.money.MAX_USD in nano-USD: leaves room in 64 bits
EVERY_WINDOW = tuple(Quota.Window.values)
WINDOWS: dict[str, tuple[str, ...]] = dict.fromkeys(Quota.Metric.values, EVERY_WINDOW) | {"concurrent": ("total",)}
UNPAIRED = ("organisation", "model")
MOST_THRESHOLDS, MOST_PERCENT = 10, 100
FLEETING = ("second", "minute")


class QuotaError(ValueError):
    """What was asked cannot be a quota; the message says why and what would do."""


def check_quota(scope_kind: str, metric: str, window: str, capacity: object, *, pair: bool = False) -> None:
    """Raise QuotaError unless scope, metric, window and capacity go together. Asks nothing of the database.

    `pair`: the quota counts only what the scope does with one model.
    """
    if scope_kind not in Quota.Scope.values:
        raise QuotaError(f'"{scope_kind}" has no limits; use one of {", ".join(Quota.Scope.values)}.')
    if pair and scope_kind in UNPAIRED:
        raise QuotaError("What everybody does with one model is the limit of that model: set it there.")
    if metric not in WINDOWS:
        raise QuotaError(f'"{metric}" cannot be limited; use one of {", ".join(WINDOWS)}.')
    if window not in WINDOWS[metric]:
        what = Quota.Metric(metric).label
        raise QuotaError(f'{what} cannot be limited by "{window}"; use one of {", ".join(WINDOWS[metric])}.')
    if isinstance(capacity, bool) or not isinstance(capacity, int):
        raise QuotaError("A limit is a whole number (for money: of nano-USD).")
    if not 0 <= capacity <= LARGEST:
        raise QuotaError("A limit is 0 or more, and for money at most 9,000,000,000 USD.")


def tells(metric: str, window: str) -> bool:
    """Say whether people can be told how much of such a quota is used: what the ledger knows and what lasts."""
    return metric != Quota.Metric.CONCURRENT and window not in FLEETING


def default_thresholds(metric: str) -> list[int]:
    """Return the shares at which people are told unless somebody says otherwise: only budgets tell by themselves."""
    return [50, 80, 100] if metric == Quota.Metric.USD else []


def check_thresholds(metric: str, window: str, percents: Sequence[object]) -> list[int]:
    """Return the shares at which people are told, sorted; raise QuotaError for what is none."""
    if percents and not tells(metric, window):
        raise QuotaError("A limit of calls at once, per second or per minute comes and goes: nobody is told.")
    found: set[int] = set()
    for percent in percents:
        if isinstance(percent, bool) or not isinstance(percent, int) or not 1 <= percent <= MOST_PERCENT:
            raise QuotaError(f"People are told at shares of 1 to {MOST_PERCENT} percent, such as 50, 80, 100.")
        found.add(percent)
    if len(found) > MOST_THRESHOLDS:
        raise QuotaError(f"People are told {MOST_THRESHOLDS} times a period at most.")
    return sorted(found)


def check_scope(scope_kind: str, scope_id: str, model_id: str) -> None:
    """Raise QuotaError unless the scope and the pair's model exist."""
    for kind, one in ((scope_kind, scope_id), ("model", model_id)):
        if one and kind in RESOLVERS and not labels(kind, [one]):
            raise QuotaError(f'There is no {kind} "{one}".')


def check_step_down(step_down_model_id: str, scope_kind: str, scope_id: str, model_id: str) -> None:
    """Raise QuotaError unless that model can take over: approved, priced, another one, and no dearer where that shows."""
    if not step_down_model_id:
        return
    model = Model.objects.filter(pk=step_down_model_id).first()
    if model is None:
        raise QuotaError(f'There is no model "{step_down_model_id}" to go on with.')
    if model.stage != Model.Stage.APPROVED:
        raise QuotaError(f"{model.display_name} is {model.stage}: calls go on only with an approved model.")
    now = timezone.now()
    price = _price(model.pk, now)
    if price is None:
        raise QuotaError(f"{model.display_name} has no price, so no call can go on with it.")
    counted = scope_id if scope_kind == Quota.Scope.MODEL else model_id
    if step_down_model_id == counted:
        raise QuotaError("Calls cannot go on with the model whose limit it is: choose a cheaper one.")
    dear = _price(counted, now) if counted else None
    if dear is not None and _is_dearer(price, dear):
        raise QuotaError(f"{model.display_name} is dearer than the model whose limit it is: choose a cheaper one.")


def _price(model_id: str, at: datetime) -> Price | None:
    price = Price.objects.filter(model_id=model_id).in_force(at).first()
    usable = price is not None and (price.free or price.input or price.output or price.request or price.units)
    return price if usable else None


def _is_dearer(price: Price, than: Price) -> bool:
    """Say whether something costs more, and that plainly: the gateway looks closer, call by call."""
    rates = [(price.input, than.input), (price.output, than.output), (price.request, than.request)]
    rates += [(rate, than.units[name]) for name, rate in price.units.items() if name in than.units]
    return any(mine > theirs for mine, theirs in rates)
