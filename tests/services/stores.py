"""PostgreSQL and Redis as fixtures, for tests that need one of them whatever the run is on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import postgres, redis


@pytest.fixture
def fresh_database() -> str:
    """The address of an empty PostgreSQL database."""
    return postgres.fresh_database()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[redis.OwnRedis]:
    """A Redis that nobody else uses, started; the test may do anything to it."""
    own = redis.OwnRedis(tmp_path).start()
    yield own
    own.kill()


@pytest.fixture
def fresh_redis() -> str:
    """The address of an unused Redis database."""
    return redis.fresh_redis()
