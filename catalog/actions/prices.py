"""Writes about prices: a price is added, never edited."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone

from catalog.actions.models import MAX_TOKENS
from catalog.models import Deployment, Model, Price
from catalog.rates import others_of
from gateway.money import MAX_USD, NANO, format_usd
from gateway.units import UNITS
from portal.people.actions.rules import demand
from portal.people.audit import Actor, recorded

RATES = ("input", "output", "cached_input", "cache_write", "request")
LONG = {"above", "input", "output", "cached_input", "cache_write", "units"}


def set_price(
    *, actor: Actor, model: Model, effective_from: datetime | None, input: int, output: int,
    cached_input: int | None = None, cache_write: int | None = None, request: int = 0, free: bool = False,
    source: str = "", deployment: Deployment | None = None, units: Mapping[str, int] | None = None,
    long: Mapping[str, Any] | None = None, batch_percent: int = 50,
) -> Price:  # fmt: skip
    """Price `model` from `effective_from` on (None: from now on), everywhere or at one `deployment`.

    Rates in nano-USD per 1M tokens, `request` per call; `units`, `long` and `batch_percent` as in `Price`. Needs catalog.manage. The same
    price again changes nothing. Raises ValidationError for negative rates, for all zero without `free`, for rates beside
    `free`, for units that nobody knows, for a long price that is not whole, and when another price begins at that very
    moment.
    """
    demand(actor, "catalog.manage")
    rates: dict[str, Any] = {
        "input": input,
        "output": output,
        "cached_input": cached_input,
        "cache_write": cache_write,
        "request": request,
        "units": dict(units or {}),
        "long": {name: value for name, value in (long or {}).items() if value is not None and value != {}},
    }
    _check(rates, free, source)
    if not 0 <= batch_percent <= 100:
        raise ValidationError({"batch_percent": "A batch costs between 0 and 100 percent."})
    rates["batch_percent"] = batch_percent
    moment, at = effective_from or timezone.now(), deployment.pk if deployment else ""
    if deployment is not None and deployment.model_id != model.pk:
        raise ValidationError({"deployment": f"{deployment} does not serve {model}."})
    with recorded(actor, "price:set") as trail:
        Model.objects.select_for_update().get(pk=model.pk)
        standing = Price.objects.filter(model=model, deployment_id=at, effective_from=moment).first()
        if standing is not None:
            if any(getattr(standing, name) != rate for name, rate in rates.items()) or standing.free != free:
                raise ValidationError(
                    {"effective_from": "Another price begins at this very moment; choose a later one."}
                )
            trail.target = standing
            trail.skip()
            return standing
        before = Price.objects.filter(model=model).in_force(moment, at).first()
        price = Price.objects.create(
            model=model, deployment_id=at, effective_from=moment, free=free, source=source, **rates
        )
        trail.target = price
        trail.before = _shown(before) if before else {}
        trail.after = _shown(price)
        trail.changed("model", model.pk)
    return price


def _check(rates: Mapping[str, Any], free: bool, source: str) -> None:
    mistakes: dict[str, str] = {}
    for name in RATES:
        if rates[name] is not None and not _possible(rates[name]):
            mistakes[name] = f"A rate is between 0 and {MAX_USD} USD."
    if words := _wrong_units(rates["units"]):
        mistakes["units"] = words
    if rates["long"] and (words := _wrong_long(rates["long"])):
        mistakes["long"] = words
    if len(source) > 200:
        mistakes["source"] = "At most 200 characters."
    if mistakes:
        raise ValidationError(mistakes)
    if free and any(rates.values()):
        raise ValidationError("A free model has no rates: leave them at 0, or do not call it free.")
    if not free and not (rates["input"] or rates["output"] or rates["request"] or any(rates["units"].values())):
        raise ValidationError("All rates are 0. Say that the model is free if that is meant.")


def _possible(rate: object) -> bool:
    return isinstance(rate, int) and 0 <= rate <= int(MAX_USD) * NANO


def _wrong_units(units: Mapping[str, object]) -> str:
    """Return what is wrong with the rates of units; "" for nothing."""
    unknown = sorted(units.keys() - UNITS.keys())
    if unknown:
        return f"There is no unit {', '.join(unknown)}; there are {', '.join(UNITS)}."
    return "" if all(map(_possible, units.values())) else "A rate is not below 0, and no more than can be counted."


def _wrong_long(long: Mapping[str, Any]) -> str:
    """Return what is wrong with what a long prompt costs; "" for nothing."""
    if not {"above", "input", "output"} <= long.keys() <= LONG:
        return (
            "What a long prompt costs needs the length above which it holds, the rate of its input and of its output."
        )
    if not isinstance(long["above"], int) or not 1 <= long["above"] <= MAX_TOKENS:
        return f"The length is a whole number of tokens from 1 to {MAX_TOKENS:,}."
    if not all(_possible(rate) for name, rate in long.items() if name not in {"above", "units"}):
        return f"A rate is between 0 and {MAX_USD} USD."
    return _wrong_units(long.get("units", {}))


def _shown(price: Price) -> dict[str, str | bool | None]:
    shown: dict[str, str | bool | None] = {
        "model": price.model.slug,
        "effective_from": price.effective_from.isoformat(),
    }
    for name in RATES:
        rate = getattr(price, name)
        shown[name] = None if rate is None else format_usd(rate)
    for group in others_of(price):
        for line in group.lines:
            shown[f"{line.words}, {group.heading}" if group.heading else line.words] = f"{line.amount} {line.unit}"
    where = {"deployment": price.deployment_id} if price.deployment_id else {}
    return shown | where | {"free": price.free, "source": price.source}
