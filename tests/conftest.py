"""What every test has: services on demand, no way out of this machine, and nothing left running."""

from collections.abc import Iterator

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from tests.services import environment, session, sockets

pytest_plugins = ["tests.services.atrium", "tests.services.browser", "tests.services.stores"]

BY_FIXTURE = {"browser": "browser", "server": "server", "start_server": "server"}


def pytest_configure() -> None:
    """Begin the session before workers are started, so that they share it."""
    session.begin()
    sockets.block()


def pytest_unconfigure() -> None:
    """Stop what the session started; runs after Ctrl-C too."""
    session.end()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they use, so that a run can leave them out."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in BY_FIXTURE:
                item.add_marker(BY_FIXTURE[fixture])


def pytest_report_header() -> str:
    """Say which stores this run is on."""
    return (
        "stores: PostgreSQL and Redis"
        if os.environ.get("ATRIUM_TEST_STORES") == "postgres"
        else "stores: SQLite and memory"
    )
