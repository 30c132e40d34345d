"""Writes about providers and their credentials."""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils import timezone

from catalog.addresses import check_base_url
from catalog.models import Credential, Provider
from catalog.sealing import CannotOpen, fingerprint, seal, unseal
from portal.people.actions.rules import demand
from portal.people.audit import Actor, recorded

TABLE = "catalog.credential"
FIELDS = ("slug", "name", "kind", "dialect", "base_url", "region", "internal", "enabled")
LAST4_FROM = 12  # of a shorter secret, four characters would give too much away
MAX_SECRET = 8192
VARIABLE = re.compile(r"\A[A-Za-z_][A-Za-z0-9_]{0,199}\Z")
# What the servers themselves are trusted with: sent to a provider, it would be an administrator's to read.
OWN_VARIABLES = re.compile(
    r"\A(ATRIUM_|DJANGO_|PGPASS|POSTGRES_|OIDC_|EMAIL_|SECRET_KEY\Z|DATABASE_|REDIS_)", re.IGNORECASE
)


class CredentialMissing(Exception):  # says what is the matter, as the callers read it
    """A provider's credential cannot be read; the message says why and holds no secret."""


def create_provider(
    *, actor: Actor, slug: str, name: str = "", base_url: str = "", dialect: str = "openai", kind: str = "remote",
    region: str = "", internal: bool = False, enabled: bool = True,
) -> Provider:  # fmt: skip
    """Add a provider. Needs catalog.manage. Raises ValidationError, by field."""
    demand(actor, "catalog.manage")
    provider = Provider(
        slug=slug, name=name or slug, base_url=base_url, dialect=dialect, kind=kind, region=region,
        internal=internal, enabled=enabled,
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

    A stored secret is not carried to another host: say `credential_follows` where the caller names the credential too.
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
        if not credential_follows and _origin(before["base_url"]) != _origin(after["base_url"]):
            _refuse_to_carry(provider)
        provider.save(update_fields=changed)
        trail.before = {field: before[field] for field in changed}
        trail.after = {field: after[field] for field in changed}
        trail.changed("provider", provider.pk)
    return provider


def set_credential(
    *, actor: Actor, provider: Provider, value: str | None = None, env: str | None = None, file: str | None = None
) -> Credential:
    """Set a provider's secret: sealed here (`value`), or kept in an environment variable or a file of the gateway.

    Needs catalog.manage. Writes nothing where it is the same already. Raises ValidationError, by field, whose message
    never holds the secret.
    """
    demand(actor, "catalog.manage")
    source, reference, secret = _read_source(value, env, file)
    with recorded(actor, "provider:set_credential", provider) as trail:
        credential = Credential.objects.select_for_update().filter(provider=provider).first()
        mark = fingerprint(secret) if secret else ""
        if credential and (credential.source, credential.reference, credential.fingerprint) == (
            source,
            reference,
            mark,
        ):
            trail.skip()
            return credential
        trail.before = _described(credential)
        credential = credential or Credential(provider=provider)
        credential.source, credential.reference, credential.fingerprint = source, reference, mark
        credential.sealed = seal(secret, TABLE, credential.pk) if secret else None
        credential.last4 = secret[-4:] if len(secret) >= LAST4_FROM else ""
        credential.updated_at = timezone.now()
        credential.save()
        trail.after = _described(credential)
        trail.changed("provider", provider.pk)
    return credential


def remove_credential(*, actor: Actor, provider: Provider) -> None:
    """Forget a provider's secret; it is then called without one. Needs catalog.manage."""
    demand(actor, "catalog.manage")
    with recorded(actor, "provider:remove_credential", provider) as trail:
        credential = Credential.objects.select_for_update().filter(provider=provider).first()
        if credential is None:
            trail.skip()
            return
        trail.before = _described(credential)
        credential.delete()
        trail.changed("provider", provider.pk)


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


def read_credential(provider: Provider) -> str:
    """Return a provider's secret in the clear; empty where it has none. Never print or log it.

    Raises CredentialMissing when the variable, the file or the sealed value cannot be read.
    """
    credential = Credential.objects.filter(provider=provider).first()
    if credential is None:
        return ""
    if credential.source == Credential.Source.ENV:
        own = OWN_VARIABLES.match(credential.reference)
        secret = "" if own else os.environ.get(credential.reference, "").strip()
        if not secret:
            raise CredentialMissing(
                f"the environment variable {credential.reference} of provider {provider.slug} is not set"
            )
        return secret
    if credential.source == Credential.Source.FILE:
        return _read_file(provider, credential.reference)
    try:
        return unseal(bytes(credential.sealed or b""), TABLE, credential.pk)
    except CannotOpen:
        raise CredentialMissing(
            f"the stored credential of provider {provider.slug} cannot be opened with this ATRIUM_KEK: enter it again"
        ) from None


def _read_file(provider: Provider, path: str) -> str:
    if _is_own(path):
        raise CredentialMissing(f"the file {path} of provider {provider.slug} is the server's own")
    try:
        with Path(path).open(encoding="utf-8") as file:
            secret = file.read(MAX_SECRET + 1).strip()
    except (OSError, UnicodeDecodeError):
        raise CredentialMissing(f"the file {path} of provider {provider.slug} cannot be read") from None
    if not secret or len(secret) > MAX_SECRET or not secret.isprintable():
        raise CredentialMissing(f"the file {path} of provider {provider.slug} holds no usable secret")
    return secret


def _read_source(value: str | None, env: str | None, file: str | None) -> tuple[str, str, str]:
    """Return (source, reference, secret). Raises ValidationError unless exactly one is given and it can be used."""
    given = [name for name, text in (("value", value), ("env", env), ("file", file)) if text is not None]
    if len(given) != 1:
        raise ValidationError(
            "A credential is one of: a value, the name of an environment variable, the path of a file."
        )
    if value is not None:
        secret = value.strip()
        if not secret:
            raise ValidationError({"value": "The secret is empty. Enter it, or say that the provider needs none."})
        if len(secret) > MAX_SECRET or not (secret.isascii() and secret.isprintable()):
            raise ValidationError({"value": f"A secret is one line of 1 to {MAX_SECRET} plain characters."})
        return Credential.Source.SEALED, "", secret
    if env is not None:
        if not VARIABLE.match(env):
            raise ValidationError(
                {"env": "A variable's name holds letters, digits and _ only, such as OPENAI_API_KEY."}
            )
        if OWN_VARIABLES.match(env):
            raise ValidationError(
                {"env": f"{env} is Atrium's own and is sent to no provider. Choose another variable."}
            )
        return Credential.Source.ENV, env, ""
    if file is None or not file.startswith("/") or len(file) > 500 or not file.isprintable():
        raise ValidationError({"file": "Give the whole path, such as /run/secrets/openai."})
    if _is_own(file):
        raise ValidationError({"file": "This file is the server's own and is sent to no provider. Choose another."})
    return Credential.Source.FILE, file, ""


def _is_own(file: str) -> bool:
    """Say whether a path, links followed, leads to what the server itself keeps or is told."""
    try:
        path = Path(file).resolve()
    except (OSError, RuntimeError, ValueError):
        return True
    return any(path.is_relative_to(own) for own in ("/proc", "/sys", "/dev", settings.DATA_DIR))


def _origin(address: str) -> tuple[str, str, int | None]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname or "", parts.port


def _refuse_to_carry(provider: Provider) -> None:
    """Raises ValidationError where a secret that nobody can look at any more would be sent to another host."""
    if Credential.objects.filter(provider=provider).exists():
        raise ValidationError(
            {"base_url": "This leads to another host, which would get the credential. Enter the credential again, too."}
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
    try:
        # names of hosts without a dot are fine inside a company; Django's own check would refuse them
        provider.full_clean(exclude={"base_url"}, validate_constraints=False)
    except ValidationError as found:
        mistakes |= found.error_dict
    if mistakes:
        raise ValidationError(mistakes)


def _shown(provider: Provider) -> dict[str, Any]:
    return {field: getattr(provider, field) for field in FIELDS}


def _described(credential: Credential | None) -> dict[str, str]:
    """Say what kind of credential it is, never what it holds."""
    return {"source": credential.source, "reference": credential.reference} if credential else {}
