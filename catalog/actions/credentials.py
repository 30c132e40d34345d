"""Writes about the secrets of providers: set, exchanged, undone, forgotten; and the one way to read one."""

import json
import os
import re
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone

from catalog.models import Credential, FormerCredential, Provider
from catalog.sealing import CannotOpen, fingerprint, seal, unseal
from portal.people.actions.rules import demand
from portal.people.audit import Actor, recorded

TABLE, FORMER_TABLE = "catalog.credential", "catalog.formercredential"
KEPT = timedelta(hours=24)  # how long an exchange can be undone
LAST4_FROM = 12  # of a shorter secret, four characters would give too much away
MAX_SECRET = 8192
VARIABLE = re.compile(r"\A[A-Za-z_][A-Za-z0-9_]{0,199}\Z")
# What the servers themselves are trusted with: sent to a provider, it would be an administrator's to read.
OWN_VARIABLES = re.compile(
    r"\A(ATRIUM_|DJANGO_|PGPASS|POSTGRES_|OIDC_|EMAIL_|SECRET_KEY\Z|DATABASE_|REDIS_)", re.IGNORECASE
)


class CredentialMissing(Exception):  # says what is the matter, as the callers read it
    """A provider's credential cannot be read; the message says why and holds no secret."""


def set_credential(
    *, actor: Actor, provider: Provider, value: str | None = None, env: str | None = None, file: str | None = None
) -> Credential:
    """Set a provider's secret: sealed here (`value`), or kept in an environment variable or a file of the gateway.

    The one before is kept for `KEPT`, so that the exchange can be undone. Needs catalog.manage. Writes nothing where it
    is the same already. Raises ValidationError, by field, whose message never holds the secret.
    """
    demand(actor, "catalog.manage")
    source, reference, secret = _read_source(value, env, file)
    with recorded(actor, "provider:set_credential", provider) as trail:
        credential = Credential.objects.select_for_update().filter(provider=provider).first()
        mark = fingerprint(secret) if secret else ""
        standing = (credential.source, credential.reference, credential.fingerprint) if credential else None
        if credential and standing == (source, reference, mark):
            trail.skip()
            return credential
        trail.before = _described(credential)
        _keep_former(credential)
        credential = credential or Credential(provider=provider)
        _write(credential, source, reference, secret, actor)
        trail.after = _described(credential)
        trail.changed("provider", provider.pk)
    return credential


def remove_credential(*, actor: Actor, provider: Provider) -> None:
    """Forget a provider's secret, the former one too; it is then called without one. Needs catalog.manage."""
    demand(actor, "catalog.manage")
    with recorded(actor, "provider:remove_credential", provider) as trail:
        credential = Credential.objects.select_for_update().filter(provider=provider).first()
        FormerCredential.objects.filter(provider=provider).delete()
        if credential is None:
            trail.skip()
            return
        trail.before = _described(credential)
        credential.delete()
        trail.changed("provider", provider.pk)


def undo_credential(*, actor: Actor, provider: Provider) -> Credential:
    """Go back to the secret before the last exchange; the newer one is forgotten. Needs catalog.manage.

    Raises ValidationError where there is none any more.
    """
    demand(actor, "catalog.manage")
    with recorded(actor, "provider:undo_credential", provider) as trail:
        credential = Credential.objects.select_for_update().filter(provider=provider).first()
        former = FormerCredential.objects.filter(provider=provider, until__gt=timezone.now()).first()
        if former is None or credential is None:
            raise ValidationError("The former credential is no longer kept. Enter it again.")
        trail.before = _described(credential)
        secret = _open(former, FORMER_TABLE) if former.sealed else ""
        _write(credential, former.source, former.reference, secret, actor)
        former.delete()
        trail.after = _described(credential)
        trail.changed("provider", provider.pk)
    return credential


def confirm_credential(*, actor: Actor, provider: Provider) -> None:
    """Forget the former secret now, as the new one does its work. Needs catalog.manage."""
    demand(actor, "catalog.manage")
    with recorded(actor, "provider:confirm_credential", provider) as trail:
        if not FormerCredential.objects.filter(provider=provider).delete()[0]:
            trail.skip()


def forget_former_credentials() -> int:
    """Delete the former secrets whose time is over; returns how many."""
    return FormerCredential.objects.filter(until__lte=timezone.now()).delete()[0]


