"""Revoking many keys at once: everything of a team, everything that somebody minted."""

from django.db import transaction
from django.db.models import QuerySet

from portal.keys.actions.keys import revoke_key
from portal.keys.authority import present_viewer
from portal.keys.models import Key
from portal.keys.refusal import Refused
from portal.people.audit import Actor
from portal.people.models import Team, User


def revoke_keys_of_team(*, actor: Actor, team: Team, reason: str = "") -> int:
    """Revoke every key of `team`, by a lead of it or a platform admin; returns how many were revoked now."""
    viewer = present_viewer(actor)
    if viewer is not None and not viewer.allows("keys.all") and not viewer.leads(team.pk):
        raise not_allowed(f"the lead of {team.name} or a platform admin")
    return revoke_each(actor, Key.objects.filter(team=team), reason)


def revoke_keys_of_person(*, actor: Actor, person: User, reason: str = "") -> int:
    """Revoke every key that `person` minted, by themselves or a platform admin; returns how many were revoked now."""
    viewer = present_viewer(actor)
    if viewer is not None and not viewer.allows("keys.all") and viewer.user.pk != person.pk:
        raise not_allowed("that person or a platform admin")
    return revoke_each(actor, Key.objects.filter(owner=person), reason)


def revoke_each(actor: Actor, keys: "QuerySet[Key]", reason: str) -> int:
    """Revoke all or none, with an audit row for each."""
    with transaction.atomic():
        standing = keys.exclude(status=Key.Status.REVOKED).order_by("pk")
        return sum(revoke_key(actor=actor, key=key, reason=reason) for key in standing)


def not_allowed(who: str) -> Refused:
    return Refused("Nothing was revoked.", f"This is for {who}.", "Ask one of them.", code="not_yours", forbidden=True)
