"""The kill switch: stop a provider, a model, a team, a key or everything, and lift that again."""

from django.core.exceptions import PermissionDenied

from portal.people.access import Viewer
from portal.people.actions.rules import PeopleRefused, demand
from portal.people.audit import Actor, recorded
from portal.people.models import Stop, Team

TEAMS_OWN = {Stop.Kind.TEAM, Stop.Kind.KEY}


def stop_calls(
    *, actor: Actor, kind: str, entity_id: str = "", label: str = "", reason: str, team_id: str = ""
) -> Stop:
    """Refuse every call of this thing within a second, and end those under way within five. Returns what stands.

    `label` is what people call it; `team_id` is the team of a team or a key. Needs stops.manage, or stops.team and to
    lead `team_id`. A platform admin takes over what a lead stopped; a lead leaves alone what others did.
    Raises PeopleRefused without a reason, and where somebody else stopped it already.
    """
    if kind not in Stop.Kind.values:
        raise PeopleRefused(f'"{kind}" cannot be stopped. Use {", ".join(Stop.Kind.values)}.')
    viewer = _demand(actor, team_id if kind in TEAMS_OWN else "")
    reason = _reason(reason, "stop")
    with recorded(actor, f"{kind}:stop", team_id=team_id) as trail:
        held = Stop.objects.select_for_update().filter(kind=kind, entity_id=entity_id).first()
        if held is not None and viewer and not viewer.allows("stops.manage") and held.by_id != viewer.user.pk:
            raise PeopleRefused(f"It is stopped already, by {held.by_label}: {held.reason}")
        by_id = actor.user.pk if actor.user else ""
        if held is not None and (held.reason, held.by_id) == (reason, by_id):
            trail.skip()
            return held
        trail.before = _picture(held) if held else {}
        stop = held or Stop(kind=kind, entity_id=entity_id, team_id=team_id)
        stop.label, stop.reason, stop.by_id, stop.by_label = label or kind, reason, by_id, actor.label
        stop.save()
        trail.target, trail.after = stop, _picture(stop)
        trail.changed("stop", stop.pk)
    return stop


def lift_stop(*, actor: Actor, stop: Stop, reason: str) -> None:
    """Let calls through again. Needs stops.manage, or stops.team and to have stopped it oneself. Does nothing twice."""
    viewer = _demand(actor, stop.team_id)
    reason = _reason(reason, "end of a stop")
    with recorded(actor, f"{stop.kind}:unstop", stop, team_id=stop.team_id) as trail:
        held = Stop.objects.select_for_update().filter(pk=stop.pk).first()
        if held is None:
            trail.skip()
            return
        if viewer and not Stop.objects.liftable_by(viewer).filter(pk=held.pk).exists():
            raise PermissionDenied(f"{held.by_label} stopped this: they or a platform admin can lift it.")
        trail.before, trail.after = _picture(held), {"reason": reason}
        trail.changed("stop", held.pk)
        Stop.objects.filter(pk=held.pk).delete()


def _demand(actor: Actor, team_id: str) -> Viewer | None:
    team = Team.objects.filter(pk=team_id).first() if team_id else None
    return demand(actor, "stops.manage", team=team, in_team="stops.team")


def _reason(text: str, what: str) -> str:
    reason = " ".join(text.split())[:300]
    if not reason:
        raise PeopleRefused(f"A {what} needs a reason: those who are affected are told, and auditors read it.")
    return reason


def _picture(stop: Stop) -> dict[str, str]:
    return {"kind": stop.kind, "id": stop.entity_id, "label": stop.label, "reason": stop.reason, "by": stop.by_label}
