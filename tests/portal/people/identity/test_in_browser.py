"""Company sign-in in a real browser, which holds pages to their content security policy over redirects too."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.idp.providers import PythonProvider
from tests.services import session
from tests.services.atrium import Atrium
from tests.services.browser import NewPage


@pytest.fixture
def company() -> Iterator[tuple[Atrium, PythonProvider]]:
    folder = Path(tempfile.mkdtemp(prefix="browser-company-", dir=session.begin()))
    atrium = Atrium(folder, ATRIUM_DEMO="0")
    provider = PythonProvider(folder, "")
    atrium.env.update({
        "OIDC_ISSUER": provider.issuer, "OIDC_CLIENT_ID": "atrium", "OIDC_CLIENT_SECRET": "made-up-client-secret-for-tests",
        "OIDC_NAME": "Example Inc", "ATRIUM_BASE_URL": atrium.base_url,
    })  # fmt: skip
    yield atrium.start(), provider
    atrium.stop()
    provider.stop()


@pytest.mark.parametrize("java_script", [True, False])
def test_a_person_signs_in_and_proves_it_again(
    company: tuple[Atrium, PythonProvider], new_page: NewPage, java_script: bool
) -> None:
    atrium, provider = company
    provider.knows("alice", email="alice@example.com", email_verified=True, name="Alice Adams")
    page = new_page(base_url=atrium.base_url, java_script_enabled=java_script)
    page.goto("/people/roles")
    page.get_by_role("button", name="Continue with Example Inc").click()
    page.locator("input[name=sub]").fill("alice")
    page.get_by_role("button", name="Authorize").click()
    page.wait_for_url("**/people/roles")
    assert page.locator("aside").get_by_text("Alice Adams").is_visible()
    page.goto("/accounts/again/?next=/people/teams")
    page.get_by_role("button", name="Continue with Example Inc").click()
    page.locator("input[name=sub]").fill("alice")
    page.get_by_role("button", name="Authorize").click()
    page.wait_for_url("**/people/teams")
