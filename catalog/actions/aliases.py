"""Writes about aliases: names that lead to models."""

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from catalog.actions.models import SLUG
from catalog.models import Alias, Model
from portal.people.actions.rules import demand
from portal.people.audit import Actor, recorded


def add_alias(*, actor: Actor, slug: str, model: Model) -> Alias:
    """Let clients call `model` by `slug`, too. Needs catalog.manage. Raises ValidationError, by field."""
    demand(actor, "catalog.manage")
    if not SLUG.match(slug) or "//" in slug or slug.endswith("/"):
        raise ValidationError({"slug": "A name holds letters, digits and . _ : @ / + - only."})
    alias = Alias(slug=slug, model=model)
    with recorded(actor, "alias:add", alias) as trail:
        if Model.objects.filter(slug=slug).exists():
            raise ValidationError({"slug": "A model has this id. An alias needs a name of its own."})
        try:
            with transaction.atomic():
                alias.save(force_insert=True)
        except IntegrityError:
            raise ValidationError({"slug": "There is an alias of this name. Let it point elsewhere instead."}) from None
        trail.after = {"model": model.slug}
        trail.changed("alias", alias.pk)
    return alias


def repoint_alias(*, actor: Actor, alias: Alias, model: Model) -> Alias:
    """Let an alias point to `model` from now on. Needs catalog.manage. Writes nothing where it does already."""
    demand(actor, "catalog.manage")
    with recorded(actor, "alias:repoint") as trail:
        alias = Alias.objects.select_for_update(of=("self",)).select_related("model").get(pk=alias.pk)
        trail.target = alias
        if alias.model_id == model.pk:
            trail.skip()
            return alias
        trail.before, trail.after = {"model": alias.model.slug}, {"model": model.slug}
        alias.model, alias.since = model, timezone.now()
        alias.save(update_fields=["model", "since"])
        trail.changed("alias", alias.pk)
    return alias


def remove_alias(*, actor: Actor, alias: Alias) -> None:
    """Take an alias away: calls by that name are refused from now on. Needs catalog.manage."""
    demand(actor, "catalog.manage")
    with recorded(actor, "alias:remove", alias) as trail:
        standing = Alias.objects.select_for_update(of=("self",)).select_related("model").filter(pk=alias.pk).first()
        if standing is None:
            trail.skip()
            return
        trail.before = {"model": standing.model.slug}
        trail.changed("alias", alias.pk)
        standing.delete()
