"""Numbered system checks of company sign-in."""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from portal.people.identity.groups import BadGroupMap, read_group_map


@register()
def provider_is_safe(**_: Any) -> list[CheckMessage]:
    """portal.E020: tokens and the client's secret travel to the provider by TLS."""
    parts = urlsplit(settings.OIDC_ISSUER)
    if (
        not settings.OIDC_ISSUER
        or (parts.scheme == "https" and parts.hostname)
        or on_this_machine(parts.hostname or "")
    ):
        return []
    return [Error(f"OIDC_ISSUER is {settings.OIDC_ISSUER}: sign-in would travel in the clear.",
                  hint="Use the https:// address of the identity provider.", id="portal.E020")]  # fmt: skip


def on_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@register()
def group_map_is_readable(**_: Any) -> list[CheckMessage]:
    """portal.E021: every part of OIDC_GROUP_MAP means something."""
    try:
        read_group_map(settings.OIDC_GROUP_MAP)
    except BadGroupMap as error:
        return [
            Error(
                str(error) + ".", hint='Such as "ai-admins=role:platform_admin, search=team:search".', id="portal.E021"
            )
        ]
    return []
