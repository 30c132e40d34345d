"""What every test has: services on demand, no way out of this machine, and nothing left running."""

from collections.abc import Iterator

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from tests.services import environment, session, sockets

pytest_plugins = ["tests.services.atrium", "tests.services.browser", "tests.services.stores"]

BY_FIXTURE = {"browser": "browser", "server": "server", "start_server": "server"}
FORGOTTEN = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


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
    return "stores: PostgreSQL and Redis" if environment.on_postgres() else "stores: SQLite and memory"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Before a PostgreSQL test database is dropped, end the sessions that threads of finished tests still hold."""
    yield
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(FORGOTTEN)
