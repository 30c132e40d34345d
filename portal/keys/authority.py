"""Whether an actor may change a key: looked up again inside every action, so that a page left open gives nothing."""

from portal.keys.models import Key
from portal.keys.refusal import Refused
from portal.people.access import Viewer, viewer_of
from portal.people.audit import Actor
from portal.people.models import User


def present_viewer(actor: Actor) -> Viewer | None:
    """Return what the acting person may do at this moment; None for Atrium itself. Raises `Refused` for the blocked."""
    if actor.user is None:
        return None
    person = User.objects.get(pk=actor.user.pk)
    if not person.is_active:
        raise Refused(
            "Nothing was done.",
            "Your access was taken away.",
            "Ask a platform admin.",
            code="not_active",
            forbidden=True,
        )
    return viewer_of(person)


def check_manages(actor: Actor, key: Key) -> None:
    """Refuse who is neither the key's owner, nor a lead of its team, nor a platform admin."""
    viewer = present_viewer(actor)
    if viewer is not None and not Key.objects.manageable_by(viewer).filter(pk=key.pk).exists():
        raise Refused(
            "The key stays as it is.",
            "It belongs to somebody else.",
            "Ask its owner, the lead of its team or a platform admin.",
            code="not_yours",
            forbidden=True,
        )


def check_stops(actor: Actor, key: Key) -> None:
    """Refuse who may not block or unblock: that is for leads and admins; nobody unblocks a key of their own."""
    viewer = present_viewer(actor)
    if viewer is not None and not Key.objects.stoppable_by(viewer).filter(pk=key.pk).exists():
        raise Refused(
            "The key stays as it is.",
            "Blocking is for the lead of the team (not for a key of their own) and platform admins.",
            "Ask one of them.",
            code="not_yours",
            forbidden=True,
        )
