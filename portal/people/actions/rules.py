"""What every action on people asks first: may this actor do it, and would somebody be left to run the place."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import PermissionDenied

from portal.people.access import Viewer, viewer_of
from portal.people.audit import Actor
from portal.people.models import GlobalRole, Team, User
from portal.people.permissions import refusal_words


class PeopleRefused(ValueError):
    """What was asked cannot be done; the message says what, why and what to do."""


def demand(actor: Actor, permission: str, *, team: Team | None = None, in_team: str = "") -> Viewer | None:
    """Raise PermissionDenied unless the actor carries `permission`, or `in_team` as a lead of `team`.

    Commands, configuration and tasks act without a person: whoever can start those holds the server.
    """
    if actor.user is None:
        return None
    person = User.objects.get(pk=actor.user.pk)
    if not person.is_active:
        raise PermissionDenied("Your access was taken away.")
    viewer = viewer_of(person)
    if viewer.allows(permission) or (team and in_team and viewer.allows(in_team) and viewer.leads(team.pk)):
        return viewer
    raise PermissionDenied(refusal_words(permission))


def is_oneself(actor: Actor, person: User) -> bool:
    return actor.user is not None and actor.user.pk == person.pk


def active_admins() -> int:
    """Count people who can run the platform today."""
    return GlobalRole.objects.filter(role=GlobalRole.Role.PLATFORM_ADMIN, user__status=User.Status.ACTIVE).count()


@contextmanager
def an_admin_remains() -> Iterator[None]:
    """Around writes, inside their transaction: raise PeopleRefused when they take the last active platform admin away.

    The admins' rows are locked in one order, so that two admins who demote each other at once do not both succeed.
    """
    list(GlobalRole.objects.select_for_update().filter(role=GlobalRole.Role.PLATFORM_ADMIN).order_by("pk"))
    before = active_admins()
    yield
    if before and not active_admins():
        raise PeopleRefused(
            "This is the last platform admin, and without one nobody could run Atrium. "
            "Make somebody else platform admin first."
        )
