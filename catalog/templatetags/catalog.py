"""Filters that write abilities and rates of models for people."""

from typing import Any

from django import template

from catalog.forms.filters import CAPABILITY_WORDS
from catalog.models import Model
from catalog.rates import unit_lines
from gateway.money import format_usd

register = template.Library()
READERS = {"chat", "completions", "embeddings", "realtime"}  # what a model must do for its window to say anything


@register.filter
def ability(name: str) -> str:
    """The words for a capability."""
    return CAPABILITY_WORDS.get(name, name)


@register.filter
def abilities(names: list[str]) -> str:
    """The words for several capabilities, as one text."""
    return ", ".join(ability(name) for name in names).capitalize().replace("json", "JSON")


@register.filter
def unit_rates(rates: dict[str, int]) -> str:
    """The rates of what is billed in other than text tokens, as one text: `$0.04 per image`."""
    return ", ".join(f"{line.amount} {line.unit}" for line in unit_lines(rates))


@register.filter
def beside_tokens(model: Any) -> str:
    """What a model of `priced` costs where it asks nothing for tokens: `Free`, `$0.04 per image`; else ""."""
    if model.input is None or model.input or model.output:
        return ""
    calls = [f"{rate(model.each_call)} per call"] if model.each_call else []
    return "Free" if model.free else ", ".join([*filter(None, [unit_rates(model.units)]), *calls])


@register.filter
def has_window(model: Model) -> bool:
    """Whether the context of a model says anything to people, as it does not where it speaks, draws or judges."""
    return bool(READERS.intersection(model.capabilities))


@register.filter
def rate(nano: int) -> str:
    """A rate in USD, exact: 0.075 stays 0.075."""
    return f"${format_usd(nano)}"
