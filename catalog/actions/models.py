"""Writes about models."""

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError

from catalog.known_words import ordered
from catalog.models import Alias, Model
from catalog.models.models import CAPABILITIES, DATA_CLASSES
from portal.people.actions.rules import demand
from portal.people.audit import Actor, recorded

FIELDS = (
    "display_name", "description", "vendor", "capabilities", "context_tokens", "max_output_tokens", "tier", "stage",
    "retires_on", "owner", "data_classes",
)  # fmt: skip
SLUG = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,127}\Z")
MAX_TOKENS = 100_000_000


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
        if Alias.objects.filter(slug=slug).exists():
            raise ValidationError({"slug": "An alias has this name. Remove it first, or choose another id."})
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


def _known(fields: dict[str, Any]) -> None:
    unknown = set(fields) - set(FIELDS)
    if unknown:
        raise TypeError(f"a model has no field {', '.join(sorted(unknown))}")


def _check(model: Model) -> None:
    """Raises ValidationError, by field."""
    mistakes: dict[str, Any] = {}
    if not SLUG.match(model.slug) or "//" in model.slug or model.slug.endswith("/"):
        mistakes["slug"] = ["An id holds letters, digits and . _ : @ / + - only, and begins with a letter or digit."]
    model.capabilities = ordered(model.capabilities, CAPABILITIES, "capabilities", mistakes)
    model.data_classes = ordered(model.data_classes, DATA_CLASSES, "data_classes", mistakes)
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


def _shown(model: Model) -> dict[str, Any]:
    shown = {field: getattr(model, field) for field in FIELDS}
    shown["retires_on"] = model.retires_on.isoformat() if model.retires_on else None
    return shown
