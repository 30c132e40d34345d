"""Deciding on exceptions: once, by somebody else, on exactly what they saw. An approval works within a second."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from billing.actions.quotas import add_extra, end_extra
from billing.models import Quota, QuotaExtra
from catalog.actions.access import end_grant, grant_model
from catalog.models import ModelGrant
from portal.keys import rules
from portal.keys.authority import present_viewer
from portal.keys.deciding import objection
from portal.keys.models import Approval, Key, KeyRequest
from portal.keys.notices import tell
from portal.keys.refusal import Refused
from portal.people.access import Viewer
from portal.people.audit import Actor, Trail, recorded
from portal.people.models import Membership, Team, User

Status = KeyRequest.Status


def approve(
    *,
    actor: Actor,
    request: KeyRequest,
    version: int,
    until: datetime | None = None,
    amount: int | None = None,
    words: str = "",
) -> Approval:
    """Approve `version` of a request, as asked or narrower (an earlier `until`, a smaller `amount`).

    The model or the higher limit is there as soon as gateways have read the feed, and ends by itself. Raises `Refused`.
    """
    with recorded(actor, "request:approve", request, team_id=request.team_id) as trail:
        viewer, row = undecided(actor, request, version)
        until, amount = until or row.until, row.amount if amount is None else amount
        check_narrower(row, until, amount)
        check_authority(viewer, row, amount)
        check_still_makes_sense(row)
        decide(row, Status.APPROVED, version)
        approval = Approval.objects.create(
            request=row, decided_by=viewer.user, approved=True, words=words.strip()[:2000], until=until, amount=amount
        )
        put_in_force(actor, row, until, amount, trail)
        trail.after |= {"until": until.isoformat(), "words": approval.words, "version": version}
        narrowed = " (narrower than asked)" if until < row.until or amount != row.amount else ""
        tell(
            row.requester, f"decision:{row.pk}",
            f"Approved{narrowed}: {row.get_kind_display().lower()} for {row.team.name}, until {until:%d %b %Y %H:%M} UTC.",
            f"/requests/{row.pk}",
        )  # fmt: skip
    return approval


def deny(*, actor: Actor, request: KeyRequest, version: int, words: str) -> Approval:
    """Deny `version` of a request, with words for whoever asked. Raises `Refused`."""
    words = words.strip()[:2000]
    if not words:
        raise Refused(
            "The request was not denied.", "Whoever asked wants to know why.", "Write a sentence.", field="words"
        )
    with recorded(actor, "request:deny", request, team_id=request.team_id) as trail:
        viewer, row = undecided(actor, request, version)
        check_authority(viewer, row, 0)
        decide(row, Status.DENIED, version)
        approval = Approval.objects.create(request=row, decided_by=viewer.user, approved=False, words=words)
        trail.after = {"words": words, "version": version}
        tell(
            row.requester, f"decision:{row.pk}",
            f"Denied: {row.get_kind_display().lower()} for {row.team.name}. {words}", f"/requests/{row.pk}",
        )  # fmt: skip
    return approval


def undecided(actor: Actor, request: KeyRequest, version: int) -> tuple[Viewer, KeyRequest]:
    """Return the decider as they are now and the request, locked; refuse what is decided or not what they saw."""
    viewer = present_viewer(actor)
    if viewer is None:
        raise Refused("Nothing was decided.", "Only a person decides.", "Sign in.", forbidden=True)
    rows = KeyRequest.objects.select_for_update(of=("self",))
    row = rows.select_related("requester", "team", "key", "model", "quota").get(pk=request.pk)
    if row.status != Status.OPEN:
        raise decided_before(row)
    if row.version != version:
        raise Refused(
            "Nothing was decided.",
            "The request was edited after you opened it.",
            "Read it again, then decide.",
            code="stale",
        )
    return viewer, row


def decided_before(row: KeyRequest) -> Refused:
    decision = Approval.objects.filter(request=row).select_related("decided_by").first()
    who = f" by {decision.decided_by} on {decision.decided_at:%d %b %Y at %H:%M} UTC" if decision else ""
    return Refused(
        "Nothing was decided.", f"The request is {row.get_status_display().lower()}{who}.", "A request is decided once.",
        code="decided",
    )  # fmt: skip


def check_authority(viewer: Viewer, row: KeyRequest, amount: int | None) -> None:
    why = objection(viewer, row, amount)
    if why:
        raise Refused("Nothing was decided.", why, "Leave it to them.", code="not_yours_to_decide", forbidden=True)


def check_narrower(row: KeyRequest, until: datetime, amount: int | None) -> None:
    """Refuse an end or an amount beyond what was asked."""
    if until > row.until:
        raise Refused(
            "Nothing was decided.", "That end is later than asked for.", "Choose an earlier one.", field="until"
        )
    if until <= timezone.now():
        raise Refused("Nothing was decided.", "That end is past.", "Choose a later one, or deny.", field="until")
    if row.kind == KeyRequest.Kind.BUDGET and not 0 < (amount or 0) <= (row.amount or 0):
        raise Refused(
            "Nothing was decided.",
            "That is none, or more than asked for.",
            "Choose up to what was asked, or deny.",
            field="amount",
        )


def check_still_makes_sense(row: KeyRequest) -> None:
    """Refuse an approval that could not take effect: the person left, the team is blocked, the key is gone."""
    why = ""
    if row.requester.status == User.Status.BLOCKED:
        why = f"{row.requester} is blocked."
    elif not Membership.objects.filter(team=row.team, user=row.requester).exists():
        why = f"{row.requester} is no longer in {row.team.name}."
    elif row.team.status != Team.Status.ACTIVE:
        why = f"{row.team.name} is blocked."
    elif row.key is not None and row.key.state(timezone.now()) in {"revoked", "expired"}:
        why = f"The key {row.key} is {row.key.state(timezone.now())}."
    elif row.kind == KeyRequest.Kind.BUDGET and row.quota is None:
        why = "The limit was removed, so there is nothing to raise."
    if why:
        raise Refused("Nothing was decided.", why, "Deny the request.", code="moot")


def decide(row: KeyRequest, status: str, version: int) -> None:
    """Move the request on, if nobody else did: the condition is in the statement, not in our memory."""
    if not KeyRequest.objects.filter(pk=row.pk, status=Status.OPEN, version=version).update(status=status):
        row.refresh_from_db(fields=["status"])
        raise decided_before(row)


def put_in_force(actor: Actor, row: KeyRequest, until: datetime, amount: int | None, trail: Trail) -> None:
    """Write the grant or the extra. A key that names its models needs the grant itself; else it is the person's."""
    if row.model is not None:
        narrow = row.key is not None and (not row.key.all_models or row.key.kind == Key.Kind.SERVICE)
        grant_model(
            actor=actor, team=row.team, user=None if narrow else row.requester,
            key_id=row.key_id or "" if narrow else "", model=row.model, until=until, request_id=row.pk,
        )  # fmt: skip
        trail.after["model"] = row.model.slug
    if row.quota is not None and amount is not None:
        add_extra(actor=actor, quota=row.quota, amount=amount, until=until, request_id=row.pk)
        trail.after["extra"] = rules.in_words(row.quota.metric, amount)
        if row.quota.scope_kind == Quota.Scope.KEY:
            trail.changed("key", row.quota.scope_id)


def end_exception(*, actor: Actor, approval: Approval) -> bool:
    """End what an approval opened, by its date or before; returns False if it was ended already."""
    viewer = present_viewer(actor)
    row = KeyRequest.objects.select_related("team", "quota", "model").get(pk=approval.request_id)
    if viewer is not None:
        check_authority(viewer, row, 0)
    with recorded(actor, "request:end", row, team_id=row.team_id) as trail:
        now = timezone.now()
        if not Approval.objects.filter(pk=approval.pk, approved=True, ended_at__isnull=True).update(ended_at=now):
            trail.skip()
            return False
        trail.before, trail.after = described(approval), {"ended_at": now.isoformat()}
        for grant in ModelGrant.objects.filter(request_id=row.pk, ended_at__isnull=True):
            end_grant(actor=actor, grant=grant)
        for extra in QuotaExtra.objects.filter(request_id=row.pk, ended_at__isnull=True).select_related("quota"):
            end_extra(actor=actor, extra=extra)
            if extra.quota.scope_kind == Quota.Scope.KEY:
                trail.changed("key", extra.quota.scope_id)
    return True


def described(approval: Approval) -> dict[str, Any]:
    return {"until": approval.until.isoformat() if approval.until else None, "amount": approval.amount}
