"""A gateway that looks for changes too rarely does not start."""

import pytest
from pytest_django import Settings

from portal.checks import revocation_holds


@pytest.mark.parametrize(("poll_ms", "refused"), [(0, True), (10, False), (200, False), (500, False), (501, True)])
def test_the_feed_is_polled_often_enough(settings: Settings, poll_ms: int, refused: bool) -> None:
    settings.FEED_POLL_MS = poll_ms
    assert [error.id for error in revocation_holds()] == (["portal.E013"] if refused else [])
