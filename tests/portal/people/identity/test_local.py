"""Sign-in by password, the demo's people, and being asked again."""

import io

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from portal.demo.personas import COLLEAGUES, PERSONAS, make_people
from portal.people.actions.people import create_local_admin
from portal.people.audit import Actor
from portal.people.identity.fresh import FRESH_KEY, requires_fresh_sign_in
from portal.people.models import AuditEvent, PersonSession, User
from portal.people.permissions import Role
from tests.factories.people import SYSTEM, UserFactory, person_as

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
BACKEND = "portal.people.identity.backend.ActivePersonBackend"
LOGIN = "/accounts/login/"


@pytest.fixture(autouse=True)
def nobody_guessed_yet() -> None:
    cache.clear()  # it counts wrong passwords


@pytest.fixture
def root() -> User:
    return create_local_admin(actor=SYSTEM, email="root@example.com", password=PASSWORD)


def is_signed_in(client: Client) -> bool:
    return client.get("/people/roles").status_code == 200


# passwords


def test_a_password_signs_in_and_counts_as_proof(client: Client, root: User) -> None:
    response = client.post(LOGIN, {"login": "Root@Example.com", "password": PASSWORD, "next": "/people/roles"})
    assert response.headers["location"] == "/people/roles"
    assert is_signed_in(client)
    assert FRESH_KEY in client.session
    assert PersonSession.objects.filter(user_id=root.pk).exists()
    assert not Session.objects.exists()
    assert AuditEvent.objects.filter(event="portal:session:begin", actor_id=root.pk).exists()


@pytest.mark.parametrize("login", ["root@example.com", "nobody@example.com"])
def test_a_wrong_password_and_an_unknown_person_look_the_same(client: Client, root: User, login: str) -> None:
    response = client.post(LOGIN, {"login": login, "password": "wrong password"})
    assert response.status_code == 200
    assert "not correct" in response.content.decode()
    assert not is_signed_in(client)


def test_guessing_is_slowed_down(client: Client, root: User) -> None:
    for _ in range(5):
        client.post(LOGIN, {"login": "root@example.com", "password": "wrong password"})
    response = client.post(LOGIN, {"login": "root@example.com", "password": PASSWORD})
    assert "Too many failed" in response.content.decode()
    assert not is_signed_in(client)


def test_a_blocked_person_with_the_right_password_is_told(client: Client, root: User) -> None:
    User.objects.filter(pk=root.pk).update(status="blocked")
    response = client.post(LOGIN, {"login": "root@example.com", "password": PASSWORD})
    assert response.status_code == 403
    assert "Your account is not active" in response.content.decode()
    assert not is_signed_in(client)


def test_where_local_accounts_are_off_no_password_works(client: Client, root: User, settings) -> None:
    settings.LOCAL_LOGIN = False
    assert 'name="password"' not in client.get(LOGIN).content.decode()
    assert client.post(LOGIN, {"login": "root@example.com", "password": PASSWORD}).status_code == 403
    assert not is_signed_in(client)


def test_the_session_is_a_new_one_after_sign_in(client: Client, root: User) -> None:
    client.get("/accounts/persona/")
    session = client.session
    session["planted"] = "by somebody else"
    session.save()
    before = session.session_key
    client.cookies["atrium_session"] = before
    client.post(LOGIN, {"login": "root@example.com", "password": PASSWORD})
    assert client.session.session_key != before
    assert not PersonSession.objects.filter(session_key=before).exists()


def test_signing_out_needs_post_and_ends_the_session(client: Client, root: User) -> None:
    client.force_login(root, backend=BACKEND)
    client.get("/accounts/logout/")
    assert is_signed_in(client)
    client.post("/accounts/logout/")
    assert not is_signed_in(client)
    assert not PersonSession.objects.filter(user_id=root.pk).exists()