def secret_of(*, value: str | None = None, env: str | None = None, file: str | None = None) -> str:
    """Return the secret that these words stand for, before it is anybody's. Never print or log it.

    Raises ValidationError as `set_credential` does, CredentialMissing where the variable or file cannot be read.
    """
    source, reference, secret = _read_source(value, env, file)
    return secret if source == Credential.Source.SEALED else _look_up(source, reference)


def read_credential(provider: Provider) -> str:
    """Return a provider's secret in the clear; empty where it has none. Never print or log it.

    Raises CredentialMissing when the variable, the file or the sealed value cannot be read.
    """
    credential = Credential.objects.filter(provider=provider).first()
    if credential is None:
        return ""
    try:
        if credential.source == Credential.Source.SEALED:
            return _open(credential, TABLE)
        return _look_up(credential.source, credential.reference)
    except CredentialMissing as missing:
        raise CredentialMissing(f"provider {provider.slug}: {missing}") from None


def _open(credential: Credential | FormerCredential, table: str) -> str:
    try:
        return unseal(bytes(credential.sealed or b""), table, credential.pk)
    except CannotOpen:
        raise CredentialMissing("the stored credential cannot be opened with this ATRIUM_KEK: enter it again") from None


def _look_up(source: str, reference: str) -> str:
    if source == Credential.Source.FILE:
        return _read_file(reference)
    own = OWN_VARIABLES.match(reference)
    secret = "" if own else one_line(os.environ.get(reference, ""))
    if not secret:
        raise CredentialMissing(f"the environment variable {reference} is not set")
    return secret


def _read_file(path: str) -> str:
    if _is_own(path):
        raise CredentialMissing(f"the file {path} is the server's own")
    try:
        with Path(path).open(encoding="utf-8") as file:
            secret = one_line(file.read(MAX_SECRET + 1))
    except (OSError, UnicodeDecodeError):
        raise CredentialMissing(f"the file {path} cannot be read") from None
    if not secret or len(secret) > MAX_SECRET or not secret.isprintable():
        raise CredentialMissing(f"the file {path} holds no usable secret")
    return secret


def one_line(secret: str) -> str:
    """Write a secret of several lines that is JSON, such as a service account's key, on one; others lose their ends."""
    secret = secret.strip()
    if not secret.startswith("{"):
        return secret
    try:
        return json.dumps(json.loads(secret), separators=(",", ":"))
    except (ValueError, RecursionError):
        return secret


def _keep_former(credential: Credential | None) -> None:
    """Seal the secret that is about to go once more, for its own row. What cannot be opened is not kept."""
    if credential is None:
        return
    try:
        secret = _open(credential, TABLE) if credential.source == Credential.Source.SEALED else ""
    except CredentialMissing:
        return
    FormerCredential.objects.filter(provider=credential.provider).delete()
    former = FormerCredential(
        provider=credential.provider, source=credential.source, reference=credential.reference,
        fingerprint=credential.fingerprint, last4=credential.last4, until=timezone.now() + KEPT,
    )  # fmt: skip
    former.sealed = seal(secret, FORMER_TABLE, former.pk) if secret else None
    former.save(force_insert=True)


def _write(credential: Credential, source: str, reference: str, secret: str, actor: Actor) -> None:
    credential.source, credential.reference = source, reference
    credential.fingerprint = fingerprint(secret) if secret else ""
    credential.sealed = seal(secret, TABLE, credential.pk) if secret else None
    shown = len(secret) >= LAST4_FROM and not secret.startswith("{")  # JSON ends alike
    credential.last4 = secret[-4:] if shown else ""
    credential.updated_at, credential.updated_by = timezone.now(), actor.label[:300]
    credential.save()


def _read_source(value: str | None, env: str | None, file: str | None) -> tuple[str, str, str]:
    """Return (source, reference, secret). Raises ValidationError unless exactly one is given and it can be used."""
    given = [name for name, text in (("value", value), ("env", env), ("file", file)) if text is not None]
    if len(given) != 1:
        raise ValidationError(
            "A credential is one of: a value, the name of an environment variable, the path of a file."
        )
    if value is not None:
        secret = one_line(value)
        if not secret:
            raise ValidationError({"value": "The secret is empty. Enter it, or say that the provider needs none."})
        if len(secret) > MAX_SECRET or not (secret.isascii() and secret.isprintable()):
            raise ValidationError({"value": f"A secret is one line of 1 to {MAX_SECRET} plain characters, or JSON."})
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


def _described(credential: Credential | None) -> dict[str, str]:
    """Say what kind of credential it is, never what it holds."""
    return {"source": credential.source, "reference": credential.reference} if credential else {}
