"""What the API's inputs name: teams, models, limits; with the complaint on the field where a name is wrong."""

from collections.abc import Sequence
from typing import Any

from rest_framework.exceptions import ValidationError

from catalog.models import Model
from portal.keys.offers import teams_of
from portal.keys.reading import read_amount
from portal.keys.refusal import Refused
from portal.keys.rules import Limit
from portal.people.access import Viewer
from portal.people.models import Team


def team_named(viewer: Viewer, slug: str | None) -> Team:
    """Return the viewer's team of that name; without a name, their only one."""
    teams = teams_of(viewer)
    found = [team for team in teams if slug is None or team.slug == slug]
    if len(found) == 1:
        return found[0]
    names = ", ".join(sorted(team.slug for team in teams)) or "none"
    raise ValidationError({"team": [f"Name one of your teams: {names}."]})


def models_named(slugs: Sequence[str]) -> list[Model]:
    """Return the models of these slugs."""
    found = {model.slug: model for model in Model.objects.listed().filter(slug__in=slugs)}
    unknown = sorted(set(slugs) - set(found))
    if unknown:
        raise ValidationError({"models": [f"There is no model {', '.join(unknown)}."]})
    return list(found.values())


def limits_in(rows: Sequence[dict[str, Any]]) -> list[Limit]:
    """Read limits as (metric, window, capacity)."""
    return [(row["metric"], row["window"], amount_in(row["metric"], row["limit"], "limits")) for row in rows]


def amount_in(metric: str, text: str, field: str) -> int:
    try:
        return read_amount(metric, text)
    except Refused as refused:
        raise ValidationError({field: [f"{refused.why} {refused.fix}"]}) from None
