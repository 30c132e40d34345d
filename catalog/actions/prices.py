"""Writes about prices: a price is added, never edited."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.utils import timezone

from catalog.models import Deployment, Model, Price
from gateway.money import MAX_USD, NANO, format_usd
from portal.people.actions.rules import demand
from portal.people.audit import Actor, recorded

RATES = ("input", "output", "cached_input", "cache_write", "request")


def set_price(
    *, actor: Actor, model: Model, effective_from: datetime | None, input: int, output: int,
    cached_input: int | None = None, cache_write: int | None = None, request: int = 0, free: bool = False,
    source: str = "", deployment: Deployment | None = None,
) -> Price:  # fmt: skip
    """Price `model` from `effective_from` on (None: from now on), everywhere or at one `deployment`.

    Rates in nano-USD per 1M tokens, `request` per call. Needs catalog.manage. The same price again changes nothing.
    Raises ValidationError for negative rates, for all zero without `free`, for rates beside `free`, and when another
    price begins at that very moment.
    """
    demand(actor, "catalog.manage")
    rates = {
        "input": input,
        "output": output,
        "cached_input": cached_input,
        "cache_write": cache_write,
        "request": request,
    }
    _check(rates, free, source)
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


def _check(rates: dict[str, int | None], free: bool, source: str) -> None:
    mistakes: dict[str, str] = {}
    for name, rate in rates.items():
        if rate is not None and not 0 <= rate <= int(MAX_USD) * NANO:
            mistakes[name] = f"A rate is between 0 and {MAX_USD} USD."
    if len(source) > 200:
        mistakes["source"] = "At most 200 characters."
    if mistakes:
        raise ValidationError(mistakes)
    if free and any(rates.values()):
        raise ValidationError("A free model has no rates: leave them at 0, or do not call it free.")
    if not free and not (rates["input"] or rates["output"] or rates["request"]):
        raise ValidationError("All rates are 0. Say that the model is free if that is meant.")


def _shown(price: Price) -> dict[str, str | bool | None]:
    shown: dict[str, str | bool | None] = {
        "model": price.model.slug,
        "effective_from": price.effective_from.isoformat(),
    }
    for name in RATES:
        rate = getattr(price, name)
        shown[name] = None if rate is None else format_usd(rate)
    where = {"deployment": price.deployment_id} if price.deployment_id else {}
    return shown | where | {"free": price.free, "source": price.source}
