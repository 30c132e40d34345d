"""Requests as pages show them: with names in place of ids, and the price behind each cost."""

from collections.abc import Sequence
from dataclasses import dataclass

from billing.labels import labels
from billing.models import UsageEvent
from catalog.models import Model, Price
from gateway.money import settle

NAMED = ("team", "user", "key", "application", "model", "asked_model", "deployment", "provider")


@dataclass(frozen=True, slots=True)
class Request:
    """One attempt, with the names of what it mentions."""

    event: UsageEvent
    names: dict[str, str]

    @property
    def outcome(self) -> str:
        if self.event.status < 400:
            return "Answered"
        return self.event.code.replace("_", " ") or "Failed"


@dataclass(frozen=True, slots=True)
class Charge:
    """What one kind of token, or the call itself, costs. `rate` is nano-USD per million tokens (per call: of one)."""

    words: str
    amount: int
    rate: int
    cost: int
    per_call: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt in full."""

    request: Request
    price: Price | None
    charges: list[Charge]

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
    """Take a cost apart. Cached and written tokens are part of the input tokens, each priced once (OpenAI's convention)."""
    if price is None:
        return []
    plain = event.input_tokens - event.cached_tokens - event.cache_write_tokens
    cached = price.input if price.cached_input is None else price.cached_input
    written = price.input if price.cache_write is None else price.cache_write
    parts = [
        ("Input", max(0, plain), price.input),
        ("Cached input", event.cached_tokens, cached),
        ("Written to the cache", event.cache_write_tokens, written),
        ("Output", event.output_tokens, price.output),
    ]
    found = [Charge(words, count, rate, settle(count * rate)) for words, count, rate in parts if count]
    return found + (
        [Charge("The call itself", 1, price.request, price.request, per_call=True)] if price.request else []
    )


def slug_of(model_id: str) -> str:
    """Return what clients call a model by; "" when it is gone."""
    return Model.objects.filter(id=model_id).values_list("slug", flat=True).first() or ""


def _then(event: UsageEvent, after: Request | None) -> str:
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
