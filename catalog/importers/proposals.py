"""Packaged facts held against the catalogue: a list to look through, and to apply through the same actions as the pages."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from catalog.actions.models import create_model
from catalog.actions.prices import set_price
from catalog.importers.packaged import PackagedModel, PackagedPrice, models, price_of, source
from catalog.models import Model, Price
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
        new = _words(self.price.input, self.price.output)
        if self.standing is None:
            return f"+ {self.model.slug}: {self.model.name}, {new}"
        return f"~ {self.model.slug}: {_words(self.standing.input, self.standing.output)} → {new}"


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
        row = Model.objects.filter(slug=model.slug).first() or _create(model, price, actor)
        set_price(
            actor=actor, model=row, effective_from=None, input=price.input, output=price.output,
            cached_input=price.cached_input, cache_write=price.cache_write, source=source(),
        )  # fmt: skip


def _create(model: PackagedModel, price: PackagedPrice, actor: Actor) -> Model:
    """Above the length where prices rise the model is not offered, so that no call is priced too low."""
    context = min(model.context, price.until_tokens or model.context)
    note = (
        f" Limited here to the prompt length up to which its price holds ({context:,} tokens)."
        if context < model.context
        else ""
    )
    return create_model(
        actor=actor, slug=model.slug, display_name=model.name, vendor=model.vendor, description=model.about + note,
        capabilities=list(model.can), context_tokens=context, max_output_tokens=min(model.output, context),
        tier=model.tier, stage=Model.Stage.DEPRECATED if price.deprecated else Model.Stage.APPROVED,
        data_classes=["public", "internal"],
    )  # fmt: skip


def _rates(price: Price | PackagedPrice) -> tuple[int | None, ...]:
    return price.input, price.output, price.cached_input, price.cache_write


def _words(input_rate: int, output_rate: int) -> str:
    return f"${format_usd(input_rate)} in, ${format_usd(output_rate)} out per 1M tokens"
