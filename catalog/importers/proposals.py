"""Packaged facts held against the catalogue: a list to look through, and to apply through the same actions as the pages."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from catalog.actions.models import create_model
from catalog.actions.prices import set_price
from catalog.importers.packaged import PackagedModel, PackagedPrice, models, price_of, source
from catalog.models import Model, Price
from catalog.rates import unit_lines
from gateway.money import format_usd
from portal.people.audit import Actor


@dataclass(frozen=True, slots=True)
class Proposal:
    """A model that is not in the catalogue, or a price that the provider has changed since."""

    model: PackagedModel
    price: PackagedPrice
    standing: Price | None  # None: the model is new

    @property
    def sentence(self) -> str:
        """Return the proposal as a line for people."""
        new = _words(self.price)
        if self.standing is None:
            return f"+ {self.model.slug}: {self.model.name}, {new}"
        return f"~ {self.model.slug}: {_words(self.standing)} → {new}"


def proposals(at: datetime | None = None) -> list[Proposal]:
    """Return what could be taken over from the package.

    What people have priced themselves is left alone, and a model that is there keeps all they have changed.
    """
    at = at or timezone.now()
    standing = dict(Model.objects.values_list("slug", "pk"))
    in_force: dict[str, Price] = {}
    for price in Price.objects.in_force(at).order_by("effective_from"):
        in_force[price.model_id] = price
    found: list[Proposal] = []
    for model in models():
        packaged = price_of(model, at)
        if packaged is None:
            continue
        if model.slug not in standing:
            found.append(Proposal(model, packaged, None))
            continue
        current = in_force.get(standing[model.slug])
        if current and current.source.startswith("genai-prices") and _rates(current) != _rates(packaged):
            found.append(Proposal(model, packaged, current))
    return found


def take_over(proposed: Iterable[Proposal], *, actor: Actor) -> None:
    """Apply proposals: create the models, add the prices from now on."""
    for proposal in proposed:
        model, price = proposal.model, proposal.price
        row = Model.objects.filter(slug=model.slug).first() or _create(model, deprecated=price.deprecated, actor=actor)
        set_price(
            actor=actor, model=row, effective_from=None, input=price.input, output=price.output,
            cached_input=price.cached_input, cache_write=price.cache_write, units=price.units, long=price.long,
            source=source(),
        )  # fmt: skip


def _create(model: PackagedModel, *, deprecated: bool, actor: Actor) -> Model:
    return create_model(
        actor=actor, slug=model.slug, display_name=model.name, vendor=model.vendor, description=model.about,
        capabilities=list(model.can), context_tokens=model.context, max_output_tokens=model.output, tier=model.tier,
        stage=Model.Stage.DEPRECATED if deprecated else Model.Stage.APPROVED, data_classes=["public", "internal"],
    )  # fmt: skip


def _rates(price: Price | PackagedPrice) -> tuple[object, ...]:
    return price.input, price.output, price.cached_input, price.cache_write, price.units, price.long


def _words(price: Price | PackagedPrice) -> str:
    words = f"${format_usd(price.input)} in, ${format_usd(price.output)} out per 1M tokens"
    if price.units and not price.input and not price.output:
        return ", ".join(f"{line.amount} {line.unit}" for line in unit_lines(price.units))
    long = f"; above {price.long['above']:,} prompt tokens more" if price.long else ""
    others = f" (with {len(price.units)} other rates)" if price.units else ""
    return words + long + others
