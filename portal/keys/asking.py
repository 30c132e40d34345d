"""What may be asked for: checks of a request that is new or edited."""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from billing.models import Quota
from billing.quota_rules import LARGEST
from catalog.access import usable_by
from catalog.connection import connected_model_ids
from catalog.models import Model
from portal.keys.models import Key
from portal.keys.refusal import Refused
from portal.people.access import Viewer
from portal.people.models import Team

LONGEST_REASON = 2000


def check_reason(reason: str) -> str:
    """Return `reason` trimmed; refuse an empty or an endless one."""
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_REASON or "\0" in reason:
        raise Refused(
            "The request needs a reason.",
            f"Whoever decides knows only what you write (at most {LONGEST_REASON} characters).",
            "Say what you want to do.",
            field="reason",
        )
    return reason


def check_until(until: datetime) -> None:
    """Refuse an end that is past or later than the company's maximum."""
    now = timezone.now()
    if until <= now:
        raise Refused("The request was not sent.", "Its end lies in the past.", "Choose a later end.", field="until")
    if until > now + timedelta(days=settings.EXCEPTION_MAX_DAYS):
        raise Refused(
            "The request was not sent.",
            f"An exception lasts {settings.EXCEPTION_MAX_DAYS} days at most.",
            "Choose an earlier end.",
            field="until",
            code="lifetime_too_long",
        )


def check_team(viewer: Viewer, team: Team) -> None:
    """Refuse a team that is blocked or not the asker's."""
    if not viewer.belongs_to(team.pk):
        raise Refused(
            "The request was not sent.",
            f"You do not belong to the team {team.name}.",
            "Choose a team of yours.",
            field="team",
            code="not_a_member",
            forbidden=True,
        )
    if team.status != Team.Status.ACTIVE:
        raise Refused(
            "The request was not sent.", f"The team {team.name} is blocked.", "Ask a platform admin.", field="team"
        )


def check_key(viewer: Viewer, team: Team, key: Key | None) -> None:
    """Refuse a key that is somebody else's, another team's, or no longer live."""
    if key is None:
        return
    if key.owner_id != viewer.user.pk or key.team_id != team.pk:
        raise Refused(
            "The request was not sent.",
            "That key is not yours in this team.",
            "Leave the key out, or choose one of yours.",
            field="key",
            code="not_yours",
            forbidden=True,
        )
    state = key.state(timezone.now())
    if state in {"revoked", "expired"}:
        raise Refused("The request was not sent.", f"That key is {state}.", "Mint a new key first.", field="key")


def check_model(viewer: Viewer, team: Team, model: Model | None, key: Key | None) -> None:
    """Refuse a model that is missing, retired, or open already."""
    if model is None or model.stage == Model.Stage.RETIRED:
        raise Refused("The request was not sent.", "That model is not offered.", "Choose another.", field="model")
    if model.pk not in connected_model_ids([model.pk]):
        raise Refused(
            "The request was not sent.",
            f"No provider serves {model.display_name} yet.",
            "Choose another.",
            field="model",
        )
    if not usable_by(viewer, team).filter(pk=model.pk).exists():
        return
    if key is None or key.all_models or key.named_models.filter(pk=model.pk).exists():
        raise Refused(
            "No request is needed.",
            f"You may call {model.display_name} already.",
            "Use it with this key." if key else "Mint a key for it.",
            field="model",
            code="allowed_already",
        )


def check_quota(viewer: Viewer, team: Team, quota: Quota | None, amount: int | None) -> None:
    """Refuse a limit that does not bound the asker in this team, and amounts that are none."""
    if quota is None or not bounds(quota, viewer, team):
        raise Refused(
            "The request was not sent.", "That limit does not bound your calls.", "Choose another.", field="quota"
        )
    if amount is None or not 0 < amount <= LARGEST:
        raise Refused("The request was not sent.", "Nothing is asked for.", "Say how much more.", field="amount")


def bounds(quota: Quota, viewer: Viewer, team: Team) -> bool:
    """Say whether a quota bounds calls that the viewer makes for the team."""
    kind, scope = quota.scope_kind, quota.scope_id
    if kind == Quota.Scope.KEY:
        return Key.objects.filter(pk=scope, owner=viewer.user, team=team).exists()
    if kind == Quota.Scope.APPLICATION:
        return Key.objects.filter(application_id=scope, owner=viewer.user, team=team).exists()
    own: dict[str, str] = {Quota.Scope.TEAM: team.pk, Quota.Scope.USER: viewer.user.pk}
    return scope == own.get(kind, scope)
