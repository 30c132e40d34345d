"""Prices in a configuration file: read, and written as a file says them."""

from collections.abc import Callable
from typing import Any, cast

from catalog.actions.models import MAX_TOKENS
from catalog.models import Price
from catalog.rates import RATES, UNIT_NAMES, written_long, written_units
from gateway.money import format_usd
from gateway.units import UNITS
from portal.config.nodes import Node
from portal.config.wanted import WantedPrice

Readers = dict[str, Callable[[Node], Any]]


def read_prices(node: Node) -> list[WantedPrice]:
    """Read one price, or a list of prices that each say from when."""
    if isinstance(node.value, dict):
        return [_price(node)]
    prices = [_price(item) for item in node.items()]
    seen: set[Any] = set()
    for item, price in zip(node.items() if isinstance(node.value, list) else [], prices, strict=False):
        moment = price.get("effective_from")
        if moment is None:
            item.wrong("in a list, each price says its effective_from")
        elif moment in seen:
            item.wrong("two prices begin at the same time")
        seen.add(moment)
    return prices


def rates_of(row: Price) -> dict[str, Any]:
    """Return a price as a file says it: USD per 1M tokens as text, zero and absent rates left out where they may be."""
    tree: dict[str, Any] = {"free": True} if row.free else {}
    for name in RATES:
        rate = getattr(row, name)
        if rate is not None and not row.free and (rate or name != "request"):
            tree[name] = format_usd(rate)
    if row.units:
        tree["units"] = written_units(row.units)
    if row.long:
        tree["long"] = written_long(row.long)
    if row.batch_percent != 50:
        tree["batch_percent"] = row.batch_percent
    return tree | ({"source": row.source} if row.source else {})


def _price(node: Node) -> WantedPrice:
    price = {name: PRICE[name](below) for name, below in node.fields(PRICE).items()}
    units = any(price.get("units", {}).values())
    rates = any(price.get(name) for name in RATES) or units or "long" in price
    if price.get("free"):
        if rates:
            node.wrong("a free model has no rates: leave them out, or do not call it free")
    elif isinstance(node.value, dict):
        missing = [
            name for name in ("input", "output") if name not in price and not price.keys() & {"request", "units"}
        ]
        if missing:
            node.wrong(f'{" and ".join(missing)} missing (USD per 1M tokens, such as "0.15"); or say free: true')
        elif not (price.get("input") or price.get("output") or price.get("request") or units):
            node.wrong("all rates are 0; say free: true if that is meant")
    return cast(WantedPrice, price)


def _units(node: Node) -> dict[str, int]:
    found = node.fields(UNIT_NAMES)
    return {UNIT_NAMES[name]: UNITS[UNIT_NAMES[name]].rate_of(below.usd()) for name, below in found.items()}


def _long(node: Node) -> dict[str, Any]:
    found = {name: LONG[name](below) for name, below in node.fields(LONG).items()}
    missing = [name for name in ("above", "input", "output") if name not in found]
    if missing and isinstance(node.value, dict):
        node.wrong(f"{' and '.join(missing)} missing")
    return {name: value for name, value in found.items() if value != {}}


LONG: Readers = {
    "above": lambda node: node.whole(1, MAX_TOKENS),
    "input": Node.usd,
    "cached_input": Node.usd,
    "cache_write": Node.usd,
    "output": Node.usd,
    "units": _units,
}
PRICE: Readers = {
    "effective_from": Node.moment,
    "input": Node.usd,
    "cached_input": Node.usd,
    "cache_write": Node.usd,
    "output": Node.usd,
    "request": Node.usd,
    "units": _units,
    "long": _long,
    "batch_percent": lambda node: node.whole(0, 100),
    "free": Node.flag,
    "source": lambda node: node.text(empty=True),
}
