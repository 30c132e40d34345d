"""What an identity provider says of a person, and the checks that do not depend on its keys."""

import hmac
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

CLOCKS_DIFFER_S = 60
VERIFIED = {"true": True, "false": False}  # some providers send words


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as their provider knows them. `email` is empty when none was sent.

    `email_verified`: None where the provider does not say, as some companies' do not.
    """

    issuer: str
    subject: str
    email: str
    email_verified: bool | None
    name: str
    groups: frozenset[str]


def identity_of(claims: Mapping[str, Any]) -> Identity:
    """Read verified claims. Raises OAuth2Error for a subject that cannot be one."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not re.fullmatch(r"[\x20-\x7e]{1,255}", subject):
        raise OAuth2Error("the subject is no string of 1 to 255 visible characters")
    email = claims.get("email")
    name = claims.get("name") or claims.get("preferred_username") or ""
    return Identity(
        issuer=str(claims["iss"]),
        subject=subject,
        email=email if isinstance(email, str) and is_address(email) else "",
        email_verified=VERIFIED.get(str(claims.get("email_verified")).lower()),
        name=name if isinstance(name, str) else "",
        groups=groups_of(claims.get(settings.OIDC_GROUPS_CLAIM)),
    )


def is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= 254


def groups_of(claim: object) -> frozenset[str]:
    """Return the names in a groups claim: a list of strings, or one string. Anything else names no group."""
    if isinstance(claim, str):
        return frozenset({claim})
    if isinstance(claim, list):
        return frozenset(name for name in claim if isinstance(name, str))
    return frozenset()


def check_moment(claims: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Raise OAuth2Error unless the token answers this very sign-in (nonce), newly proven where that was asked (auth_time)."""
    expected, given = state.get("nonce"), claims.get("nonce")
    if (
        not isinstance(expected, str)
        or not isinstance(given, str)
        or not hmac.compare_digest(expected.encode(), given.encode())
    ):
        raise OAuth2Error("the nonce is not the one of this sign-in")
    if not state.get("fresh"):
        return
    proven = claims.get("auth_time")
    if (
        not isinstance(proven, int | float)
        or not state["started_at"] - CLOCKS_DIFFER_S <= proven <= time.time() + CLOCKS_DIFFER_S
    ):
        raise OAuth2Error("a new sign-in was asked for (max_age=0), and auth_time does not show one")
