"""What a key may be: never more than its owner and its team, and never for longer than the company allows."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from billing.models import Quota
from billing.quota_rules import QuotaError, check_quota
from catalog.access import usable_by
from catalog.models import Model
from gateway.money import format_usd
from portal.keys.models import Key
from portal.keys.refusal import Refused
from portal.people.access import viewer_of
from portal.people.audit import Actor
from portal.people.data_floors import refusal
from portal.people.models import Membership, Team, User

Limit = tuple[str, str, int]  # metric, window, capacity (nano-USD for usd, else a count)


def check_owner(owner: User, *, by_themselves: bool) -> None:
    """Refuse people who are blocked; an invited person gets keys only from an administrator's command."""
    if owner.status == User.Status.BLOCKED:
        raise Refused("No key was minted.", f"{owner.label} is blocked.", "Unblock them first.", field="owner")
    if by_themselves and not owner.is_active:
        raise Refused(
            "No key was minted.", "You have not signed in yet.", "Sign in first.", field="owner", forbidden=True
        )


def check_team(owner: User, team: Team) -> None:
    """Refuse a team that is blocked or that the owner does not belong to."""
    if not Membership.objects.filter(team=team, user=owner).exists():
        raise Refused(
            "No key was minted.",
            f"{owner.label} does not belong to the team {team.slug}.",
            "Choose a team of theirs, or ask its lead to add them.",
            field="team",
            code="not_a_member",
        )
    if team.status != Team.Status.ACTIVE:
        raise Refused(
            "No key was minted.",
            f"The team {team.name} is blocked.",
            "Ask a platform admin.",
            field="team",
            code="team_blocked",
        )


def check_models(owner: User, team: Team, models: Iterable[Model]) -> None:
    """Refuse models that neither the team may use nor an exception opens to the owner."""
    usable = {model.pk for model in usable_by(viewer_of(owner), team)}
    beyond = sorted(model.slug for model in models if model.pk not in usable)
    if beyond:
        raise Refused(
            f"{', '.join(beyond)}: not for this key.",
            f"The team {team.name} may not use {'it' if len(beyond) == 1 else 'them'}.",
            "Leave it out, or request the model.",
            field="models",
            code="model_not_allowed",
        )


def check_expiry(expires_at: datetime) -> None:
    """Refuse an end that is past, or later than the company's maximum."""
    now = timezone.now()
    if expires_at <= now:
        raise Refused(
            "The key would already be expired.", "Its end lies in the past.", "Choose a later end.", field="expires"
        )
    if expires_at > now + timedelta(days=settings.KEY_MAX_DAYS):
        raise Refused(
            "The key would live too long.",
            f"A key lives {settings.KEY_MAX_DAYS} days at most.",
            "Choose an earlier end.",
            field="expires",
            code="lifetime_too_long",
        )


def check_name(owner: User, name: str, *, but: str = "") -> str:
    """Return `name` trimmed; refuse an empty or long one, and one that a live key of the owner has."""
    name = " ".join(name.split())
    if not name or len(name) > 100 or not name.isprintable():
        raise Refused(
            "The key needs a name.",
            "A name has 1 to 100 visible characters.",
            "Say what the key is for, such as laptop.",
            field="name",
        )
    if Key.objects.filter(owner=owner, name=name, ended_at__isnull=True).exclude(pk=but).exists():
        raise Refused(
            f'There is a key called "{name}" already.',
            "Names of your live keys differ, so that you can tell them apart.",
            "Choose another name, or revoke the other key.",
            field="name",
            code="name_taken",
        )
    return name


def check_limits(team: Team, limits: Sequence[Limit]) -> None:
    """Refuse limits that are unknown, repeated, or above the team's for the same metric and window."""
    caps = {
        (quota.metric, quota.window): quota.capacity
        for quota in Quota.objects.filter(scope_kind="team", scope_id=team.pk, model_id="")
    }
    seen: set[tuple[str, str]] = set()
    for metric, window, capacity in limits:
        named = f"{metric}/{window}"
        try:
            check_quota("key", metric, window, capacity)
        except QuotaError as mistake:
            example = "Write for example usd/month or requests/minute."
            raise Refused(f'"{named}" is no limit.', str(mistake), example, field="limits") from None
        if (metric, window) in seen:
            raise Refused(
                f"{named} is given twice.", "A key has one limit of a kind.", "Leave one out.", field="limits"
            )
        seen.add((metric, window))
        cap = caps.get((metric, window))
        if cap is not None and capacity > cap:
            raise Refused(
                f"{named} is above the team's limit.",
                f"{team.name} has {in_words(metric, cap)} {window_words(window)}.",
                "Choose that or less.",
                field="limits",
                code="above_team",
            )


def in_words(metric: str, amount: int) -> str:
    """Write an amount of a metric: `$12.50`, `600 requests`."""
    if metric == Quota.Metric.USD:
        return f"${format_usd(amount)}"
    return f"{amount:,} {str(Quota.Metric(metric).label).lower()}"


def window_words(window: str) -> str:
    return str(Quota.Window(window).label)


def floor_of(key: Key) -> str:
    """Return the class that its calls are taken for at least; "" where the tier of each model says."""
    return key.data_class or (key.application.data_class if key.application is not None else "")


def check_floor(actor: Actor, standing: str, wanted: str) -> None:
    """Refuse a floor of the data's class that would lower the one that holds (`standing`) for an actor who may not."""
    if why := refusal(actor, standing, wanted):
        raise Refused("The class of its data stays.", why, "Choose another class.", field="data_class", code="wider")
