"""Which models a provider really serves; the others are shown as "not connected yet"."""

import os
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from catalog.models import Credential, Deployment, Price, Provider


def working_provider_ids() -> set[str]:
    """Return the ids of enabled providers, without those whose credential cannot be found.

    A reference to a variable or file is looked up only where this process is the gateway too: elsewhere
    it may well be absent here and present there.
    """
    providers = Provider.objects.filter(enabled=True).select_related("credential")
    return {provider.pk for provider in providers if _has_credential(provider)}


def connections() -> QuerySet[Deployment]:
    """Return the deployments that can serve: at a working provider, of a model that has a price in force."""
    priced = Price.objects.in_force(timezone.now()).values("model_id")
    return Deployment.objects.filter(enabled=True, provider_id__in=working_provider_ids(), model_id__in=priced)


def connected_model_ids(ids: Iterable[str]) -> set[str]:
    """Return which of `ids` are models that can be served."""
    return set(connections().filter(model_id__in=ids).values_list("model_id", flat=True))


def _has_credential(provider: Provider) -> bool:
    credential: Credential | None = getattr(provider, "credential", None)
    if credential is None or settings.SERVE != "all":
        return True
    if credential.source == Credential.Source.ENV:
        return bool(os.environ.get(credential.reference, "").strip())
    if credential.source == Credential.Source.FILE:
        return Path(credential.reference).is_file()
    return True
