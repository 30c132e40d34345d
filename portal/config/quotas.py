"""Limits in a configuration file: read, compared and printed. A limit that is there says everything about itself."""

from collections.abc import Callable, Iterable
from typing import Any

from billing.models import Quota
from billing.quota_rules import (
    MOST_PERCENT,
    WINDOWS,
    QuotaError,
    check_quota,
    check_thresholds,
    default_thresholds,
    tells,
)
from catalog.models import Model
from gateway.money import format_usd
from portal.config.nodes import Node
from portal.config.wanted import WantedQuota

MOST_COUNT = 10**15
FIELDS = ("metric", "window", "limit", "model", "step_down", "notify")
REQUIRED = FIELDS[:3]


def read_quotas(node: Node, scope: str) -> list[WantedQuota]:
    """Read the limits of one scope, each there once."""
    found: list[WantedQuota] = []
    seen: set[tuple[str, str, str]] = set()
    for item in node.items():
        before = len(node.mistakes)
        quota = _quota(item, scope)
        if len(node.mistakes) > before:
            continue
        place = quota["metric"], quota["window"], quota["model"].lower()
        if place in seen:
            of = f" with {quota['model']}" if quota["model"] else ""
            item.wrong(f"there are two limits of {quota['metric']} per {quota['window']}{of}")
        seen.add(place)
        found.append(quota)
    return found


def _quota(item: Node, scope: str) -> WantedQuota:
    nodes = item.fields(FIELDS)
    missing = [name for name in REQUIRED if name not in nodes]
    if missing and isinstance(item.value, dict):
        item.wrong(f"{' and '.join(missing)} missing")
    metric = nodes["metric"].choice(WINDOWS) if "metric" in nodes else ""
    window = nodes["window"].text() if "window" in nodes else ""
    capacity = 0
    if "limit" in nodes:
        capacity = nodes["limit"].usd() if metric == "usd" else nodes["limit"].whole(0, MOST_COUNT)
    model, step_down = (nodes[name].text() if name in nodes else "" for name in ("model", "step_down"))
    thresholds = default_thresholds(metric) if metric and tells(metric, window) else []
    if "notify" in nodes:
        thresholds = [one.whole(1, MOST_PERCENT) for one in nodes["notify"].items()]
    if metric and window:
        _noted(nodes["window"], lambda: check_quota(scope, metric, window, capacity, pair=bool(model)))
        _noted(nodes.get("notify", item), lambda: check_thresholds(metric, window, thresholds))
    return {
        "metric": metric, "window": window, "capacity": capacity, "model": model, "step_down": step_down,
        "notify": sorted(set(thresholds)),
    }  # fmt: skip


def _noted(node: Node, check: Callable[[], object]) -> None:
    try:
        check()
    except QuotaError as mistake:
        node.wrong(str(mistake))


def unknown_models(quotas: Iterable[WantedQuota], path: str, known: set[str]) -> list[str]:
    """Return a mistake for each model that a limit names and that does not exist."""
    return [
        f'{path}.quotas[{n}].{field}: there is no model "{slug}"'
        for n, quota in enumerate(quotas)
        for field, slug in (("model", quota["model"]), ("step_down", quota["step_down"]))
        if slug and slug not in known
    ]


def model_slugs(rows: Iterable[Quota]) -> dict[str, str]:
    """Return id → slug of the models that these limits name."""
    ids = {one for row in rows for one in (row.model_id, row.step_down_model_id) if one}
    return dict(Model.objects.filter(pk__in=ids).values_list("pk", "slug")) if ids else {}


def quota_tree(rows: Iterable[Quota], slugs: dict[str, str]) -> dict[str, Any]:
    """Return limits of one scope as `{"usd month": "50.00", "usd month chat-large": {"limit": "5.00", …}}`."""
    tree: dict[str, Any] = {}
    for row in rows:
        name = f"{row.metric} {row.window}" + (f" {slugs.get(row.model_id, row.model_id)}" if row.model_id else "")
        limit = format_usd(row.capacity) if row.metric == Quota.Metric.USD else row.capacity
        more: dict[str, Any] = {}
        if row.step_down_model_id:
            more["step_down"] = slugs.get(row.step_down_model_id, row.step_down_model_id)
        if row.notify_percent != (default_thresholds(row.metric) if tells(row.metric, row.window) else []):
            more["notify"] = row.notify_percent
        tree[name] = {"limit": limit} | more if more else limit
    return tree


def quota_entry(name: str, value: Any) -> dict[str, Any]:
    """Return one limit of such a tree as a file writes it."""
    metric, window, *model = name.split(" ")
    entry = {"metric": metric, "window": window} | ({"model": model[0]} if model else {})
    return entry | (value if isinstance(value, dict) else {"limit": value})
