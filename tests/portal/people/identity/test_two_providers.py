"""Company sign-in from end to end: a real Atrium, and two identity providers that nobody here wrote."""

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.idp.browser import Browser
from tests.idp.providers import PROVIDERS, Provider
from tests.services import environment, session
from tests.services.atrium import Atrium

GROUPS = "ai-admins=role:platform_admin, money=role:finance, eng=team:search, eng-leads=lead:search"
CALLBACK = "/accounts/oidc/company/login/callback/"


@dataclass
class Company:
    """An Atrium and the identity provider that it trusts."""

    atrium: Atrium
    provider: Provider
    browsers: list[Browser] = field(default_factory=list)

    def browser(self) -> Browser:
        self.browsers.append(Browser(self.atrium.base_url))
        return self.browsers[-1]

    def sign_in(self, subject: str, **claims: object) -> Browser:
        """Sign in as a person does, beginning at Atrium's page; with `claims`, the provider knows them by these."""
        if claims:
            self.provider.knows(subject, **claims)
        browser = self.browser()
        browser.send("/oidc/company/login/")
        self.provider.consent(browser, subject)
        return browser

    def admin(self) -> Browser:
        return self.sign_in("root", email="root@example.com", email_verified=True, name="Root", groups=["ai-admins"])


@pytest.fixture(scope="module", params=sorted(PROVIDERS))
def company(request: pytest.FixtureRequest) -> Iterator[Company]:
    folder = Path(tempfile.mkdtemp(prefix="company-", dir=session.begin()))
    atrium = Atrium(folder, on_postgres=environment.on_postgres(), ATRIUM_DEMO="0")
    provider = PROVIDERS[request.param](folder, atrium.base_url + CALLBACK)
    atrium.env.update({
        "OIDC_ISSUER": provider.issuer, "OIDC_CLIENT_ID": "atrium", "OIDC_GROUP_MAP": GROUPS,
        "OIDC_CLIENT_SECRET": "made-up-client-secret-for-tests", "ATRIUM_BASE_URL": atrium.base_url,
    })  # fmt: skip
    running = Company(atrium.start(), provider)
    yield running
    for browser in running.browsers:
        browser.close()
    atrium.stop()
    provider.stop()


def user_id_of(browser: Browser, email: str) -> str:
    """Return the id behind an address, as an admin finds it in the list of people."""
    page = browser.open(f"/people/users?{urlencode({'q': email})}").text
    found = re.search(r"/people/users/(user_\w+)", page)
    assert found, f"{email} is not in the list of people"
    return found[1]


def test_the_sign_in_page_offers_the_company_and_nothing_else(company: Company) -> None:
    browser = company.browser()
    assert [form.action for form in browser.forms()] == ["/accounts/oidc/company/login/"]
    refused = browser.submit(browser.forms()[0], email="a@example.com", password="x" * 12)
    assert "localhost" in str(refused.url), "the button leads to the provider"


def test_groups_become_teams_and_roles_and_follow_changes(company: Company) -> None:
    claims = {"email": "alice@example.com", "email_verified": True, "name": "Alice Adams"}
    first = company.sign_in("alice", **claims, groups=["eng", "unmapped"])
    assert first.path == "/people/roles", "the page that was asked for first"
    assert "Alice Adams" in first.page.text
    assert ">search</a>" in first.open("/people/teams").text
    assert first.open("/people/users").status_code == 403
    company.provider.knows("alice", **claims, groups=["money"])
    second = company.sign_in("alice")
    assert "You belong to no team yet" not in second.open("/people/users").text
    assert second.page.status_code == 200
    detail = second.open(f"/people/users/{user_id_of(second, 'alice@example.com')}").text
    assert "From sign-in groups" in detail
    assert "In no team" in detail
    company.provider.knows("alice", **claims, groups=["eng-leads"])
    third = company.sign_in("alice")
    assert third.open("/people/users").status_code == 403, "finance is gone with its group"
    third.open("/people/teams")
    team = re.search(r"/people/teams/team_\w+", third.page.text)
    assert team
    assert "Add somebody" in third.open(team[0]).text, "a lead manages members"


def test_who_left_all_groups_keeps_what_was_given_by_hand(company: Company) -> None:
    claims = {"email": "hanna@example.com", "email_verified": True, "name": "Hanna"}
    company.sign_in("hanna", **claims, groups=["eng", "money"])
    admin = company.admin()
    hanna = user_id_of(admin, "hanna@example.com")
    admin.open(f"/people/users/{hanna}/roles")
    admin.send(f"/{hanna}/roles", roles="auditor")
    company.provider.knows("hanna", **claims, groups=[])
    again = company.sign_in("hanna")
    assert again.open("/people/audit").status_code == 200, "auditor was given by hand"
    assert "In no team" in again.open(f"/people/users/{hanna}").text


def test_a_blocked_person_is_out_at_once_and_told_so(company: Company) -> None:
    browser = company.sign_in("eve", email="eve@example.com", email_verified=True, name="Eve")
    assert browser.open("/people/roles").url.path == "/people/roles"
    admin = company.admin()
    eve = user_id_of(admin, "eve@example.com")
    admin.open(f"/people/users/{eve}/block")
    admin.send("/block", reason="left the company")
    assert browser.open("/people/roles").url.path == "/accounts/login/", "the session ended with the block"
    refused = company.sign_in("eve")
    assert refused.page.status_code == 403
    assert "Your account is blocked" in refused.page.text
    assert refused.open("/people/roles").url.path == "/accounts/login/"


def test_an_address_of_another_identity_is_refused(company: Company) -> None:
    company.sign_in("first-sub", email="shared@example.com", email_verified=True, name="First")
    second = company.sign_in("second-sub", email="Shared@Example.com", email_verified=True, name="Second")
    assert second.page.status_code == 403
    assert "This e-mail address belongs to another account" in second.page.text
    assert second.open("/people/roles").url.path == "/accounts/login/"


