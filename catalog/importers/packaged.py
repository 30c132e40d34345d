"""The packaged facts: well-known providers, their models, and what those cost according to genai-prices."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from genai_prices.types import ModelPrice, TieredPrices
from genai_prices.types import Provider as PriceList

from catalog.dialects import dialects
from gateway.money import parse_usd

FOLDER = Path(__file__).resolve().parent.parent / "data"
RATES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached_input": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
}
UNITS = {
    "input_audio_tokens": "input_audio_mtok",
    "cached_audio_tokens": "cache_audio_read_mtok",
    "output_audio_tokens": "output_audio_mtok",
    "input_image_tokens": "input_image_mtok",
    "cached_image_tokens": "cache_image_read_mtok",
    "output_image_tokens": "output_image_mtok",
    "cache_write_1h_tokens": "cache_write_1h_mtok",
    "characters": "input_mchars",
}
HOURS = "input_audio_hours"  # of sound that is sent; what stands beside it is the same in other words
SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class PackagedProvider:
    """What is known of a provider; see the head of data/providers.yaml for each field."""

    slug: str
    name: str
    prices: str = ""
    key: str = ""
    base_url: str = ""
    dialect: str = "openai"
    example: str = ""
    internal: bool = False
    about: str = ""

    @property
    def host(self) -> str:
        return urlsplit(self.base_url or self.example).hostname or ""

    @property
    def connects_itself(self) -> bool:
        """Say whether a key in the environment is all that it needs: its models are known, and the gateway speaks to it."""
        return bool(self.prices and self.key and self.base_url) and self.dialect in dialects()


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """`at` is a packaged provider's slug, `upstream` the model's name there, `priced` its name in the price list."""

    slug: str
    at: str
    upstream: str
    priced: str
    name: str
    vendor: str
    about: str
    context: int
    output: int
    can: tuple[str, ...]
    tier: str


@dataclass(frozen=True, slots=True)
class PackagedPrice:
    """Rates in nano-USD per 1M tokens; `units` and `long` as in `catalog.models.Price`."""

    input: int
    output: int
    cached_input: int | None
    cache_write: int | None
    units: Mapping[str, int]
    long: Mapping[str, Any]
    deprecated: bool


@cache
def providers() -> dict[str, PackagedProvider]:
    """Return the packaged providers by slug."""
    return {slug: PackagedProvider(slug=slug, **fields) for slug, fields in _load("providers.yaml").items()}


@cache
def models() -> tuple[PackagedModel, ...]:
    """Return the packaged models."""
    return tuple(_model(row) for row in _load("models.yaml")["models"])


def offered() -> list[PackagedProvider]:
    """Return the packaged providers whose dialect this gateway speaks, to choose from."""
    return [one for one in providers().values() if one.dialect in dialects()]


def source() -> str:
    """Return where packaged prices come from, as it is kept with each price."""
    return f"genai-prices {version('genai-prices')}"


def price_of(model: PackagedModel, at: datetime) -> PackagedPrice | None:
    """Return what the provider asks for `model` at `at`; None where the package does not know.

    Where the price depends on the hour, the dearest one: nothing may be billed too low.
    """
    listed = _price_lists()[providers()[model.at].prices].find_model(model.priced)
    if listed is None:
        return None
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    of_the_day = [listed.get_prices(midnight + timedelta(hours=hour)) for hour in range(24)]
    dearest = max(of_the_day, key=lambda price: [_amount(price, name) or 0 for name in ("output_mtok", "input_mtok")])
    rates = {name: _nano(_amount(dearest, theirs)) for name, theirs in RATES.items()}
    units = _rates(dearest, UNITS) | _by_time(dearest)
    if not rates["input"] and not rates["output"] and not units:
        return None
    return PackagedPrice(
        input=rates["input"] or 0,
        output=rates["output"] or 0,
        cached_input=rates["cached_input"],
        cache_write=rates["cache_write"],
        units=units,
        long=_long(dearest, model.context),
        deprecated=bool(listed.deprecated),
    )


def _long(price: ModelPrice, context: int) -> dict[str, Any]:
    """Return what a long prompt costs, where the model takes any: of several tiers the dearest, from the first one on."""
    tiered = [value for value in _values(price) if isinstance(value, TieredPrices) and value.tiers]
    above = min((value.tiers[0].start for value in tiered), default=context)
    if above >= context:
        return {}
    rates = _rates(price, RATES, longest=True)
    units = {
        name: rate for name, rate in _rates(price, UNITS, longest=True).items() if rate != _rates(price, UNITS)[name]
    }
    return {"above": above, "input": 0, "output": 0} | rates | ({"units": units} if units else {})


def _rates(price: ModelPrice, names: Mapping[str, str], *, longest: bool = False) -> dict[str, int]:
    """Return the rates of `names` that the list has, in nano-USD; `longest`: those of the longest prompts."""
    found = {name: _nano(_amount(price, theirs, longest=longest)) for name, theirs in names.items()}
    return {name: rate for name, rate in found.items() if rate is not None}


def _by_time(price: ModelPrice) -> dict[str, int]:
    """Return the rate of a million seconds where a list has one of hours; a part of a nano-dollar counts as one."""
    hour = _nano(_amount(price, HOURS))
    return {} if hour is None else {"seconds": -(-hour * 1_000_000 // SECONDS)}


@cache
def _price_lists() -> dict[str, PriceList]:
    from genai_prices.data import providers as listed  # 1.5 MB of tables, which only an import needs

    return {provider.id: provider for provider in listed}


def _values(price: ModelPrice) -> list[Any]:
    return [getattr(price, theirs, None) for theirs in RATES.values()]


def _amount(price: ModelPrice, name: str, *, longest: bool = False) -> Decimal | None:
    value = getattr(price, name, None)
    if not isinstance(value, TieredPrices):
        return value
    return max(tier.price for tier in value.tiers) if longest and value.tiers else value.base


def _nano(amount: Decimal | None) -> int | None:
    return None if amount is None else parse_usd(f"{amount:f}")


def _model(row: dict[str, Any]) -> PackagedModel:
    upstream = row.get("upstream", row["id"])
    return PackagedModel(
        slug=row["id"], at=row["at"], upstream=upstream, priced=row.get("priced", upstream), name=row["name"],
        vendor=row["vendor"], about=row["about"], context=row["context"], output=row["output"],
        can=tuple(row["can"]), tier=row["tier"],
    )  # fmt: skip


def _load(name: str) -> Any:
    with (FOLDER / name).open(encoding="utf-8") as file:
        return yaml.safe_load(file)
