"""The world that these tests share: one Atrium for a file of them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.faults.world import World
from tests.services import environment, session
from tests.services.atrium import Atrium
from tests.upstream import FakeUpstream


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """An Atrium that this file may stop things in; each test lifts what it stopped."""
    folder = Path(tempfile.mkdtemp(prefix="world-", dir=session.begin()))
    with FakeUpstream() as left, FakeUpstream() as right:
        server = Atrium(folder, on_postgres=environment.on_postgres()).start()
        try:
            yield World(server, left, right)
        finally:
            server.stop()
