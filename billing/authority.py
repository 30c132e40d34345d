"""Who may set, change, remove and raise which quota: asked by every action, again at the moment it writes."""

from collections.abc import Iterable, Sequence
from typing import cast

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.utils.module_loading import import_string

from billing.models import Quota
from portal.people.access import Viewer, viewer_of
from portal.people.audit import Actor
from portal.people.models import Application, User
from portal.people.permissions import refusal_words

LEAD_SCOPES = (Quota.Scope.TEAM, Quota.Scope.APPLICATION, Quota.Scope.KEY)
LEAD_WORDS = (
    "A lead sets limits for their own team, its applications and its keys; finance and platform admins set all."
)


def present_viewer(actor: Actor) -> Viewer | None:
    """Return what the acting person may do now; None for Atrium itself. Raises PermissionDenied for the blocked."""
    if actor.user is None:
        return None
    person = User.objects.get(pk=actor.user.pk)
    if not person.is_active:
        raise PermissionDenied("Your access was taken away.")
    return viewer_of(person)


def teams_of_scopes(kind: str, ids: Iterable[str]) -> dict[str, str]:
    """Return scope id → team id, for scopes that belong to one team."""
    wanted = set(ids)
    if kind == Quota.Scope.TEAM:
        return {one: one for one in wanted}
    if kind == Quota.Scope.APPLICATION:
        return dict(Application.objects.filter(pk__in=wanted).values_list("pk", "team_id"))
    above = settings.BILLING_TEAMS.get(kind)
    return cast("dict[str, str]", import_string(above)(wanted)) if above else {}


def leads_scope(viewer: Viewer, kind: str, scope_id: str) -> bool:
    """Say whether the viewer leads the team that a scope belongs to."""
    if not viewer.led_team_ids or not viewer.allows("quotas.set"):
        return False
    return viewer.leads(teams_of_scopes(kind, [scope_id]).get(scope_id, ""))


def may_change_each(viewer: Viewer, quotas: Sequence[Quota]) -> set[str]:
    """Return the ids of the quotas that pages should offer to change (how far, the action decides)."""
    if viewer.allows("quotas.manage"):
        return {quota.pk for quota in quotas}
    if not viewer.led_team_ids or not viewer.allows("quotas.set"):
        return set()
    ids: dict[str, set[str]] = {}
    for quota in quotas:
        ids.setdefault(quota.scope_kind, set()).add(quota.scope_id)
    teams = {kind: teams_of_scopes(kind, some) for kind, some in ids.items()}
    return {quota.pk for quota in quotas if viewer.leads(teams[quota.scope_kind].get(quota.scope_id, ""))}


def may_remove(viewer: Viewer, quota: Quota) -> bool:
    """Say whether the viewer may take a quota away: a lead only what a lead has set."""
    return viewer.allows("quotas.manage") or (quota.by_lead and leads_scope(viewer, quota.scope_kind, quota.scope_id))


def check_sets(actor: Actor, scope_kind: str, scope_id: str, present: Quota | None, wanted: dict[str, object]) -> bool:
    """Raise PermissionDenied unless the actor may write `wanted` (field → value that differs); say whether as a lead.

    A lead tightens: adds limits, lowers those of others, and does as they like with limits that a lead has set.
    """
    viewer = present_viewer(actor)
    if viewer is None or viewer.allows("quotas.manage"):
        return False
    if not leads_scope(viewer, scope_kind, scope_id):
        raise PermissionDenied(LEAD_WORDS)
    if present is None or present.by_lead:
        return True
    if cast(int, wanted.get("capacity", 0)) > present.capacity:
        raise PermissionDenied("A lead can lower this limit, not raise it: request more, or ask finance.")
    if "step_down_model_id" in wanted:
        raise PermissionDenied("What happens when this limit is reached is for those who set it: ask finance.")
    return False


def check_removes(actor: Actor, quota: Quota) -> None:
    """Raise PermissionDenied unless the actor may take the quota away."""
    viewer = present_viewer(actor)
    if viewer is not None and not may_remove(viewer, quota):
        raise PermissionDenied(refusal_words("quotas.manage"))


def check_raises(actor: Actor, quota: Quota, *, decided: bool) -> None:
    """Raise PermissionDenied unless the actor may add to the quota for a while, or end that.

    `decided`: it follows from a request, which leads decide for their teams too.
    """
    viewer = present_viewer(actor)
    if viewer is None or viewer.allows("quotas.manage"):
        return
    if decided and viewer.allows("requests.decide") and leads_scope(viewer, quota.scope_kind, quota.scope_id):
        return
    raise PermissionDenied(refusal_words("quotas.manage"))
