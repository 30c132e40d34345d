"""What a team's page says beyond its people: the models it may call, and what is left of its limits."""

from typing import Any

from billing.standing import limits_of
from catalog.access import models_of_team
from portal.people.access import Viewer
from portal.people.models import Team

SHOWN = 12


def models_section(team: Team, viewer: Viewer) -> dict[str, Any] | None:
    """Return the models of the team, the first dozen by name."""
    models = list(models_of_team(team).order_by("display_name")[: SHOWN + 1])
    return {"template": "portal/home/team_models.html", "models": models[:SHOWN], "more": len(models) > SHOWN}


def limits_section(team: Team, viewer: Viewer) -> dict[str, Any] | None:
    """Return the team's own limits; for its members, and for whoever may see limits everywhere."""
    if not (viewer.belongs_to(team.pk) or viewer.allows("quotas.view")):
        return None
    return {"template": "portal/home/team_limits.html", "limits": limits_of([("team", team.pk)], viewer)}
