"""What a link to the request form names: the model, the key, the limit. Whatever is not the asker's is left out."""

from dataclasses import dataclass

from django.http import QueryDict

from billing.models import Quota
from catalog.access import usable_by
from catalog.models import Model
from portal.keys.asking import bounds
from portal.keys.models import Key, KeyRequest
from portal.keys.offers import teams_of
from portal.people.access import Viewer
from portal.people.models import Team


@dataclass(frozen=True, slots=True)
class Prefill:
    """The objects that the address names, as far as the viewer may name them."""

    kind: str
    model: Model | None
    key: Key | None
    quota: Quota | None
    teams: list[Team]
    refused_request_id: str


def read_prefill(query: QueryDict, viewer: Viewer) -> Prefill:
    """Read `?kind=model|budget|rate&model=SLUG&key=KEY_ID&quota=QUOTA_ID&request_id=…`."""
    named = {name: query.get(name, "").replace("\0", "") for name in ("key", "model", "quota", "request_id")}
    limit = query.get("kind") in {"budget", "rate"} or named["quota"]
    kind = KeyRequest.Kind.BUDGET if limit else KeyRequest.Kind.MODEL
    key = Key.objects.filter(pk=named["key"], owner=viewer.user).select_related("team").first()
    model = Model.objects.listed().filter(slug=named["model"]).first()
    teams = [key.team] if key else teams_of(viewer)
    quota = Quota.objects.filter(pk=named["quota"]).first() if kind == KeyRequest.Kind.BUDGET else None
    if quota is not None:
        teams = [team for team in teams if bounds(quota, viewer, team)]
        quota = quota if teams else None
    return Prefill(kind, model, key, quota, teams or teams_of(viewer), named["request_id"][:40])


def models_open_already(viewer: Viewer, prefill: Prefill) -> set[str]:
    """Return the ids of models for which no request is needed, whichever of the teams, and with the key, if one is named."""
    found = [set(usable_by(viewer, team).values_list("pk", flat=True)) for team in prefill.teams]
    if prefill.key is not None and not prefill.key.all_models:
        found.append(set(prefill.key.named_models.values_list("pk", flat=True)))
    return set.intersection(*found) if found else set()


def open_limits(viewer: Viewer, prefill: Prefill) -> list[tuple[Quota, str]]:
    """Return the limits that bound the viewer, for who came without naming one, with a word on whose each is."""
    scopes = {("user", viewer.user.pk): "yours", **{("team", team.pk): team.name for team in prefill.teams}}
    keys = Key.objects.filter(owner=viewer.user, ended_at__isnull=True, team__in=prefill.teams)
    scopes |= {("key", key.pk): f"key {key.name}" for key in keys}
    rows = Quota.objects.filter(scope_id__in=[scope for _, scope in scopes]).order_by("scope_kind", "-metric", "window")
    return [
        (quota, scopes[quota.scope_kind, quota.scope_id])
        for quota in rows
        if (quota.scope_kind, quota.scope_id) in scopes
    ]
