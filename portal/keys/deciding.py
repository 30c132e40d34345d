"""Who may decide which exception. The one place that knows; pages ask it what to offer, actions what to refuse."""

from django.conf import settings

from billing.models import Quota
from catalog.models import Model
from gateway.money import format_usd, parse_usd
from portal.keys.models import Key, KeyRequest
from portal.people.access import Viewer
from portal.people.models import Application


def objection(viewer: Viewer, request: KeyRequest, amount: int | None) -> str:
    """Return why `viewer` may not approve `request` with `amount`; empty if they may.

    A lead decides for their own team: models of the tiers sandbox and production, and limits of the team, its keys and
    its applications, money up to EXCEPTION_LEAD_MAX_USD. Finance decides money. A platform admin decides everything.
    Nobody decides what they asked for.
    """
    if request.requester_id == viewer.user.pk:
        return "You asked for this yourself, so somebody else decides."
    if viewer.allows("requests.decide_all"):
        return ""
    if request.kind == KeyRequest.Kind.BUDGET:
        if request.metric == Quota.Metric.USD and viewer.allows("requests.decide_budget"):
            return ""
        return objection_to_lead(viewer, request) or objection_to_amount(request.quota, request.team_id, amount)
    if request.model is not None and request.model.tier == Model.Tier.HIGH_RISK:
        return "High-risk models are opened by a platform admin."
    return objection_to_lead(viewer, request)


def objection_to_lead(viewer: Viewer, request: KeyRequest) -> str:
    return "" if viewer.leads(request.team_id) else f"This is for the lead of {request.team.name}."


def objection_to_amount(quota: Quota | None, team_id: str, amount: int | None) -> str:
    """Return why a lead of the team may not add `amount` to `quota`."""
    if quota is None:
        return ""  # it was removed: what is left is to deny
    if not belongs_to_team(quota, team_id):
        return "This limit is not the team's alone: finance or a platform admin decides."
    if quota.metric == Quota.Metric.USD and (amount or 0) > lead_maximum():
        return f"A lead approves up to ${format_usd(lead_maximum())}: finance or a platform admin decides on more."
    return ""


def lead_maximum() -> int:
    """Return the most that a lead may add to a budget, in nano-USD."""
    return parse_usd(settings.EXCEPTION_LEAD_MAX_USD)


def belongs_to_team(quota: Quota, team_id: str) -> bool:
    """Say whether a quota bounds this team alone, or one of its keys or applications."""
    kind, scope = quota.scope_kind, quota.scope_id
    if kind == Quota.Scope.TEAM:
        return scope == team_id
    if kind == Quota.Scope.KEY:
        return Key.objects.filter(pk=scope, team_id=team_id).exists()
    return kind == Quota.Scope.APPLICATION and Application.objects.filter(pk=scope, team_id=team_id).exists()
