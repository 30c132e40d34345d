"""Turns tables into the frozen policies of a snapshot: whole at start, one entity at a time afterwards."""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from typing import TypeVar, cast

from django.conf import settings
from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from billing.models import Quota, QuotaExtra
from catalog.actions.credentials import CredentialMissing, read_credential
from catalog.actions.deployments import TIMEOUTS
from catalog.models import Alias as AliasRow
from catalog.models import Deployment, Model, ModelGrant, Provider, Route, TeamModel
from catalog.rates import policy_of as price_policy
from catalog.routes import Names, policy_of, read_route
from gateway import snapshot as policy
from gateway.dialects import azure
from gateway.routing.policy import DATA_CLASSES, DEFAULT_ROUTE, Alias, RoutePolicy
from gateway.snapshot import UNSET, QuotaPolicy, Snapshot
from portal.people.models import Revision, Stop, Team

log = logging.getLogger(__name__)

Policy = TypeVar("Policy", policy.ModelPolicy, policy.TeamPolicy)

KEY_SCOPE = Quota.Scope.KEY  # quotas of keys are loaded with the key: 500,000 keys cost the snapshot nothing


def epoch(moment: datetime | None) -> float:
    return float(UNSET) if moment is None else moment.timestamp()


def compile_all() -> Snapshot:
    """Compile everything. The revision is read first: what commits meanwhile is compiled again, never missed."""
    version = Revision.objects.values_list("number", flat=True).get(id=1)
    models = {model.id: model for model in _models(Model.objects.all())}
    quotas: dict[tuple[str, str], list[QuotaPolicy]] = defaultdict(list)
    for quota in _quotas(Quota.objects.exclude(scope_kind=KEY_SCOPE)):
        quotas[quota.scope_kind, quota.scope_id].append(quota)
    return Snapshot(
        version=version,
        models=models,
        models_by_slug={model.slug: model for model in models.values()},
        teams={team.id: team for team in _teams(Team.objects.all())},
        quotas={scope: tuple(found) for scope, found in quotas.items()},
        organisation_id=settings.ORGANISATION_ID,
        portal_url=settings.BASE_URL,
        billing_time_zone=settings.BILLING_TIME_ZONE,
        stops=stops_now(),
        aliases=_aliases(),
    )


def compile_for(models: Iterable[Model], teams: Iterable[Team]) -> Snapshot:
    """Compile just these models and teams, to look at: no quotas, and no version that the feed knows."""
    some = Model.objects.filter(pk__in=[model.pk for model in models])
    found = {model.id: model for model in _models(some)}
    return Snapshot(
        version=0,
        models=found,
        models_by_slug={model.slug: model for model in found.values()},
        teams={team.id: team for team in _teams(Team.objects.filter(pk__in=[team.pk for team in teams]))},
        quotas={},
        organisation_id=settings.ORGANISATION_ID,
        portal_url=settings.BASE_URL,
        billing_time_zone=settings.BILLING_TIME_ZONE,
        stops=stops_now(),
    )


def stops_now() -> dict[tuple[str, str], str]:
    """Read what is stopped: (kind, id) → reason."""
    return {(kind, entity): reason for kind, entity, reason in Stop.objects.values_list("kind", "entity_id", "reason")}


def recompile(old: Snapshot, version: int, changes: Iterable[tuple[str, str]]) -> Snapshot:
    """Compile again just the entities that the feed names; keys and people are not part of a snapshot.

    Stops are in `old` already: the refresher puts them into force before anything is compiled.
    """
    named: dict[str, set[str]] = defaultdict(set)
    for kind, entity in changes:
        named[kind].add(entity)
    if named["provider"]:
        named["model"] |= set(
            Deployment.objects.filter(provider_id__in=named["provider"]).values_list("model_id", flat=True)
        )
    new = replace(old, version=version)
    if named["model"]:
        models = _exchanged(old.models, named["model"], _models(Model.objects.filter(pk__in=named["model"])))
        new = replace(new, models=models, models_by_slug={model.slug: model for model in models.values()})
    if named["alias"]:
        new = replace(new, aliases=_aliases())
    if named["team"]:
        new = replace(
            new, teams=_exchanged(old.teams, named["team"], _teams(Team.objects.filter(pk__in=named["team"])))
        )
    if named["quota"]:
        new = replace(new, quotas=_exchanged_quotas(old, named["quota"]))
    return new


