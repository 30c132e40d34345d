"""Requests as pages show them: with names in place of ids, and the price behind each cost."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from billing.labels import labels
from billing.models import UsageEvent
from catalog.models import Model, Price
from catalog.rates import policy_of
from gateway.endpoints import REALTIME
from gateway.money import settle
from gateway.units import UNITS, Bucket

BATCHES = "batches.create"  # the endpoint of such a usage event
PER_CALL = "a call"
WORDS: dict[Bucket, str] = {
    "input": "Input", "cached": "Cached input", "cache_write": "Written to the cache", "output": "Output",
}  # fmt: skip
NAMED = ("team", "user", "key", "application", "model", "asked_model", "deployment", "provider")


@dataclass(frozen=True, slots=True)
class Request:
    """One attempt, with the names of what it mentions."""

    event: UsageEvent
    names: dict[str, str]

    @property
    def stood_by(self) -> bool:
        """Whether it was reserved in a session for a response that never came."""
        event = self.event
        return event.endpoint == REALTIME.name and not (
            event.input_tokens or event.output_tokens or event.cost_nano_usd
        )

    @property
    def outcome(self) -> str:
        if self.event.status < 400:
            return "Not used" if self.stood_by else "Answered"
        return self.event.code.replace("_", " ") or "Failed"


@dataclass(frozen=True, slots=True)
class Charge:
    """What one kind of token or unit, or the call itself, costs. `rate` is nano-USD for what `per` says."""

    words: str
    amount: int
    rate: int
    cost: int
    per: str = "per 1M"

    @property
    def per_call(self) -> bool:
        return self.per == PER_CALL


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt in full."""

    request: Request
    price: Price | None
    charges: list[Charge]

    @property
    def units(self) -> list[tuple[str, int]]:
        """What was used beside text tokens and has no charge of its own, in words."""
        shown = {charge.words for charge in self.charges}
        return [(words, count) for words, count in units_of(self.request.event) if _capital(words) not in shown]

    @property
    def long_above(self) -> int:
        """The length beyond which the rates of long prompts were charged; 0 where they were not."""
        long = self.price.long if self.price else {}
        return long["above"] if long and self.request.event.input_tokens > long["above"] else 0

    @property
    def used_nothing(self) -> bool:
        event = self.request.event
        return not (self.charges or event.input_tokens or event.output_tokens or event.cost_nano_usd or self.units)

    @property
    def charges_add_up(self) -> bool:
        return sum(charge.cost for charge in self.charges) == self.request.event.cost_nano_usd


@dataclass(frozen=True, slots=True)
class Step:
    """One attempt on the way of a request, and what came of it."""

    request: Request
    then: str


def path(found: Sequence[Attempt]) -> list[Step]:
    """Tell the way of a request through its attempts, each with why another followed."""
    requests = [attempt.request for attempt in found]
    return [Step(one, _then(one.event, after)) for one, after in zip(requests, [*requests[1:], None], strict=True)]


def named(events: Sequence[UsageEvent], kinds: Sequence[str] = NAMED) -> list[Request]:
    """Name what events mention; one query for each kind."""
    known = {kind: labels(kind, {getattr(event, f"{kind}_id") or "" for event in events}) for kind in kinds}
    return [Request(event, {kind: _name(event, kind, known[kind]) for kind in kinds}) for event in events]


def attempts(events: Sequence[UsageEvent]) -> list[Attempt]:
    """Tell the whole story of a request: each attempt, the price it was charged at, and the sum taken apart."""
    prices = Price.objects.in_bulk([event.price_id for event in events if event.price_id])
    return [
        Attempt(request, (price := prices.get(request.event.price_id)), charges(request.event, price))
        for request in named(events)
    ]


def charges(event: UsageEvent, price: Price | None) -> list[Charge]:
    """Take a cost apart. Cached and written tokens are part of the input tokens, each priced once (OpenAI's convention).

    So are units that are tokens. A long prompt is charged at its own rates, as `gateway.stages.meter` does, and a batch at
    its share of them.
    """
    if price is None:
        return []
    policy = policy_of(price)
    rates = policy if policy.long is None or event.input_tokens <= policy.long.above else policy.long
    priced = rates.units or {}
    cached = rates.input if rates.cached_input is None else rates.cached_input
    written = rates.input if rates.cache_write is None else rates.cache_write
    plain = max(0, event.input_tokens - event.cached_tokens - event.cache_write_tokens)
    buckets: dict[Bucket, list[int]] = {
        "input": [plain, rates.input], "cached": [event.cached_tokens, cached],
        "cache_write": [event.cache_write_tokens, written], "output": [event.output_tokens, rates.output],
    }  # fmt: skip
    units = []
    for name, count in (event.units or {}).items():
        unit = UNITS.get(name)
        if unit is None or (unit.part_of is not None and name not in priced):
            continue
        if unit.part_of is not None:
            buckets[unit.part_of][0] -= count
        rate = priced.get(name, 0)
        units.append(
            Charge(
                _capital(unit.label), count, unit.lot_price(rate), settle(count * rate), unit.per.replace(" tokens", "")
            )
        )
    found = [Charge(WORDS[name], count, rate, settle(count * rate)) for name, (count, rate) in buckets.items() if count]
    call = [Charge("The call itself", 1, price.request, price.request, PER_CALL)] if price.request else []
    share = policy.batch if event.endpoint == BATCHES else 100
    return [replace(one, rate=one.rate * share // 100, cost=one.cost * share // 100) for one in (*found, *units, *call)]


def units_of(event: UsageEvent) -> list[tuple[str, int]]:
    """Return what was used beside text tokens, in words; a unit that this version does not know by its name."""
    return [(UNITS[name].label if name in UNITS else name, count) for name, count in (event.units or {}).items()]


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def slug_of(model_id: str) -> str:
    """Return what clients call a model by; "" when it is gone."""
    return Model.objects.filter(id=model_id).values_list("slug", flat=True).first() or ""


def _then(event: UsageEvent, after: Request | None) -> str:
    if event.endpoint == REALTIME.name:
        return "The session ended." if after is None else "The session went on."
    if after is None:
        return "Answered the caller." if event.status < 400 else "The caller was told."
    if after.event.model_id != event.model_id:
        return f"So {after.names['model']} was called instead."
    if after.event.deployment_id != event.deployment_id:
        return "So another deployment was tried."
    return "So the same deployment was tried again."


def _name(event: UsageEvent, kind: str, known: dict[str, str]) -> str:
    one = getattr(event, f"{kind}_id") or ""
    return known.get(one, one)
