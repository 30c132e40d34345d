"""A server for each file of stories, so that no story depends on what another left behind."""

from collections.abc import Iterator

import pytest

from tests.services import environment
from tests.services.atrium import Atrium


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Atrium]:
    """An Atrium with demo data for the stories of one file."""
    running = Atrium(tmp_path_factory.mktemp("stories"), on_postgres=environment.on_postgres()).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def url(server: Atrium) -> str:
    """The address that people are given: links in refusals and snippets lead there too, so sessions hold."""
    return f"http://localhost:{server.port}"
