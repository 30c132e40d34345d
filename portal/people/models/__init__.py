"""Tables of the people app."""

from portal.people.models.application import Application
from portal.people.models.audit import AuditEvent
from portal.people.models.feed import BeatLock, Change, Revision
from portal.people.models.session import PersonSession
from portal.people.models.stop import Stop
from portal.people.models.team import CostCentre, Membership, Team
from portal.people.models.user import GlobalRole, User

__all__ = [
    "Application", "AuditEvent", "BeatLock", "Change", "CostCentre", "GlobalRole",
    "Membership", "PersonSession", "Revision", "Stop", "Team", "User",
]  # fmt: skip
