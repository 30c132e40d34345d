"""What a page, a file, the API or a command asks of usage: a period and dimensions, each said the same way everywhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TypeVar
from urllib.parse import urlencode

from django.db.models import Model as Table
from django.db.models import Q, QuerySet

from billing.calendar import DAY, day_of, start_of
from billing.moments import rfc3339
from catalog.models import Model, Provider
from portal.people.access import Viewer
from portal.people.models import Application, Team, User

DIMENSIONS = ("team", "user", "key", "application", "model", "provider")
PREFIXES = {
    "team": "team_",
    "user": "user_",
    "key": "key_",
    "application": "app_",
    "model": "mdl_",
    "provider": "prov_",
}
NONE = "-"  # stands for "without" where an application or a cost centre is named
NO_APPLICATION = Q(application_id="") | Q(application_id__isnull=True)
OUTCOMES = {"ok": Q(status__lt=400), "errors": Q(status__gte=400)}
Rows = TypeVar("Rows", bound=Table)


class FilterError(ValueError):
    """A filter names what does not exist or means nothing; the message says what would do."""


@dataclass(frozen=True, slots=True)
class Filters:
    """[start, end) in instants, and the ids that rows must carry ("" asks nothing)."""

    start: datetime
    end: datetime
    ids: Mapping[str, str] = field(default_factory=dict)  # dimension → id
    cost_centre: str = ""  # its code; "-" means none
    but: tuple[str, ...] = ()  # a dimension (or "cost_centre"), then what to leave out: how "others" are found
    outcome: str = ""  # "ok", "errors"

    def narrow(self, rows: QuerySet[Rows]) -> QuerySet[Rows]:
        """Narrow roll-ups or events to the asked dimensions (not to the period)."""
        for dimension, one in self.ids.items():
            rows = rows.filter(NO_APPLICATION if one == NONE else Q(**{f"{dimension}_id": one}))
        if self.cost_centre:
            rows = rows.filter(team_id__in=list(teams_of(self.cost_centre)))
        return rows.exclude(self._left_out()) if self.but else rows

    def _left_out(self) -> Q:
        dimension, *values = self.but
        if dimension == "cost_centre":
            return Q(team_id__in=[team for code in values for team in teams_of(code)])
        named = Q(**{f"{dimension}_id__in": values})
        return named | NO_APPLICATION if dimension == "application" and NONE in values else named

    @property
    def days(self) -> tuple[date, date] | None:
        """First and last day (included) where the period is made of whole billing days, else None."""
        first, after = day_of(self.start), day_of(self.end)
        whole = start_of(first) == self.start and start_of(after) == self.end
        return (first, after - DAY) if whole else None

    def query(self, **changes: str) -> str:
        """Write the filters as a query string, some of them changed; the same rows are found wherever it is read."""
        days = self.days
        span = (days[0].isoformat(), days[1].isoformat()) if days else (rfc3339(self.start), rfc3339(self.end))
        asked = {"from": span[0], "to": span[1], **self.ids, "cost_centre": self.cost_centre, "status": self.outcome}
        asked["but"] = ",".join(self.but)
        return urlencode({name: value for name, value in (asked | changes).items() if value}, safe=",:")

    def during(self, start: datetime, end: datetime) -> "Filters":
        return replace(self, start=start, end=end)


def teams_of(code: str) -> QuerySet[Team, str]:
    """Return the ids of the teams that a cost centre pays for; "-" names those without one."""
    teams = Team.objects.filter(cost_centre=None) if code == NONE else Team.objects.filter(cost_centre__code=code)
    return teams.values_list("id", flat=True)


def resolve(dimension: str, text: str, viewer: Viewer | None = None) -> str:
    """Return the id that `text` names: a slug (a person's e-mail address, a key's id), or an id.

    Ids of what was deleted meanwhile still find their events. A viewer who may not see all is told nothing about
    teams and people that are not theirs. Raises FilterError.
    """
    words = text.strip()
    if dimension == "application" and words == NONE:
        return NONE
    if "\0" in words:
        raise FilterError("A filter holds a character that cannot be searched for.")
    found = _lookup(dimension, words, viewer)
    if found:
        return found
    if words.startswith(PREFIXES[dimension]) and words.replace("_", "").isalnum() and len(words) <= 40:
        return words
    raise FilterError(f'There is no {LABELS[dimension]} "{words[:60]}".{HINTS.get(dimension, "")}')


LABELS = {
    "team": "team",
    "user": "person",
    "key": "key",
    "application": "application",
    "model": "model",
    "provider": "provider",
}
HINTS = {"user": " Write an e-mail address.", "key": " Write a key's id, such as key_0BqzK3…"}


def _lookup(dimension: str, words: str, viewer: Viewer | None) -> str | None:
    everything = viewer is None or viewer.allows("usage.all")
    if dimension == "team":
        teams = Team.objects.all() if everything or viewer is None else Team.objects.filter(id__in=viewer.team_ids)
        return teams.filter(slug=words).values_list("id", flat=True).first()
    if dimension == "user":
        people = User.objects.with_email(words)
        if not everything and viewer is not None:
            people = people.filter(Q(id=viewer.user.pk) | Q(memberships__team_id__in=viewer.led_team_ids))
        found: str | None = people.values_list("id", flat=True).first()
        return found
    if dimension == "application":
        applications = Application.objects.filter(slug=words)
        if not everything and viewer is not None:
            applications = applications.filter(team_id__in=viewer.team_ids)
        same = list(applications.values_list("id", flat=True)[:2])
        if len(same) > 1:
            raise FilterError(f'Several teams have an application "{words[:60]}"; write its id.')
        return same[0] if same else None
    if dimension == "model":
        return Model.objects.filter(slug=words).values_list("id", flat=True).first()
    if dimension == "provider":
        return Provider.objects.filter(slug=words).values_list("id", flat=True).first()
    return None
