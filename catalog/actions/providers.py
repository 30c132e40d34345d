"""Writes about providers."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import IntegrityError

from catalog.addresses import check_base_url
from catalog.dialects import dialects, mistakes_of
from catalog.known_words import ordered
from catalog.models import Credential, FormerCredential, Provider
from catalog.models.models import DATA_CLASSES
from gateway.credentials.grants import ENTRA_AUTHORITY
from gateway.credentials.ways import GRANTS, WAYS
from gateway.dialects.registry import PROVIDERS
from portal.people.actions.rules import demand
from portal.people.audit import Actor, recorded

FIELDS = (
    "slug", "name", "kind", "dialect", "auth", "base_url", "options", "region", "data_classes", "internal", "enabled",
)  # fmt: skip


def create_provider(
    *, actor: Actor, slug: str, name: str = "", base_url: str = "", dialect: str = "openai", auth: str = "",
    options: Mapping[str, str] | None = None, kind: str = "remote", region: str = "",
    data_classes: Sequence[str] = (), internal: bool = False, enabled: bool = True,
) -> Provider:  # fmt: skip
    """Add a provider. Needs catalog.manage. Raises ValidationError, by field; `options.name` is one of the options."""
    demand(actor, "catalog.manage")
    provider = Provider(
        slug=slug, name=name or slug, base_url=base_url, dialect=dialect, auth=auth, options=dict(options or {}), kind=kind,
        region=region, data_classes=list(data_classes), internal=internal, enabled=enabled,
    )  # fmt: skip
    with recorded(actor, "provider:create", provider) as trail:
        _check(provider)
        try:
            provider.save(force_insert=True)
        except IntegrityError:  # somebody was quicker by a moment
            raise ValidationError({"slug": "This short name is taken. Choose another."}) from None
        trail.after = _shown(provider)
        trail.changed("provider", provider.pk)
    return provider


def change_provider(*, actor: Actor, provider: Provider, credential_follows: bool = False, **fields: Any) -> Provider:
    """Change some of `FIELDS`. Needs catalog.manage. Writes nothing where nothing differs. Raises ValidationError, by field.

    A stored secret is not carried to where it was not meant to go (see `_leads_elsewhere`): say `credential_follows` where
    the caller sets the credential next. What is stored, also for an undo, is forgotten then.
    """
    demand(actor, "catalog.manage")
    unknown = set(fields) - set(FIELDS)
    if unknown:
        raise TypeError(f"a provider has no field {', '.join(sorted(unknown))}")
    with recorded(actor, "provider:change") as trail:
        provider = Provider.objects.select_for_update().get(pk=provider.pk)
        trail.target = provider
        before = _shown(provider)
        for field, value in fields.items():
            setattr(provider, field, value)
        _check(provider)
        after = _shown(provider)
        changed = [field for field in FIELDS if before[field] != after[field]]
        if not changed:
            trail.skip()
            return provider
        if field := _leads_elsewhere(before, after):
            if not credential_follows:
                _refuse_to_carry(provider, field)
            Credential.objects.filter(provider=provider).delete()  # before it is exchanged: no undo brings it back here
            FormerCredential.objects.filter(provider=provider).delete()
        provider.save(update_fields=changed)
        trail.before = {field: before[field] for field in changed}
        trail.after = {field: after[field] for field in changed}
        trail.changed("provider", provider.pk)
    return provider


def remove_provider(*, actor: Actor, provider: Provider) -> None:
    """Delete a provider that serves nothing. Needs catalog.manage. Raises ValidationError where a model still names it."""
    demand(actor, "catalog.manage")
    with recorded(actor, "provider:remove", provider) as trail:
        served = list(provider.deployments.order_by("model__slug").values_list("model__slug", flat=True)[:5])
        if served:
            raise ValidationError(
                f"Models are still deployed at {provider.slug}: {', '.join(served)}. Take them off first."
            )
        trail.before = _shown(provider)
        trail.changed("provider", provider.pk)
        provider_id = provider.pk
        provider.delete()
        provider.pk = provider_id  # the audit row names what is gone


def _leads_elsewhere(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return the field by which a change sends the secret to another host than it was stored for, "" where none does.

    Secrets that are traded for access tokens go to a login host; an internal provider's may be any.
    """
    if _origin(before["base_url"]) != _origin(after["base_url"]):
        return "base_url"
    if _login(before) != _login(after):
        return "options.authority"
    if after["internal"] and not before["internal"] and _way(after) in GRANTS:
        return "internal"
    return ""


def _origin(address: str) -> tuple[str, str, int | None]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname or "", parts.port


def _login(fields: Mapping[str, Any]) -> str:
    """Return where a secret is traded for a token, as `gateway.credentials.grants` finds it."""
    named = fields["options"].get("authority") if _way(fields) == "entra" else ""
    return (named or ENTRA_AUTHORITY).rstrip("/")


def _way(fields: Mapping[str, Any]) -> str:
    return fields["auth"] or PROVIDERS[fields["dialect"]].auth


def _refuse_to_carry(provider: Provider, field: str) -> None:
    """Raises ValidationError where a secret that nobody can look at any more would be sent to another host."""
    if Credential.objects.filter(provider=provider).exists():
        raise ValidationError(
            {
                field: "This leads to another host, or lets one be named, which would get the credential. "
                "Enter the credential again, too."
            }
        )


def _check(provider: Provider) -> None:
    """Raises ValidationError, by field."""
    mistakes: dict[str, Any] = {}
    if provider.kind == Provider.Kind.DEMO:
        provider.base_url = ""  # known only at start
    else:
        try:
            provider.base_url = check_base_url(provider.base_url, internal=provider.internal)
        except ValueError as mistake:
            mistakes["base_url"] = [str(mistake)]
    provider.options = {name: text for name, text in provider.options.items() if text != ""}
    provider.data_classes = ordered(provider.data_classes, DATA_CLASSES, "data_classes", mistakes)
    if provider.dialect in dialects():
        mistakes |= {field: [words] for field, words in mistakes_of(provider.dialect, provider.options).items()}
    else:
        mistakes["dialect"] = [f"This is one of {', '.join(dialects())}."]
    if provider.auth and provider.auth not in WAYS:
        mistakes["auth"] = [f"This is one of {', '.join(WAYS)}."]
    try:
        # names of hosts without a dot are fine inside a company; Django's own check would refuse them
        provider.full_clean(exclude={"base_url", "options", "data_classes"}, validate_constraints=False)
    except ValidationError as found:
        mistakes |= found.error_dict
    if mistakes:
        raise ValidationError(mistakes)


def _shown(provider: Provider) -> dict[str, Any]:
    return {field: getattr(provider, field) for field in FIELDS}


def try_again(*, actor: Actor, provider: Provider) -> None:
    """Have gateways try at once what is out of a provider, instead of when its time is up. Needs catalog.manage.

    Nothing is stored: each gateway reads it in the change feed, and lets its next call go there.
    """
    demand(actor, "catalog.manage")
    with recorded(actor, "provider:try_again", provider) as trail:
        trail.changed("provider_try", provider.pk)