def key_quotas(key_ids: Collection[str]) -> dict[str, tuple[QuotaPolicy, ...]]:
    """Compile the quotas of these keys, by key."""
    found: dict[str, list[QuotaPolicy]] = defaultdict(list)
    for quota in _quotas(Quota.objects.filter(scope_kind=KEY_SCOPE, scope_id__in=key_ids)):
        found[quota.scope_id].append(quota)
    return {key_id: tuple(quotas) for key_id, quotas in found.items()}


def _exchanged(old: Mapping[str, Policy], ids: set[str], found: Iterable[Policy]) -> dict[str, Policy]:
    kept = {id_: entity for id_, entity in old.items() if id_ not in ids}
    return kept | {entity.id: entity for entity in found}


def _exchanged_quotas(old: Snapshot, ids: set[str]) -> dict[tuple[str, str], tuple[QuotaPolicy, ...]]:
    quotas = dict(old.quotas)
    for scope, found in old.quotas.items():
        if any(quota.id in ids for quota in found):
            quotas[scope] = tuple(quota for quota in found if quota.id not in ids)
    for quota in _quotas(Quota.objects.filter(pk__in=ids).exclude(scope_kind=KEY_SCOPE)):
        scope = (quota.scope_kind, quota.scope_id)
        quotas[scope] = (*quotas.get(scope, ()), quota)
    return {scope: found for scope, found in quotas.items() if found}


def _teams(rows: "QuerySet[Team]") -> list[policy.TeamPolicy]:
    allowed: dict[str, set[str]] = defaultdict(set)
    grants: dict[str, list[policy.ModelGrant]] = defaultdict(list)
    teams = list(rows)
    ids = [team.pk for team in teams]
    for team_id, model_id in TeamModel.objects.filter(team_id__in=ids).values_list("team_id", "model_id"):
        allowed[team_id].add(model_id)
    for grant in ModelGrant.objects.filter(team_id__in=ids).in_force(timezone.now()):
        grants[grant.team_id].append(
            policy.ModelGrant(grant.model_id, epoch(grant.until), grant.user_id, grant.key_id or None)
        )
    return [
        policy.TeamPolicy(
            id=team.pk, slug=team.slug, name=team.name, active=team.status == Team.Status.ACTIVE,
            model_ids=frozenset(allowed[team.pk]), grants=tuple(grants[team.pk]),
        )
        for team in teams
    ]  # fmt: skip


def _aliases() -> dict[str, Alias]:
    """Compile all aliases: there are few, and one that was removed is known by its id alone."""
    rows = AliasRow.objects.values_list("slug", "model_id", "since")
    return {slug: Alias(slug, model_id, epoch(since)) for slug, model_id, since in rows}


@dataclass(slots=True)
class _Shared:
    """What the models of one compilation have in common: secrets by provider, ids by short name."""

    models: dict[str, str]
    teams: dict[str, str]
    secrets: dict[str, str | None] = field(default_factory=dict)


def _models(rows: "QuerySet[Model]") -> list[policy.ModelPolicy]:
    usable = Deployment.objects.filter(enabled=True, provider__enabled=True).select_related("provider__credential")
    in_order = usable.order_by("position", "pk")
    rows = rows.select_related("route").prefetch_related(Prefetch("deployments", in_order), "prices")
    shared = _Shared({}, {})
    if Route.objects.exists():
        shared = _Shared(dict(Model.objects.values_list("slug", "pk")), dict(Team.objects.values_list("slug", "pk")))
    return [_model(row, shared) for row in rows]


def _model(row: Model, shared: _Shared) -> policy.ModelPolicy:
    prices: dict[str, list[policy.Price]] = defaultdict(list)  # by deployment; "": of the model
    for price in sorted(row.prices.all(), key=lambda price: price.effective_from):
        prices[price.deployment_id].append(price_policy(price))
    deployments = [_deployment(deployment, shared.secrets, prices) for deployment in row.deployments.all()]
    retires = datetime.combine(row.retires_on, time(), UTC) if row.retires_on else None
    return policy.ModelPolicy(
        id=row.pk, slug=row.slug, display_name=row.display_name, capabilities=frozenset(row.capabilities),
        context_tokens=row.context_tokens, max_output_tokens=row.max_output_tokens, tier=row.tier, stage=row.stage,
        retires_at=epoch(retires), created_at=epoch(row.created_at), owned_by=row.vendor or row.owner,
        deployments=tuple(found for found in deployments if found is not None),
        prices=tuple(prices[""]), route=_route(row, shared),
        data_classes=frozenset(row.data_classes) if row.data_classes else None,
    )  # fmt: skip


