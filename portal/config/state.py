"""What the database holds of all that a configuration file can say, as a plain tree that can be compared and printed."""

from collections.abc import Collection, Iterable
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from billing.models import Quota
from catalog.models import Alias, Credential, Deployment, Model, Price, Provider, Route, TeamModel
from portal.config import routing
from portal.config.prices import rates_of
from portal.config.quotas import model_slugs, quota_tree
from portal.config.wanted import Wanted
from portal.people.models import Application, GlobalRole, Membership, Team, User

Tree = dict[str, Any]


def state(wanted: Wanted | None = None) -> Tree:
    """Return the tree of everything, or of just what `wanted` mentions. Ids and secrets are not in it."""
    some = wanted is not None
    people = _people(_emails(wanted) if wanted else None)
    organisation = {"quotas": _quotas("organisation", [settings.ORGANISATION_ID])[settings.ORGANISATION_ID]}
    return {
        "organisation": organisation,
        "providers": _providers(wanted.providers if wanted and some else None),
        "models": _models(wanted.models if wanted and some else None),
        "aliases": routing.names_of_aliases(
            Alias.objects.filter(slug__in=wanted.aliases) if wanted and some else Alias.objects.all()
        ),
        "people": people,
        "teams": _teams(wanted.teams if wanted and some else None),
    }


def _emails(wanted: Wanted) -> set[str]:
    teams = wanted.teams.values()
    return {*wanted.people, *(email for team in teams for email in (*team.get("leads", []), *team.get("members", [])))}


def _providers(slugs: Collection[str] | None) -> Tree:
    rows = Provider.objects.select_related("credential").order_by("slug")
    if slugs is not None:
        rows = rows.filter(slug__in=slugs)
    return {row.slug: _provider(row) for row in rows}


def _provider(row: Provider) -> Tree:
    fields = ("name", "kind", "dialect", "auth", "base_url", "options", "region", "data_classes", "internal", "enabled")
    tree: Tree = {field: getattr(row, field) for field in fields}
    credential: Credential | None = getattr(row, "credential", None)
    if credential is not None:
        sealed = credential.source == Credential.Source.SEALED
        tree["credential"] = {credential.source: credential.fingerprint if sealed else credential.reference}
    return tree


def _models(slugs: Collection[str] | None) -> Tree:
    rows = Model.objects.order_by("slug")
    if slugs is not None:
        rows = rows.filter(slug__in=slugs)
    found = list(rows)
    ids = [row.pk for row in found]
    quotas = _quotas("model", ids)
    prices: dict[str, list[Price]] = {pk: [] for pk in ids}
    for price in Price.objects.filter(model__in=rows.values("pk")).order_by("effective_from"):
        prices[price.model_id].append(price)
    sorted_prices = {pk: routing.of_deployments(found) for pk, found in prices.items()}
    places: dict[str, Tree] = {pk: {} for pk in ids}
    deployments = Deployment.objects.filter(model__in=rows.values("pk")).select_related("provider")
    for place in deployments.order_by("position", "pk"):
        name = f"{place.provider.slug} {place.upstream_model}"
        places[place.model_id][name] = _place(place, sorted_prices[place.model_id].get(place.pk, []))
    routes = dict(Route.objects.filter(model__in=rows.values("pk")).values_list("model_id", "body"))
    return {
        row.slug: _model(row)
        | _prices(sorted_prices[row.pk][""])
        | {"deployments": places[row.pk], "order": _order(places[row.pk])}
        | {"route": routes.get(row.pk, {}), "quotas": quotas[row.pk]}
        for row in found
    }


def _order(places: Tree) -> list[str]:
    """Return in which order several deployments stand."""
    return list(places) if len(places) > 1 else []


def _place(row: Deployment, prices: list[Price]) -> Tree:
    """Return a deployment as a file says it."""
    tree: Tree = {"weight": row.weight, "enabled": row.enabled} | routing.special(row)
    if len(prices) == 1 and prices[0].effective_from <= timezone.now():
        tree["price"] = rates_of(prices[0])
    elif prices:
        tree["price"] = [{"effective_from": one.effective_from.isoformat()} | rates_of(one) for one in prices]
    return tree


