"""The navigation: one table of all pages that stand in it, and who sees them."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the navigation; shown to whoever has any of `permissions` and none of `unless`, once its page exists.

    `about` is said on the front page.
    """

    words: str
    url_name: str
    icon: str
    permissions: tuple[str, ...] = ()
    url: str = ""
    here: str = ""
    count: int = 0
    about: str = ""
    unless: tuple[str, ...] = ()
    query: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    entries: tuple[Entry, ...]


INBOX: Final = "keys-inbox-list"
GROUPS: Final = (
    Group(
        "Work",
        (
            Entry("Home", "home", "home"),
            Entry("Inbox", INBOX, "inbox", ("requests.inbox",)),
            Entry("Models", "catalog-model-list", "layout-grid", ("models.view",)),
            Entry("My keys", "keys-key-list", "key", ("keys.own",)),
            Entry("My requests", "keys-request-list", "message-2", ("requests.own",)),
            Entry("My usage", "billing-usage-mine", "activity", ("usage.own",)),
        ),
    ),
    Group(
        "My team",
        (
            Entry(
                "Team spend",
                "billing-spend-team",
                "chart-area-line",
                ("usage.team",),
                about="Month to date, by person, key and model.",
            ),
            Entry(
                "Team",
                "people-team-list",
                "users",
                ("team.view",),
                about="Who is in it, and what it may use.",
                unless=("people.view",),
            ),
            Entry(
                "Kill switch",
                "home-stop-list",
                "player-stop",
                ("stops.team",),
                about="Stop a key of the team, or all of them, at once.",
                unless=("stops.manage",),
            ),
        ),
    ),
    Group(
        "Finance",
        (
            Entry(
                "Spend",
                "billing-spend-dashboard",
                "report-money",
                ("spend.view",),
                about="Month to date, forecast and movers, down to each request.",
            ),
            Entry(
                "Budgets",
                "billing-quota-list",
                "wallet",
                ("quotas.view", "quotas.manage"),
                about="Who may spend how much, and what is left.",
            ),
        ),
    ),
    Group(
        "Platform",
        (
            Entry(
                "Providers",
                "catalog-provider-list",
                "plug-connected",
                ("catalog.manage",),
                about="Where models run, and the credentials for them.",
            ),
            Entry(
                "Manage models",
                "catalog-admin-model-list",
                "adjustments",
                ("catalog.manage",),
                about="What the company offers, on which tier, until when.",
            ),
            Entry(
                "Aliases",
                "catalog-alias-list",
                "switch-horizontal",
                ("catalog.manage",),
                about="Names that lead to models, wherever they point today.",
            ),
            Entry(
                "Kill switch",
                "home-stop-list",
                "player-stop",
                ("stops.manage",),
                about="Stop a model, a provider, a team, a key or everything at once.",
            ),
        ),
    ),
    Group(
        "Company",
        (
            Entry(
                "Teams",
                "people-team-list",
                "users-group",
                ("teams.manage", "people.view"),
                about="Who belongs together, and which cost centre pays.",
            ),
            Entry(
                "People",
                "people-user-list",
                "user-circle",
                ("people.view", "people.manage"),
                about="Everybody who can sign in, with their roles.",
            ),
        ),
    ),
    Group(
        "Evidence",
        (
            Entry(
                "Audit trail",
                "people-audit-list",
                "shield-check",
                ("audit.view",),
                about="Every change and decision: who, what, when.",
            ),
            Entry(
                "Kill switch",
                "home-stop-list",
                "player-stop",
                ("audit.view",),
                about="What is stopped right now, by whom, and why.",
                unless=("stops.team",),
            ),
            Entry(
                "All keys",
                "keys-key-list",
                "lock-access",
                ("keys.view_all", "keys.all"),
                about="Every key: whose it is, what it may call, when it was last used.",
                query="?whose=all",
            ),
        ),
    ),
)