def test_create_admin_reads_the_password_from_standard_input(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    said = io.StringIO()
    call_command("create_admin", email="new@example.com", name="New", stdout=said)
    assert "platform admin" in said.getvalue()
    assert PASSWORD not in said.getvalue()
    client.post(LOGIN, {"login": "new@example.com", "password": PASSWORD})
    assert client.get(reverse("people-user-list")).status_code == 200


@pytest.mark.parametrize(
    ("email", "password"), [("no address", PASSWORD), ("a@example.com", "short"), ("a@example.com", "")]
)
def test_create_admin_refuses_with_words(email: str, password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(password))
    with pytest.raises(CommandError):
        call_command("create_admin", email=email, stdout=io.StringIO())
    assert not User.objects.exists()


# the demo's people


def test_five_personas_with_their_roles(settings) -> None:
    settings.DEMO = True
    people = make_people(Actor("demo"))
    assert [persona.key for persona in PERSONAS] == ["erin", "lea", "finn", "pia", "ada"]
    roles = {
        key: set(people[f"{key}@example.com"].global_roles.values_list("role", flat=True))
        for key in ("finn", "pia", "ada", "erin")
    }
    assert roles == {"finn": {"finance"}, "pia": {"platform_admin"}, "ada": {"auditor"}, "erin": set()}
    assert len(people) == len(PERSONAS) + len(COLLEAGUES)
    assert {person.status for person in people.values()} == {"active"}
    before = AuditEvent.objects.count()
    assert make_people(Actor("demo")) == people
    assert AuditEvent.objects.count() == before, "a second time nothing changes"


@pytest.mark.parametrize("persona", PERSONAS, ids=lambda persona: persona.key)
def test_one_click_signs_in(client: Client, settings, persona) -> None:
    settings.DEMO = True
    assert f'value="{persona.key}"' in client.get(LOGIN).content.decode()
    response = client.post(reverse("home-persona-sign-in"), {"persona": persona.key, "next": "/people/roles"})
    assert response.headers["location"] == "/people/roles"
    assert persona.name in client.get("/people/roles").content.decode()


@pytest.mark.parametrize("switch", [{"DEMO": False}, {"DEMO": True, "OIDC_ISSUER": "https://idp.example"}])
def test_one_click_does_not_exist_outside_the_demo(client: Client, settings, switch: dict[str, object]) -> None:
    make_people(Actor("demo"))
    for name, value in switch.items():
        setattr(settings, name, value)
    assert client.post(reverse("home-persona-sign-in"), {"persona": "pia"}).status_code == 404
    assert not is_signed_in(client)


def test_one_click_is_for_personas_only_and_by_post(client: Client, settings) -> None:
    settings.DEMO = True
    UserFactory(email="real@example.com")
    for persona in ("real", "omar", "nobody", ""):
        assert client.post(reverse("home-persona-sign-in"), {"persona": persona}).status_code == 404
    assert client.get(reverse("home-persona-sign-in"), {"persona": "pia"}).status_code == 405
    assert Client(enforce_csrf_checks=True).post(reverse("home-persona-sign-in"), {"persona": "pia"}).status_code == 403


def test_a_blocked_persona_stays_out(client: Client, settings) -> None:
    settings.DEMO = True
    make_people(Actor("demo"))
    User.objects.filter(email="erin@example.com").update(status="blocked")
    assert client.post(reverse("home-persona-sign-in"), {"persona": "erin"}).status_code == 403
    assert not is_signed_in(client)


def test_nobody_is_sent_elsewhere_by_one_click(client: Client, settings) -> None:
    settings.DEMO = True
    response = client.post(reverse("home-persona-sign-in"), {"persona": "erin", "next": "https://evil.example/"})
    assert response.headers["location"] == "/"


# asked again


def test_a_delicate_view_opens_only_after_proof(rf, client: Client, root: User, settings, time_machine) -> None:
    from django.http import HttpResponse

    view = requires_fresh_sign_in(lambda request: HttpResponse("secret"))
    request = rf.get("/keys/1/rotate?x=1")
    request.session = {}
    asked = view(request)
    assert asked.headers["location"] == "/accounts/again/?next=%2Fkeys%2F1%2Frotate%3Fx%3D1"
    import time

    request.session = {FRESH_KEY: int(time.time())}
    assert view(request).content == b"secret"
    request.session = {FRESH_KEY: int(time.time()) - settings.REAUTHENTICATE_AFTER_S - 1}
    assert view(request).status_code == 302
    request.session = {FRESH_KEY: int(time.time()) + 3600}
    assert view(request).status_code == 302, "a moment that has not come proves nothing"


def test_people_with_a_password_enter_it_again(client: Client, root: User) -> None:
    client.force_login(root, backend=BACKEND)
    url = reverse("account_reauthenticate")
    wrong = client.post(url, {"password": "wrong password", "next": "/people/roles"})
    assert "This is not your password" in wrong.content.decode()
    assert FRESH_KEY not in client.session
    right = client.post(url, {"password": PASSWORD, "next": "/people/roles"})
    assert right.headers["location"] == "/people/roles"
    assert FRESH_KEY in client.session


def test_the_demo_asks_for_one_click(client: Client, settings) -> None:
    client.force_login(UserFactory(), backend=BACKEND)
    url = reverse("account_reauthenticate")
    assert client.post(url).status_code == 200
    assert FRESH_KEY not in client.session, "outside the demo a click proves nothing"
    settings.DEMO = True
    assert client.post(url, {"next": "//evil.example"}).headers["location"] == "/"
    assert FRESH_KEY in client.session


def test_people_of_the_company_are_sent_to_its_provider(client: Client, settings) -> None:
    settings.DEMO = True
    client.force_login(UserFactory(issuer="https://idp", subject="s"), backend=BACKEND)
    page = client.get(reverse("account_reauthenticate"), {"next": "/people/roles"}).content.decode()
    assert 'action="/accounts/oidc/company/login/"' in page
    client.post(reverse("account_reauthenticate"))
    assert FRESH_KEY not in client.session


def test_proof_of_one_person_is_not_that_of_the_next(client: Client, root: User) -> None:
    client.post(LOGIN, {"login": "root@example.com", "password": PASSWORD})
    client.post("/accounts/logout/")
    client.force_login(person_as(Role.EMPLOYEE), backend=BACKEND)
    assert FRESH_KEY not in client.session
