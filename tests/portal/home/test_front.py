"""The front page and the frame around every page, over HTTP."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.home.menu import Entry, Group
from portal.keys.models import Key, Notice
from portal.people.models import Team, User
from portal.people.permissions import Role
from tests.factories.billing import UsageEventFactory
from tests.factories.keys import member_of, minted, team_with
from tests.factories.people import TeamFactory, person_as

pytestmark = pytest.mark.django_db


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person, backend="portal.people.identity.backend.ActivePersonBackend")
    return client


def front_page(person: User) -> str:
    answer = signed_in(person).get(reverse("home"))
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.content.decode())


def steps_done(html: str) -> list[bool]:
    return ["is-done" in classes for classes in re.findall(r'<li class="(at-step[^"]*)"', html)]


@pytest.fixture
def team() -> Team:
    return TeamFactory()


def test_strangers_are_sent_to_sign_in() -> None:
    answer = Client().get(reverse("home"))
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_login"))


def test_the_three_steps_follow_what_was_done() -> None:
    team = team_with("chat-small")
    newcomer, person = member_of(TeamFactory()), member_of(team)
    assert steps_done(front_page(newcomer)) == [False, False, False]
    assert steps_done(front_page(person)) == [True, False, False]
    key, _ = minted(person, team)
    assert steps_done(front_page(person)) == [True, True, False]
    assert reverse("catalog-model-detail", args=["chat-small"]) in front_page(person)
    Key.objects.filter(pk=key.pk).update(last_used_at=timezone.now())
    assert steps_done(front_page(person)) == [True, True, True]


def test_exactly_one_step_comes_next_until_the_first_call(team: Team) -> None:
    person = person_as(Role.EMPLOYEE, team=team)
    assert front_page(person).count('aria-current="step"') == 1
    minted(person, team)
    assert front_page(person).count('aria-current="step"') == 1


def test_who_is_in_no_team_is_told_so_instead_of_being_led_to_a_wall() -> None:
    html = front_page(person_as(Role.FINANCE))
    assert steps_done(html) == []
    assert "You are in no team" in html


def test_figures_are_the_persons_own_and_of_this_month(team: Team) -> None:
    person, other = person_as(Role.EMPLOYEE, team=team), person_as(Role.EMPLOYEE, team=team)
    UsageEventFactory(user_id=person.pk, cost_nano_usd=1_230_000_000)
    UsageEventFactory(user_id=other.pk, cost_nano_usd=9_000_000_000)
    UsageEventFactory(user_id=person.pk, cost_nano_usd=7_000_000_000, at=timezone.now() - timedelta(days=40))
    html = front_page(person)
    assert "$1.23" in html
    assert "$9.00" not in html
    assert "$8.23" not in html


def test_notices_are_the_persons_own(team: Team) -> None:
    person, other = person_as(Role.EMPLOYEE, team=team), person_as(Role.EMPLOYEE, team=team)
    Notice.objects.create(user=person, topic="a", words="Key laptop ends tomorrow", path="/")
    Notice.objects.create(user=other, topic="b", words="Something for somebody else", path="/")
    html = front_page(person)
    assert "Key laptop ends tomorrow" in html
    assert "somebody else" not in html


def test_navigation_shows_pages_that_exist_to_those_whose_role_opens_them(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = (
        Group("Work", (Entry("Home", "home", "home"), Entry("Not built", "no-such-page", "key"))),
        Group("Evidence", (Entry("Sign-in records", "account_logout", "shield-check", ("audit.view",)),)),
    )
    monkeypatch.setattr("portal.home.context.GROUPS", groups)
    seen_by = {role: front_page(person_as(role, team=team)) for role in (Role.EMPLOYEE, Role.AUDITOR)}
    assert "Not built" not in seen_by[Role.AUDITOR]
    assert "Sign-in records" in seen_by[Role.AUDITOR]
    assert "Sign-in records" not in seen_by[Role.EMPLOYEE]
    assert 'aria-current="page"' in seen_by[Role.EMPLOYEE]


@pytest.mark.parametrize(
    ("cookie", "attribute"),
    [("dark", 'data-bs-theme="dark"'), ("light", 'data-bs-theme="light"'), ("auto", ""), ('"><script>', "")],
)
def test_the_server_writes_the_chosen_colours_and_nothing_else(team: Team, cookie: str, attribute: str) -> None:
    client = signed_in(person_as(Role.EMPLOYEE, team=team))
    client.cookies["atrium_theme"] = cookie
    html = client.get(reverse("home")).content.decode()
    assert re.search(r"<html[^>]*>", html)[0] == f'<html lang="en"{" " if attribute else ""}{attribute}>'  # type: ignore[index]


def test_an_unknown_address_says_what_and_why_and_what_to_do() -> None:
    answer = Client().get("/no/such/page")
    assert answer.status_code == 404
    assert "There is nothing at this address" in answer.content.decode()


def test_the_error_page_of_last_resort_needs_no_database(django_assert_num_queries: object) -> None:
    from django.test import RequestFactory

    from portal.home.views.errors import server_error

    with django_assert_num_queries(0):  # type: ignore[operator]
        answer = server_error(RequestFactory().get("/"))
    assert answer.status_code == 500
    assert "Atrium made a mistake" in answer.content.decode()
