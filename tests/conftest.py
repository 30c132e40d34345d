"""What every test has: services on demand, no way out of this machine, and nothing left running."""

from collections.abc import Iterator

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from pytest_django import DjangoDbBlocker
from pytest_django.plugin import blocking_manager_key

from tests.services import environment, session, sockets

pytest_plugins = ["tests.services.atrium", "tests.services.browser", "tests.services.stores"]

BY_FIXTURE = {"browser": "browser", "server": "server", "start_server": "server"}
FORGOTTEN = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

# How long an example takes says how busy the machine is, and nothing about Atrium.
settings.register_profile("atrium", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("atrium")


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """A transactional test ends by emptying every table: put back the one row that a migration made."""
    yield
    marker = item.get_closest_marker("django_db")
    emptied = "transactional_db" in getattr(item, "fixturenames", ()) or (marker and marker.kwargs.get("transaction"))
    if emptied and nextitem is not None:
        from portal.people.models import Revision

        with item.config.stash[blocking_manager_key].unblock():
            Revision.objects.get_or_create(id=1)
            connection.close()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Before a PostgreSQL test database is dropped, end the sessions that threads of finished tests still hold."""
    yield
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(FORGOTTEN)
