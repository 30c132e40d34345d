"""What other apps show on a team's page: named in settings, because they stand above people."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from portal.people.access import Viewer
from portal.people.models import Team

Section = Callable[[Team, Viewer], dict[str, Any] | None]  # {"template": …} and what that template needs


def sections_of(team: Team, viewer: Viewer) -> list[dict[str, Any]]:
    """Return each section that has something to say to this viewer."""
    makers: list[Section] = [import_string(path) for path in settings.TEAM_SECTIONS]
    return [section for make in makers if (section := make(team, viewer)) is not None]
