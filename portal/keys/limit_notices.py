"""Telling people that a budget or limit of theirs is nearly, or wholly, used up: in the portal and by e-mail, once."""

from collections.abc import Iterable

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from billing.labels import labels
from billing.models import Quota, QuotaNotice
from portal.keys.models import Key
from portal.keys.notices import tell_all
from portal.keys.rules import in_words, window_words
from portal.people.models import Application, GlobalRole, Membership, Team, User

BATCH = 200
FINANCE = (GlobalRole.Role.FINANCE, GlobalRole.Role.PLATFORM_ADMIN)


def tell_of_limits() -> int:
    """Tell what was noted and not told yet; of several shares reached at once only the highest. Returns how many."""
    waiting = QuotaNotice.objects.filter(told_at__isnull=True).select_related("quota").order_by("at", "percent")
    highest = {(notice.quota_id, notice.period): notice for notice in waiting[:BATCH]}
    for notice in highest.values():
        with transaction.atomic():
            topic = f"limit:{notice.quota_id}:{notice.period}:{notice.percent}"
            tell_all(people_of(notice.quota), topic, words_of(notice), path_of(notice.quota))
            QuotaNotice.objects.filter(
                quota_id=notice.quota_id, period=notice.period, percent__lte=notice.percent, told_at__isnull=True
            ).update(told_at=timezone.now())
    return len(highest)


def people_of(quota: Quota) -> list[User]:
    """Return who should hear of a limit: owner, leads, or finance and platform admins where it is the company's."""
    people = User.objects.active()
    found: Iterable[User] = ()
    if quota.scope_kind == Quota.Scope.USER:
        found = people.filter(pk=quota.scope_id)
    elif quota.scope_kind == Quota.Scope.KEY:
        found = people.filter(pk__in=Key.objects.filter(pk=quota.scope_id).values("owner_id"))
    elif quota.scope_kind == Quota.Scope.APPLICATION:
        application = Application.objects.filter(pk=quota.scope_id).first()
        owner = people.filter(pk=application.owner_id) if application else people.none()
        found = list(owner) or (leads_of(application.team_id) if application else ())
    elif quota.scope_kind == Quota.Scope.TEAM:
        found = leads_of(quota.scope_id)
    return list(found) or list(people.filter(global_roles__role__in=FINANCE).distinct())


def leads_of(team_id: str) -> list[User]:
    return list(
        User.objects.active().filter(memberships__team_id=team_id, memberships__role=Membership.Role.LEAD).distinct()
    )


def words_of(notice: QuotaNotice) -> str:
    """Say how much of which limit is used, and what comes then."""
    quota = notice.quota
    name = labels(quota.scope_kind, [quota.scope_id]).get(quota.scope_id, quota.scope_id)
    models = labels("model", [quota.model_id, quota.step_down_model_id])
    whose = f"{name} with {models.get(quota.model_id, 'one model')}" if quota.model_id else name
    limit = f"{in_words(quota.metric, notice.limit)} {window_words(quota.window)}"
    step_down = models.get(quota.step_down_model_id)
    end = f"calls go on with {step_down}" if step_down else "calls are refused"
    if notice.percent == 100:
        return f"{whose}: the limit of {limit} is used up, and {end}."
    return f"{whose}: {notice.percent} % of {limit} is used. At 100 % {end}."


def path_of(quota: Quota) -> str:
    """Return the page that shows the limit to those who are told."""
    if quota.scope_kind == Quota.Scope.USER:
        return reverse("billing-usage-mine")
    if quota.scope_kind == Quota.Scope.KEY:
        return reverse("keys-key-detail", args=[quota.scope_id])
    if quota.scope_kind == Quota.Scope.TEAM and Team.objects.filter(pk=quota.scope_id).exists():
        return reverse("people-team-detail", args=[quota.scope_id])
    return reverse("billing-quota-list")
