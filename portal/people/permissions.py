"""Who may do what: one table from roles to permissions. Nothing else grants anything."""

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a person can be. `LEAD` holds for the teams they lead, the others everywhere."""

    EMPLOYEE = "employee"
    LEAD = "lead"
    FINANCE = "finance"
    PLATFORM_ADMIN = "platform_admin"
    AUDITOR = "auditor"


PUBLIC: Final = "public"  # no sign-in asked
SIGNED_IN: Final = "signed_in"  # any active person

PERMISSIONS: Final[dict[Role, frozenset[str]]] = {
    Role.EMPLOYEE: frozenset({"models.view", "keys.own", "requests.own", "usage.own", "team.view"}),
    Role.LEAD: frozenset(
        {
            "keys.team", "requests.inbox", "requests.decide", "usage.team", "team.manage", "stops.view", "stops.team",
            "quotas.set",
        }
    ),
    Role.FINANCE: frozenset(
        {
            "spend.view", "usage.all", "quotas.view", "quotas.set", "quotas.manage", "requests.inbox",
            "requests.decide_budget", "people.view",
        }
    ),
    Role.PLATFORM_ADMIN: frozenset(
        {
            "catalog.manage", "quotas.view", "quotas.set", "quotas.manage", "people.view", "people.manage", "teams.manage",
            "keys.all", "requests.inbox", "requests.decide_all", "usage.all", "spend.view", "stops.view", "stops.team",
            "stops.manage",
        }
    ),
    Role.AUDITOR: frozenset(
        {"audit.view", "people.view", "keys.view_all", "quotas.view", "usage.all", "spend.view", "stops.view"}
    ),
}  # fmt: skip

EVERY_PERMISSION: Final = frozenset().union(*PERMISSIONS.values())


def granted(roles: frozenset[Role]) -> frozenset[str]:
    """Return every permission that any of `roles` carries."""
    return frozenset[str]().union(*(PERMISSIONS[role] for role in roles))


ROLE_WORDS: Final = {
    Role.EMPLOYEE: ("employee", "employees"),
    Role.LEAD: ("team lead", "team leads"),
    Role.FINANCE: ("finance", "finance"),
    Role.PLATFORM_ADMIN: ("platform admin", "platform admins"),
    Role.AUDITOR: ("auditor", "auditors"),
}


def refusal_words(permission: str) -> str:
    """Say which roles carry `permission`, for a page that is refused."""
    names = [ROLE_WORDS[role][1] for role in Role if permission in PERMISSIONS[role]]
    words = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return f"This is for {words} ({permission})."


PERMISSION_WORDS: Final = {
    "audit.view": "Read and export the audit trail",
    "catalog.manage": "Change providers, models and prices",
    "keys.all": "See and revoke every key",
    "keys.own": "Mint, narrow, rotate and revoke own keys",
    "keys.team": "See and revoke keys of the teams one leads",
    "keys.view_all": "See every key, without changing any",
    "models.view": "Browse the catalogue",
    "people.manage": "Invite and block people, give roles",
    "people.view": "See all people and teams",
    "quotas.manage": "Set, raise and remove every budget and limit",
    "quotas.set": "Set limits; a lead lowers and adds them for their team, its applications and keys",
    "quotas.view": "See budgets and limits",
    "requests.decide": "Decide on requests of the teams one leads",
    "requests.decide_all": "Decide on every request",
    "requests.decide_budget": "Decide on requests for more budget",
    "requests.inbox": "Open the inbox of requests",
    "requests.own": "Ask for a model or more budget",
    "spend.view": "See the spend of everybody",
    "stops.manage": "Stop anything at once, and lift any stop",
    "stops.team": "Stop teams one leads and their keys, and lift that again",
    "stops.view": "See what is stopped",
    "team.manage": "Add, change and remove members of the teams one leads",
    "team.view": "See the teams one belongs to",
    "teams.manage": "Create and change every team",
    "usage.all": "See every request",
    "usage.own": "See own usage",
    "usage.team": "See the spend of the teams one leads",
}
