"""Asking for an exception: a model, or more of a limit, for a while. Deciding is in `decisions`."""

from datetime import datetime
from typing import Any

from billing.models import Quota
from catalog.models import Model
from portal.keys import asking, rules
from portal.keys.actions.decisions import approve, deny
from portal.keys.authority import present_viewer
from portal.keys.models import Key, KeyRequest
from portal.keys.notices import tell_all
from portal.keys.refusal import Refused
from portal.people.access import Viewer
from portal.people.audit import Actor, recorded
from portal.people.models import GlobalRole, Membership, Team, User

__all__ = ["approve", "ask", "deny", "edit", "withdraw"]

Status, Kind = KeyRequest.Status, KeyRequest.Kind


def ask(
    *,
    actor: Actor,
    kind: str,
    team: Team,
    reason: str,
    until: datetime,
    model: Model | None = None,
    key: Key | None = None,
    quota: Quota | None = None,
    amount: int | None = None,
    refused_request_id: str = "",
) -> KeyRequest:
    """Ask, for the acting person, for `model` (kind `model`) or for `amount` more of `quota` (kind `budget`).

    `amount` is nano-USD where the quota counts money, a count otherwise. `key` names the key whose call was refused;
    `refused_request_id` that call. Raises `Refused`.
    """
    viewer = asker(actor)
    with recorded(actor, "request:ask", team_id=team.pk) as trail:
        User.objects.select_for_update().get(pk=viewer.user.pk)  # two clicks make one request
        reason = asking.check_reason(reason)
        asking.check_until(until)
        asking.check_team(viewer, team)
        key = Key.objects.get(pk=key.pk) if key else None  # as it is now
        asking.check_key(viewer, team, key)
        if kind == Kind.MODEL:
            asking.check_model(viewer, team, model, key)
            quota = amount = None
        else:
            asking.check_quota(viewer, team, quota, amount)
            model = None
        refuse_twins(viewer, kind, team, model, key, quota)
        request = KeyRequest.objects.create(
            kind=kind, requester=viewer.user, team=team, key=key, model=model, quota=quota, amount=amount,
            metric=quota.metric if quota else "", window=quota.window if quota else "",
            reason=reason, until=until, refused_request_id=refused_request_id[:40],
        )  # fmt: skip
        trail.target, trail.after = request, described(request)
        words = f"{viewer.user} asks for {wish(request)} for {team.name}."
        tell_all(deciders(request), f"request:{request.pk}", words, f"/inbox/{request.pk}")
    return request


def edit(
    *, actor: Actor, request: KeyRequest, version: int, reason: str, until: datetime, amount: int | None = None
) -> KeyRequest:
    """Change a request that nobody decided yet. Its version moves on, so that nobody approves what they did not see."""
    viewer = asker(actor)
    with recorded(actor, "request:edit", request, team_id=request.team_id) as trail:
        request = open_own(viewer, request)
        if request.version != version:
            raise Refused(
                "Your changes were not saved.", "The request was edited meanwhile.", "Look at it again.", code="stale"
            )
        trail.before = described(request)
        request.reason = asking.check_reason(reason)
        if until != request.until:
            asking.check_until(until)
        request.until = until
        if request.kind == Kind.BUDGET:
            asking.check_quota(viewer, request.team, request.quota, amount)
            request.amount = amount
        request.version = version + 1
        fresh = KeyRequest.objects.filter(pk=request.pk, status=Status.OPEN, version=version)
        if not fresh.update(reason=request.reason, until=request.until, amount=request.amount, version=request.version):
            raise Refused("Your changes were not saved.", "It was decided meanwhile.", "Ask anew.", code="decided")
        trail.after = described(request)
    return request


def withdraw(*, actor: Actor, request: KeyRequest) -> None:
    """Take back a request that nobody decided yet."""
    viewer = asker(actor)
    with recorded(actor, "request:withdraw", request, team_id=request.team_id) as trail:
        request = open_own(viewer, request)
        KeyRequest.objects.filter(pk=request.pk, status=Status.OPEN).update(status=Status.WITHDRAWN)
        trail.before, trail.after = {"status": Status.OPEN}, {"status": Status.WITHDRAWN}


def asker(actor: Actor) -> Viewer:
    viewer = present_viewer(actor)
    if viewer is None:
        raise Refused("Nothing was asked.", "Only a person asks for an exception.", "Sign in.", forbidden=True)
    return viewer


def open_own(viewer: Viewer, request: KeyRequest) -> KeyRequest:
    """Return the viewer's own request as it is now, locked; refuse what is decided, withdrawn or somebody else's."""
    rows = KeyRequest.objects.select_for_update(of=("self",)).select_related("team", "key", "model", "quota")
    found = rows.get(pk=request.pk)
    if found.requester_id != viewer.user.pk:
        raise Refused(
            "The request stays as it is.", "Somebody else asked for it.", "Only they change it.",
            code="not_yours", forbidden=True,
        )  # fmt: skip
    if found.status != Status.OPEN:
        raise Refused(
            "The request stays as it is.", f"It is {found.get_status_display().lower()}.", "Ask anew.", code="decided"
        )
    return found


def refuse_twins(
    viewer: Viewer, kind: str, team: Team, model: Model | None, key: Key | None, quota: Quota | None
) -> None:
    """Refuse a second request for the same thing while the first one waits."""
    twins = KeyRequest.objects.open().filter(requester=viewer.user, kind=kind, team=team, model=model, quota=quota)
    if kind == Kind.MODEL:
        twins = twins.filter(key=key)
    if twins.exists():
        raise Refused(
            "The request was not sent.", "You asked for this already, and it waits for a decision.",
            "Edit that request.", code="asked_already",
        )  # fmt: skip


def deciders(request: KeyRequest) -> list[User]:
    """Return who should hear of a request: the team's leads, or platform admins where no lead can decide."""
    leads = User.objects.active().filter(memberships__team=request.team, memberships__role=Membership.Role.LEAD)
    others = list(leads.exclude(pk=request.requester_id).distinct())
    high_risk = request.model is not None and request.model.tier == Model.Tier.HIGH_RISK
    if others and not high_risk:
        return others
    admins = User.objects.active().filter(global_roles__role=GlobalRole.Role.PLATFORM_ADMIN)
    return [*others, *admins.exclude(pk__in=[request.requester_id, *(lead.pk for lead in others)]).distinct()]


def wish(request: KeyRequest) -> str:
    """Say in a few words what is asked for: `Chat small`, `$20.00 more per month`."""
    if request.model is not None:
        return request.model.display_name
    return f"{rules.in_words(request.metric, request.amount or 0)} more {rules.window_words(request.window)}"


def granted_words(request: KeyRequest) -> str:
    """Say what was granted, where that is less than the wish; empty for models and for what was not approved."""
    decision = getattr(request, "decision", None)
    if request.kind == Kind.MODEL or decision is None or decision.amount is None:
        return ""
    return f"{rules.in_words(request.metric, decision.amount)} more {rules.window_words(request.window)}"


def described(request: KeyRequest) -> dict[str, Any]:
    """Return a request as the audit trail keeps it."""
    return {
        "kind": request.kind,
        "wish": wish(request),
        "team": request.team.slug,
        "key": request.key_id,
        "quota": request.quota_id,
        "reason": request.reason,
        "until": request.until.isoformat(),
        "version": request.version,
    }
