"""Journals that could not keep their promise are refused at start."""

from typing import Any

import pytest
from django.core.checks import run_checks


def found(settings: Any, **changes: Any) -> set[str]:
    for name, value in changes.items():
        setattr(settings, name, value)
    return {str(message.id) for message in run_checks()}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"JOURNAL": "paper"}, "portal.E010"),
        ({"JOURNAL": "database", "EMBEDDED_DATABASE": True}, "portal.E011"),
        ({"JOURNAL": "database", "EMBEDDED_DATABASE": False, "JOURNAL_FSYNC": True}, "portal.E011"),
        ({"JOURNAL_MAX_MB": 0}, "portal.E012"),
    ],
)
def test_a_journal_that_cannot_be_is_refused(settings: Any, changes: dict[str, Any], error: str) -> None:
    assert not {"portal.E010", "portal.E011", "portal.E012"} & found(settings)
    assert error in found(settings, **changes)


def test_a_journal_in_postgresql_is_accepted(settings: Any) -> None:
    assert "portal.E011" not in found(settings, JOURNAL="database", EMBEDDED_DATABASE=False, JOURNAL_FSYNC=False)
