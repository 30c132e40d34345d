"""The address that people are given: links in refusals and snippets lead there too, so sessions hold."""

import pytest

from tests.services.atrium import Atrium


@pytest.fixture(scope="session")
def url(server: Atrium) -> str:
    return f"http://localhost:{server.port}"
