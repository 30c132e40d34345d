"""Whose limit: what people write, and the id that it stands for."""

from django.conf import settings

from billing.filters import FilterError, resolve
from billing.labels import labels
from billing.models import Quota
from billing.quota_rules import QuotaError


def scope_named(kind: str, text: str) -> str:
    """Return the id of a scope by its slug, e-mail or id; nothing need be said of the organisation. Raises QuotaError."""
    words = text.strip()
    if kind == Quota.Scope.ORGANISATION:
        return settings.ORGANISATION_ID
    if not words:
        raise QuotaError("Say whose limit it is.")
    try:
        found = resolve(kind, words)
    except FilterError as error:
        raise QuotaError(str(error)) from None
    if not labels(kind, [found]):
        raise QuotaError(f'There is no {Quota.Scope(kind).label.lower()} "{words[:60]}".')
    return found
