"""What a stored price says: as the gateway's policy, and in words for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog.models import Price
from gateway import snapshot as policy
from gateway.money import format_usd
from gateway.units import UNITS

TOKENS = "per 1M tokens"
USUAL_BATCH = 50  # percent
RATES = ("input", "cached_input", "cache_write", "output", "request")
UNIT_NAMES = {"minutes" if name == "seconds" else name: name for name in UNITS}  # priced by the minute
BUCKETS = (
    ("input", "Input"),
    ("cached_input", "Input read from the provider's cache"),
    ("cache_write", "Input written to the provider's cache"),
    ("output", "Output"),
)


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One rate, in words; `amount` in USD."""

    words: str
    amount: str
    unit: str = TOKENS


@dataclass(frozen=True, slots=True)
class Group:
    """Rates that few prices have, under one heading; "" for none."""

    heading: str
    lines: list[PriceLine]


def policy_of(row: Price) -> policy.Price:
    """Return a price as the gateway charges it."""
    units, long = dict(row.units), dict(row.long)
    if long:
        long["units"] = units | long.get("units", {}) or None
    return policy.Price(
        id=row.pk, effective_from=row.effective_from.timestamp(), input=row.input, output=row.output,
        cached_input=row.cached_input, cache_write=row.cache_write, request=row.request, free=row.free,
        units=units or None, long=policy.LongRates(**long) if long else None, batch=row.batch_percent,
    )  # fmt: skip


def lines_of(row: Price) -> list[PriceLine]:
    """Return the rates that make up most of a price: of tokens and calls, or of units where these are all there is."""
    lines = bucket_lines({name: getattr(row, name) for name, _ in BUCKETS})
    if by_units_alone(row):
        lines = unit_lines(row.units)
    if row.request:
        lines.append(PriceLine("Each call", f"${format_usd(row.request)}", "per call"))
    return lines


def groups_of(row: Price) -> list[Group]:
    """Return the other rates of a price; none for nearly all."""
    groups = [] if by_units_alone(row) or not row.units else [Group("", unit_lines(row.units))]
    if row.batch_percent != USUAL_BATCH and not row.free:
        groups.append(Group("", [PriceLine("Within a batch", f"{row.batch_percent} %", "of all rates")]))
    if row.long:
        lines = bucket_lines(row.long) + unit_lines(row.long.get("units", {}))
        groups.append(Group(f"Above {row.long['above']:,} prompt tokens, the whole call", lines))
    return groups


def others_of(row: Price) -> list[Group]:
    """Return all rates beside those of text tokens and calls."""
    units = [Group("", unit_lines(row.units))] if row.units and by_units_alone(row) else []
    return units + groups_of(row)


def by_units_alone(row: Price) -> bool:
    """Say whether a price asks nothing for tokens, as those of images and speech."""
    return bool(row.units) and not row.input and not row.output


def bucket_lines(rates: Mapping[str, int | None]) -> list[PriceLine]:
    """Return lines for the buckets of tokens that have a rate (nano-USD per 1,000,000)."""
    return [
        PriceLine(words, f"${format_usd(rate)}") for name, words in BUCKETS if (rate := rates.get(name)) is not None
    ]


def unit_lines(rates: Mapping[str, int]) -> list[PriceLine]:
    """Return lines for units, in the order of the table."""
    return [
        PriceLine(_capital(unit.label), f"${format_usd(unit.lot_price(rates[name]))}", unit.per)
        for name, unit in UNITS.items()
        if name in rates
    ]


def in_words(row: Price) -> str:
    """Say what a price comes to on one line: `$0.15 in, $0.60 out per 1M tokens`; `$0.04 per image`."""
    if row.free:
        return "free"
    parts = [f"{line.amount} {line.unit}" for line in unit_lines(row.units)] if by_units_alone(row) else []
    if row.input or row.output:
        answers = f", ${format_usd(row.output)} out" if row.output else ""
        parts.append(f"${format_usd(row.input)} in{answers} {TOKENS}")
    if row.request:
        parts.append(f"${format_usd(row.request)} per call")
    more = f"; more above {row.long['above']:,} prompt tokens" if row.long else ""
    return ", ".join(parts) + more


def written_units(units: Mapping[str, int]) -> dict[str, str]:
    """Write rates of units by their names for files and programs, as people put their prices."""
    names = ((ours, units[name]) for ours, name in UNIT_NAMES.items() if name in units)
    return {ours: format_usd(UNITS[UNIT_NAMES[ours]].lot_price(rate)) for ours, rate in names}


def written_long(long: Mapping[str, Any]) -> dict[str, Any]:
    """Write what a long prompt costs for files and programs; {} for nothing."""
    if not long:
        return {}
    rates = {name: format_usd(long[name]) for name in RATES if name in long}
    units = {"units": written_units(long["units"])} if "units" in long else {}
    return {"above": long["above"]} | rates | units


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
