"""What the opaque ids in events and quotas are called: one query for each kind."""

from collections.abc import Callable, Iterable
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string

from catalog.models import Deployment, Model, Provider
from portal.people.models import Application, Team, User

Ids = Iterable[str]


def labels(kind: str, ids: Ids) -> dict[str, str]:
    """Return id → name for people, of every one of `ids` that exists; one query at most.

    Kinds: organisation, team, user, application, key, model, asked_model, deployment, provider. What stands above billing is found
    through the setting BILLING_LABELS (kind → dotted path of such a function). Raises KeyError for an unknown kind.
    """
    wanted = {one for one in ids if one}
    if not wanted:
        return {}
    above = settings.BILLING_LABELS.get(kind)
    if above is not None:
        return cast(Callable[[set[str]], dict[str, str]], import_string(above))(wanted)
    return RESOLVERS[kind](wanted)


def _organisation(ids: Ids) -> dict[str, str]:
    return {one: settings.ORGANISATION_NAME for one in ids if one == settings.ORGANISATION_ID}


def _teams(ids: Ids) -> dict[str, str]:
    return dict(Team.objects.filter(id__in=ids).values_list("id", "name"))


def _users(ids: Ids) -> dict[str, str]:
    return {user.pk: user.label for user in User.objects.filter(id__in=ids).only("id", "name", "email")}


def _applications(ids: Ids) -> dict[str, str]:
    return dict(Application.objects.filter(id__in=ids).values_list("id", "name"))


def _models(ids: Ids) -> dict[str, str]:
    return dict(Model.objects.filter(id__in=ids).values_list("id", "display_name"))


def _deployments(ids: Ids) -> dict[str, str]:
    rows = Deployment.objects.filter(id__in=ids).values_list("id", "upstream_model", "provider__name")
    return {one: f"{upstream} at {provider}" for one, upstream, provider in rows}


def _providers(ids: Ids) -> dict[str, str]:
    return dict(Provider.objects.filter(id__in=ids).values_list("id", "name"))


RESOLVERS: dict[str, Callable[[Ids], dict[str, str]]] = {
    "organisation": _organisation,
    "team": _teams,
    "user": _users,
    "application": _applications,
    "model": _models,
    "asked_model": _models,
    "deployment": _deployments,
    "provider": _providers,
}
