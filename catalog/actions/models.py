"""Writes about models and where they are served."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError

from catalog.models import Deployment, Model, Provider
from catalog.models.models import CAPABILITIES, DATA_CLASSES
from portal.people.actions.rules import demand
from portal.people.audit import Actor, recorded

FIELDS = (
    "display_name", "description", "vendor", "capabilities", "context_tokens", "max_output_tokens", "tier", "stage",
    "retires_on", "owner", "data_classes",
)  # fmt: skip
SLUG = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,127}\Z")
MAX_TOKENS = 100_000_000
MAX_WEIGHT = 1_000_000

DeploymentRow = tuple[Provider, str, int, bool]  # provider, the model's name there, weight, enabled


def create_model(*, actor: Actor, slug: str, context_tokens: int, max_output_tokens: int, **fields: Any) -> Model:
    """Put a model into the catalogue; it can be called once it has a deployment and a price.

    Needs catalog.manage. Raises ValidationError, by field.
    """
    demand(actor, "catalog.manage")
    _known(fields)
    model = Model(slug=slug, context_tokens=context_tokens, max_output_tokens=max_output_tokens, **fields)
    model.display_name = model.display_name or slug
    with recorded(actor, "model:create", model) as trail:
        _check(model)
        try:
            model.save(force_insert=True)
        except IntegrityError:  # somebody was quicker by a moment
            raise ValidationError({"slug": "This id is taken. Choose another."}) from None
        trail.after = {"slug": model.slug} | _shown(model)
        trail.changed("model", model.pk)
    return model


def change_model(*, actor: Actor, model: Model, **fields: Any) -> Model:
    """Change some of `FIELDS`; the slug stays, as clients call by it. Needs catalog.manage. Raises ValidationError."""
    demand(actor, "catalog.manage")
    _known(fields)
    with recorded(actor, "model:change") as trail:
        model = Model.objects.select_for_update().get(pk=model.pk)
        trail.target = model
        before = _shown(model)
        for field, value in fields.items():
            setattr(model, field, value)
        _check(model)
        after = _shown(model)
        changed = [field for field in FIELDS if before[field] != after[field]]
        if not changed:
            trail.skip()
            return model
        model.save(update_fields=changed)
        trail.before = {field: before[field] for field in changed}
        trail.after = {field: after[field] for field in changed}
        trail.changed("model", model.pk)
    return model


def retire_model(*, actor: Actor, model: Model) -> Model:
    """Take a model out of use: it is refused from now on. Its history stays."""
    return change_model(actor=actor, model=model, stage=Model.Stage.RETIRED)


def set_deployments(*, actor: Actor, model: Model, deployments: Sequence[DeploymentRow]) -> list[Deployment]:
    """Make `deployments` the whole list of where `model` is served. A deployment that stays keeps its id.

    Needs catalog.manage. Raises ValidationError for a place named twice, an empty name, a weight out of range.
    """
    demand(actor, "catalog.manage")
    _check_deployments(deployments)
    with recorded(actor, "model:set_deployments", model) as trail:
        Model.objects.select_for_update().get(pk=model.pk)
        rows = Deployment.objects.filter(model=model).select_related("provider")
        standing = {(row.provider_id, row.upstream_model): row for row in rows}
        before = _listed(standing.values())
        kept = [_keep(model, standing.pop((row[0].pk, row[1]), None), row) for row in deployments]
        Deployment.objects.filter(pk__in=[row.pk for row in standing.values()]).delete()
        after = _listed(kept)
        if before == after:
            trail.skip()
            return kept
        trail.before, trail.after = {"deployments": before}, {"deployments": after}
        trail.changed("model", model.pk)
    return kept


def _keep(model: Model, standing: Deployment | None, row: DeploymentRow) -> Deployment:
    """Write one row where it is new or differs."""
    provider, upstream, weight, enabled = row
    if standing is None:
        return Deployment.objects.create(
            model=model, provider=provider, upstream_model=upstream, weight=weight, enabled=enabled
        )
    if (standing.weight, standing.enabled) != (weight, enabled):
        standing.weight, standing.enabled = weight, enabled
        standing.save(update_fields=["weight", "enabled"])
    return standing


def _check_deployments(deployments: Sequence[DeploymentRow]) -> None:
    seen: set[tuple[str, str]] = set()
    for provider, upstream, weight, _ in deployments:
        place = (provider.pk, upstream)
        if place in seen:
            raise ValidationError(f"{upstream} at {provider.slug} is listed twice.")
        seen.add(place)
        if not upstream or len(upstream) > 200 or not upstream.isprintable():
            raise ValidationError(f"The model's name at {provider.slug} is 1 to 200 printable characters.")
        if not 0 <= weight <= MAX_WEIGHT:
            raise ValidationError(f"The weight of {upstream} at {provider.slug} is not between 0 and {MAX_WEIGHT}.")


def _known(fields: dict[str, Any]) -> None:
    unknown = set(fields) - set(FIELDS)
    if unknown:
        raise TypeError(f"a model has no field {', '.join(sorted(unknown))}")


def _check(model: Model) -> None:
    """Raises ValidationError, by field."""
    mistakes: dict[str, Any] = {}
    if not SLUG.match(model.slug) or "//" in model.slug or model.slug.endswith("/"):
        mistakes["slug"] = ["An id holds letters, digits and . _ : @ / + - only, and begins with a letter or digit."]
    model.capabilities = _ordered(model.capabilities, CAPABILITIES, "capabilities", mistakes)
    model.data_classes = _ordered(model.data_classes, DATA_CLASSES, "data_classes", mistakes)
    for field in ("context_tokens", "max_output_tokens"):
        least = 1 if field == "context_tokens" else 0
        if not least <= getattr(model, field) <= MAX_TOKENS:
            mistakes[field] = [f"This is a whole number between {least} and {MAX_TOKENS}."]
    try:
        # an empty list is a fine answer here; Django's own check takes it for a missing one
        model.full_clean(exclude={"capabilities", "data_classes"}, validate_constraints=False)
    except ValidationError as found:
        mistakes = found.error_dict | mistakes
    if mistakes:
        raise ValidationError(mistakes)


def _ordered(given: Iterable[str], known: Sequence[str], field: str, mistakes: dict[str, Any]) -> list[str]:
    """Return `given` in the order of `known`, once each; note what is not known."""
    given = list(given)
    strange = [str(word)[:40] for word in given if word not in known]
    if strange:
        mistakes[field] = [f"{', '.join(strange)}: not one of {', '.join(known)}."]
        return given
    return [word for word in known if word in given]


def _shown(model: Model) -> dict[str, Any]:
    shown = {field: getattr(model, field) for field in FIELDS}
    shown["retires_on"] = model.retires_on.isoformat() if model.retires_on else None
    return shown


def _listed(rows: Iterable[Deployment]) -> list[dict[str, Any]]:
    shown = [
        {"provider": row.provider.slug, "model": row.upstream_model, "weight": row.weight, "enabled": row.enabled}
        for row in rows
    ]
    return sorted(shown, key=lambda row: (row["provider"], row["model"]))