def _route(row: Model, shared: _Shared) -> RoutePolicy:
    stored: Route | None = getattr(row, "route", None)
    if stored is None:
        return DEFAULT_ROUTE
    since = stored.canary_since.timestamp() if stored.canary_since else 0.0
    names = {f"{one.provider.slug}/{one.upstream_model}": one.pk for one in row.deployments.all()}
    return policy_of(read_route(stored.body), Names(names, shared.models, shared.teams), since)


def _deployment(
    row: Deployment, secrets: dict[str, str | None], prices: Mapping[str, list[policy.Price]]
) -> policy.DeploymentPolicy | None:
    """Compile a deployment; None, with an alarm in the log, when its provider has no readable credential."""
    provider = row.provider
    if provider.pk not in secrets:
        try:
            secrets[provider.pk] = read_credential(provider)
        except CredentialMissing as error:
            log.warning("provider %s cannot be called: %s", provider.slug, error)
            secrets[provider.pk] = None
    credential = secrets[provider.pk]
    demo = provider.kind == Provider.Kind.DEMO
    base_url = settings.DEMO_ENGINE_URL if demo else provider.base_url
    if credential is None or not base_url:
        return None
    return policy.DeploymentPolicy(
        id=row.pk, provider_id=provider.pk, provider=provider.slug, dialect=provider.dialect,
        base_url=azure.endpoint(base_url) if provider.dialect == "azure" else base_url.rstrip("/"),
        upstream_model=row.upstream_model, weight=row.weight,
        region=row.region or provider.region, internal=provider.internal or demo, credential=credential,
        max_connections=settings.MAX_PROVIDER_CONNECTIONS, auth=provider.auth, options=dict(provider.options),
        data_classes=_data_classes(row), prices=tuple(prices.get(row.pk, ())), **_timeouts(row),
    )  # fmt: skip


def _data_classes(row: Deployment) -> frozenset[str] | None:
    """Return what may be sent to a deployment: the less of what it and its provider allow, where they say anything."""
    said = [frozenset(classes) for classes in (row.data_classes, row.provider.data_classes) if classes]
    return min(said, key=lambda classes: max(DATA_CLASSES.index(name) for name in classes)) if said else None


def _timeouts(row: Deployment) -> dict[str, float]:
    return {name: float(seconds) for name in TIMEOUTS if (seconds := getattr(row, name)) is not None}


def policies(rows: Iterable[Quota]) -> list[QuotaPolicy]:
    """Compile quotas that are read already, with the extras that are in force or come."""
    found = {row.pk: row for row in rows}
    pending: dict[str, list[policy.QuotaExtra]] = defaultdict(list)
    extras = QuotaExtra.objects.filter(quota_id__in=found, ended_at__isnull=True, until__gt=timezone.now())
    for extra in extras:
        pending[extra.quota_id].append(policy.QuotaExtra(extra.amount, epoch(extra.starts), epoch(extra.until)))
    return [_quota(row, tuple(pending[row.pk])) for row in found.values()]


def _quotas(rows: "QuerySet[Quota]") -> list[QuotaPolicy]:
    pending = QuotaExtra.objects.filter(ended_at__isnull=True, until__gt=timezone.now())
    return [
        _quota(row, tuple(policy.QuotaExtra(x.amount, epoch(x.starts), epoch(x.until)) for x in row.extras.all()))
        for row in rows.prefetch_related(Prefetch("extras", pending))
    ]


def _quota(row: Quota, extras: tuple[policy.QuotaExtra, ...]) -> QuotaPolicy:
    return QuotaPolicy(
        id=row.pk, scope_kind=cast(policy.ScopeKind, row.scope_kind), scope_id=row.scope_id,
        metric=cast(policy.Metric, row.metric), window=cast(policy.Window, row.window), capacity=row.capacity,
        model_id=row.model_id or None, step_down_model_id=row.step_down_model_id or None, extras=extras,
    )  # fmt: skip