def _model(row: Model) -> Tree:
    return {
        "name": row.display_name,
        "description": row.description,
        "vendor": row.vendor,
        "tier": row.tier,
        "stage": row.stage,
        "retires_on": row.retires_on.isoformat() if row.retires_on else None,
        "owner": row.owner,
        "capabilities": list(row.capabilities),
        "data_classes": list(row.data_classes),
        "context_tokens": row.context_tokens,
        "max_output_tokens": row.max_output_tokens,
    }


def _prices(rows: list[Price]) -> Tree:
    """Return the price in force (`price`) and every one by the moment it begins (`prices`)."""
    now = timezone.now()
    begun = [row for row in rows if row.effective_from <= now]
    return {
        "price": rates_of(begun[-1]) if begun else None,
        "prices": {row.effective_from.isoformat(): rates_of(row) for row in rows},
    }


def _people(emails: Collection[str] | None) -> Tree:
    rows: QuerySet[User] = User.objects.order_by("email")
    if emails is None:
        limited = Quota.objects.filter(scope_kind="user").values("scope_id")
        rows = rows.filter(pk__in=limited) | rows.filter(pk__in=GlobalRole.objects.values("user_id"))
        found = list(rows)
    else:
        found = [row for part in _batches(sorted(emails)) for row in rows.filter(email__in=part)]
    ids = [row.pk for row in found]
    roles: dict[str, Tree] = {pk: {} for pk in ids}
    for part in _batches(ids):
        for role in GlobalRole.objects.filter(user_id__in=part).order_by("role"):
            roles[role.user_id][role.role] = True
    quotas = _quotas("user", ids)
    return {
        row.email.lower(): {"name": row.name, "roles": roles[row.pk], "quotas": quotas[row.pk], "status": row.status}
        for row in found
    }


def _teams(slugs: Collection[str] | None) -> Tree:
    rows = Team.objects.select_related("cost_centre").order_by("slug")
    if slugs is not None:
        rows = rows.filter(slug__in=slugs)
    found = list(rows)
    ids = [row.pk for row in found]
    quotas = _quotas("team", ids)
    members: dict[str, Tree] = {pk: {} for pk in ids}
    for member in Membership.objects.filter(team__in=rows.values("pk")).select_related("user").order_by("user__email"):
        members[member.team_id][member.user.email.lower()] = member.role
    models: dict[str, Tree] = {pk: {} for pk in ids}
    names = TeamModel.objects.filter(team__in=rows.values("pk")).order_by("model__slug")
    for team_id, slug in names.values_list("team_id", "model__slug"):
        models[team_id][slug] = True
    applications: dict[str, Tree] = {pk: {} for pk in ids}
    owned = list(Application.objects.filter(team__in=rows.values("pk")).order_by("slug"))
    limits = _quotas("application", [one.pk for one in owned])
    for one in owned:
        said = {"quotas": limits[one.pk]} if limits[one.pk] else {}
        applications[one.team_id][one.slug] = {"name": one.name, "data_class": one.data_class} | said
    return {
        row.slug: {
            "name": row.name,
            "cost_centre": row.cost_centre.code if row.cost_centre else "",
            "status": row.status,
            "members": members[row.pk],
            "models": models[row.pk],
            "applications": applications[row.pk],
            "quotas": quotas[row.pk],
        }
        for row in found
    }


def _quotas(scope_kind: str, ids: Iterable[str]) -> dict[str, Tree]:
    """Return for each id its limits (see `quota_tree`)."""
    found: dict[str, list[Quota]] = {pk: [] for pk in ids}
    for part in _batches(list(found)):
        rows = Quota.objects.filter(scope_kind=scope_kind, scope_id__in=part)
        for row in rows.order_by("metric", "window", "model_id"):
            found[row.scope_id].append(row)
    slugs = model_slugs(row for rows in found.values() for row in rows)
    return {pk: quota_tree(rows, slugs) for pk, rows in found.items()}


def _batches(items: list[str], size: int = 500) -> Iterable[list[str]]:
    """Cut a list so that no statement holds more parameters than SQLite takes."""
    return (items[n : n + size] for n in range(0, len(items), size))