def test_identity_is_the_subject_so_a_new_address_is_the_same_person(company: Company) -> None:
    company.sign_in("mary", email="mary.miller@example.com", email_verified=True, name="Mary Miller")
    admin = company.admin()
    before = user_id_of(admin, "mary.miller@example.com")
    company.sign_in("mary", email="mary.moore@example.com", email_verified=True, name="Mary Moore")
    assert user_id_of(admin, "mary.moore@example.com") == before


def test_an_invitation_is_claimed_by_a_verified_address_only(company: Company) -> None:
    admin = company.admin()
    admin.open("/people/users/new")
    admin.send("/people/users/new", email="ines@example.com", name="")
    invited = user_id_of(admin, "ines@example.com")
    unverified = company.sign_in("ines-1", email="ines@example.com", email_verified=False)
    assert unverified.page.status_code == 403
    assert "Your invitation could not be matched" in unverified.page.text
    verified = company.sign_in("ines-2", email="ines@example.com", email_verified=True, name="Ines")
    assert verified.path == "/people/roles"
    assert user_id_of(admin, "ines@example.com") == invited


def test_without_an_address_nobody_comes_in(company: Company) -> None:
    browser = company.sign_in("ghost", name="Ghost")
    assert browser.page.status_code == 403
    assert "sent no e-mail address" in browser.page.text


def callback_of(browser: Browser) -> str:
    """Return the address by which the browser came back from the provider."""
    return next(str(step.url) for step in browser.page.history if step.url.path == CALLBACK)


def test_an_answer_works_once_and_only_where_it_was_asked_for(company: Company) -> None:
    browser = company.sign_in("tim", email="tim@example.com", email_verified=True, name="Tim")
    answer = callback_of(browser)
    replayed = browser.open(answer)
    assert replayed.status_code == 401
    assert "Company sign-in did not complete" in replayed.text
    elsewhere = company.browser()
    assert elsewhere.open(answer).status_code == 401
    assert elsewhere.open("/people/roles").url.path == "/accounts/login/"


def test_a_tampered_state_is_refused(company: Company) -> None:
    company.provider.knows("tom", email="tom@example.com", email_verified=True, name="Tom")
    browser = company.browser()
    browser.send("/oidc/company/login/")
    tampered = re.sub(r"state=\w+", "state=AAAAAAAAAAAAAAAA", str(browser.page.url))
    assert tampered != str(browser.page.url) or "interaction" in tampered
    assert browser.open(f"{CALLBACK}?code=made-up&state=AAAAAAAAAAAAAAAA").status_code == 401
    assert browser.open(f"{CALLBACK}?code=made-up").status_code == 401
    assert browser.open("/people/roles").url.path == "/accounts/login/"


def test_a_made_up_code_is_refused(company: Company) -> None:
    browser = company.browser()
    browser.send("/oidc/company/login/")
    state = re.search(r"[?&]state=(\w+)", " ".join(str(step.url) for step in [*browser.page.history, browser.page]))
    assert state
    assert browser.open(f"{CALLBACK}?code=made-up&state={state[1]}").status_code == 401
    assert browser.open("/people/roles").url.path == "/accounts/login/"


def test_cancelling_at_the_provider_says_so(company: Company) -> None:
    browser = company.browser()
    browser.send("/oidc/company/login/")
    state = re.search(r"[?&]state=(\w+)", " ".join(str(step.url) for step in [*browser.page.history, browser.page]))
    assert state
    assert "You cancelled the sign-in" in browser.open(f"{CALLBACK}?error=access_denied&state={state[1]}").text


def test_the_session_is_a_new_one_after_sign_in_and_gone_after_sign_out(company: Company) -> None:
    company.provider.knows("uma", email="uma@example.com", email_verified=True, name="Uma")
    browser = company.browser()
    browser.send("/oidc/company/login/")
    before = browser.cookie("atrium_session")
    company.provider.consent(browser, "uma")
    signed_in = browser.cookie("atrium_session")
    assert before
    assert signed_in
    assert before != signed_in
    browser.open("/accounts/logout/")
    assert browser.open("/people/roles").url.path == "/people/roles", "asking signs nobody out"
    browser.open("/accounts/logout/")
    browser.send("/accounts/logout/")
    assert browser.open("/people/roles").url.path == "/accounts/login/"


def test_a_delicate_step_sends_people_to_the_provider_again(company: Company) -> None:
    browser = company.sign_in("vera", email="vera@example.com", email_verified=True, name="Vera")
    browser.open("/accounts/again/?next=/people/roles")
    browser.send("/oidc/company/login/")
    assert str(browser.page.url).startswith(company.provider.issuer), (
        "the provider asks, although she is signed in there"
    )
    company.provider.consent(browser, "vera")
    assert browser.path == "/people/roles"


def test_the_pages_of_the_sign_in_library_do_not_exist(company: Company) -> None:
    browser = company.sign_in("will", email="will@example.com", email_verified=True, name="Will")
    for path in ("signup", "password/change", "password/reset", "password/set", "email", "3rdparty", "social/connections",
                 "inactive", "confirm-email", "social/signup", "3rdparty/login/cancelled", "reauthenticate"):  # fmt: skip
        assert browser.open(f"/accounts/{path}/").status_code == 404, path


def test_no_secret_of_the_exchange_is_in_the_log(company: Company) -> None:
    browser = company.sign_in("xena", email="xena@example.com", email_verified=True, name="Xena")
    code = re.search(r"code=([^&]+)", callback_of(browser))
    assert code
    assert code[1] not in company.atrium.log()
    assert "made-up-client-secret" not in company.atrium.log()
