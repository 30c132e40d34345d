"""PostgreSQL and Redis as fixtures, for tests that need one of them whatever the run is on."""

import pytest

from tests.services import postgres, redis


@pytest.fixture
def fresh_database() -> str:
    """The address of an empty PostgreSQL database."""
    return postgres.fresh_database()


@pytest.fixture
def fresh_redis() -> str:
    """The address of an unused Redis database."""
    return redis.fresh_redis()
