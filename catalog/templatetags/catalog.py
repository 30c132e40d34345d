"""Filters that write abilities and rates of models for people."""

from django import template

from catalog.forms.filters import CAPABILITY_WORDS
from catalog.rates import unit_lines
from gateway.money import format_usd

register = template.Library()


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
def rate(nano: int) -> str:
    """A rate in USD, exact: 0.075 stays 0.075."""
    return f"${format_usd(nano)}"
