"""Numbered system checks: configurations that would lie or leak are refused."""

import ipaddress
import zoneinfo
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from portal.env import env_str


def is_loopback(url: str) -> bool:
    """Say whether the host of `url` is this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@register()
def demo_is_private(**_: Any) -> list[CheckMessage]:
    """portal.E001, E002: one-click personas exist only on this machine and beside no real sign-in."""
    found: list[CheckMessage] = []
    if settings.DEMO and settings.OIDC_ISSUER:
        found.append(Error("ATRIUM_DEMO=1 lets anybody in by one click, and OIDC_ISSUER names a real identity provider.",
                           hint="Unset one of them.", id="portal.E001"))  # fmt: skip
    hosts = [host for host in settings.ALLOWED_HOSTS if not is_loopback(f"http://{host}")]
    if settings.DEMO and (hosts or not is_loopback(settings.BASE_URL)):
        found.append(Error("ATRIUM_DEMO=1 lets anybody in by one click, and this address is reachable by others: "
                           f"{', '.join(hosts) or settings.BASE_URL}.",
                           hint="Unset ATRIUM_DEMO, or keep ALLOWED_HOSTS and ATRIUM_BASE_URL to localhost.",
                           id="portal.E002"))  # fmt: skip
    return found


@register()
def transport_is_safe(**_: Any) -> list[CheckMessage]:
    """portal.E003: a portal that others reach speaks TLS."""
    if is_loopback(settings.BASE_URL) or settings.SECURE_TRANSPORT:
        return []
    return [Error(f"ATRIUM_BASE_URL is {settings.BASE_URL}: keys and sessions would travel in the clear.",
                  hint="Put a TLS proxy in front and use its https:// address.", id="portal.E003")]  # fmt: skip


@register()
def production_has_secrets(**_: Any) -> list[CheckMessage]:
    """portal.E004, E005: on PostgreSQL the secrets come from the environment, and counters from Redis."""
    if settings.EMBEDDED_DATABASE:
        return []
    found: list[CheckMessage] = []
    missing = [name for name in ("SECRET_KEY", "ATRIUM_PEPPER", "ATRIUM_KEK") if len(env_str(name)) < 32]
    if missing and not is_loopback(settings.BASE_URL):
        found.append(Error(f"{', '.join(missing)} must be set (32 characters or more) when the database is PostgreSQL.",
                           hint="Every process needs the same values: python -c 'import secrets; print(secrets.token_urlsafe(48))'",
                           id="portal.E004"))  # fmt: skip
    if not settings.REDIS_URL and settings.SERVE != "all":
        found.append(Error("Several processes without REDIS_URL would each count rate limits for themselves.",
                           hint="Set REDIS_URL.", id="portal.E005"))  # fmt: skip
    return found


@register()
def processes_share_counters(**_: Any) -> list[CheckMessage]:
    """portal.E009: several gateway processes count in Redis, whatever the database."""
    if settings.GATEWAY_PROCESSES <= 1 or settings.REDIS_URL:
        return []
    return [Error(f"{settings.GATEWAY_PROCESSES} gateway processes without REDIS_URL would each count rate limits for "
                  "themselves.", hint="Set REDIS_URL, or GATEWAY_PROCESSES=1.", id="portal.E009")]  # fmt: skip


@register()
def settings_make_sense(**_: Any) -> list[CheckMessage]:
    """portal.E006–E008: values that cannot mean anything."""
    found: list[CheckMessage] = []
    if settings.BILLING_TIME_ZONE not in zoneinfo.available_timezones():
        found.append(Error(f'BILLING_TIME_ZONE "{settings.BILLING_TIME_ZONE}" is no IANA time zone.',
                           hint='Use a name such as "Europe/Berlin" or "UTC".', id="portal.E006"))  # fmt: skip
    if settings.SERVE not in {"all", "portal", "gateway"}:
        found.append(
            Error(f'ATRIUM_SERVE is "{settings.SERVE}".', hint="Use all, portal or gateway.", id="portal.E007")
        )
    if settings.OIDC_ISSUER and not (settings.OIDC_CLIENT_ID and settings.OIDC_CLIENT_SECRET):
        found.append(Error("OIDC_ISSUER is set, but OIDC_CLIENT_ID or OIDC_CLIENT_SECRET is not.",
                           hint="Register Atrium with the identity provider and set both.", id="portal.E008"))  # fmt: skip
    return found


@register()
def journal_makes_sense(**_: Any) -> list[CheckMessage]:
    """portal.E010–E012: a journal that keeps what it promises."""
    found: list[CheckMessage] = []
    if settings.JOURNAL not in {"file", "database"}:
        found.append(Error(f'JOURNAL is "{settings.JOURNAL}".', hint="Use file or database.", id="portal.E010"))
    if settings.JOURNAL == "database" and settings.EMBEDDED_DATABASE:
        found.append(Error("JOURNAL=database is for gateways without a disk of their own, and SQLite is on this disk.",
                           hint="Leave JOURNAL out, or use PostgreSQL.", id="portal.E011"))  # fmt: skip
    if settings.JOURNAL == "database" and settings.JOURNAL_FSYNC:
        found.append(Error("JOURNAL_FSYNC=1 flushes a journal in files, and JOURNAL=database keeps none.",
                           hint="Leave one of them out.", id="portal.E011"))  # fmt: skip
    if settings.JOURNAL_MAX_MB < 64:
        found.append(Error(f"JOURNAL_MAX_MB={settings.JOURNAL_MAX_MB} is too little to bridge a pause of the database.",
                           hint="Use 64 or more; the default is 4096.", id="portal.E012"))  # fmt: skip
    return found


@register()
def revocation_holds(**_: Any) -> list[CheckMessage]:
    """portal.E013: gateways look for changes often enough that a revocation holds within a second."""
    if 10 <= settings.FEED_POLL_MS <= 500:
        return []
    return [Error(f"FEED_POLL_MS is {settings.FEED_POLL_MS}: what is revoked or stopped has to be refused within a second.",
                  hint="Use 10 to 500; the default is 200.", id="portal.E013")]  # fmt: skip
