"""Every address of the portal: it declares a permission, roles meet what the table says, strangers find nothing.

The table is route_matrix.csv. Write it anew with ATRIUM_WRITE_ROUTE_MATRIX=1, and read the difference before you commit it.
"""

import csv
import io
import logging
import os
import time
from pathlib import Path

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import get_resolver, path, reverse

from portal.people.access import requires
from portal.people.identity.fresh import FRESH_KEY
from portal.people.models import AuditEvent, Membership, User
from portal.people.permissions import PUBLIC, Role
from tests.factories.people import MembershipFactory, TeamFactory, person_as
from tests.portal.people.route_objects import MARK, OBJECTS, World
from tests.portal.people.routes import EXPLAINED, Route, routes_of, undeclared

ROUTES = list(routes_of(get_resolver().url_patterns))
NAMED = [route for route in ROUTES if route.name and route.key not in EXPLAINED]
TABLE = Path(__file__).with_name("route_matrix.csv")
VIEWERS = ("stranger", *Role)
BACKEND = "portal.people.identity.backend.ActivePersonBackend"


def url_of(route: Route, world: World) -> str:
    return reverse(route.reversible, kwargs={name: world.value(name, route.name) for name in route.kwargs})


def is_owned(route: Route) -> bool:
    found = (OBJECTS.get(f"{route.name}:{name}") or OBJECTS.get(name) for name in route.kwargs)
    return any(thing is not None and thing.owned for thing in found)


def client_of(person: User | None) -> Client:
    client = Client(raise_request_exception=False)
    if person:
        client.force_login(person, backend=BACKEND)
        session = client.session
        session[FRESH_KEY] = int(time.time())  # so that pages which ask again show what lies behind
        session.save()
    return client


# every route declares


def test_every_route_declares_a_permission() -> None:
    assert undeclared(get_resolver().url_patterns) == []


def test_every_explained_route_exists() -> None:
    assert set(EXPLAINED) <= {route.key for route in ROUTES}


def test_a_route_without_a_declared_permission_is_found() -> None:
    @requires(PUBLIC)
    def declared(request: object) -> HttpResponse:
        return HttpResponse()

    def forgotten(request: object) -> HttpResponse:
        return HttpResponse()

    assert undeclared([path("a", declared, name="a"), path("b", forgotten, name="b")]) == ["b (b)"]


def test_every_route_has_a_name() -> None:
    assert [route.path for route in ROUTES if not route.name and route.key not in EXPLAINED] == []


# strangers from another team


@pytest.fixture
def world(db: None, caplog: pytest.LogCaptureFixture) -> World:
    caplog.set_level(logging.CRITICAL, logger="django.request")
    return World()


@pytest.mark.parametrize("role", [Role.EMPLOYEE, Role.LEAD])
def test_who_is_of_another_team_finds_nothing(role: Role, world: World) -> None:
    stranger = person_as(role, team=TeamFactory(name="Elsewhere"))
    urls = {route: url_of(route, world) for route in NAMED}
    client = client_of(stranger)
    leaks = []
    for route, url in urls.items():
        if route.name in {"account_logout"}:
            continue
        for method in ("get", "post"):
            response = getattr(client, method)(url)
            body = b"".join(response.streaming_content) if response.streaming else response.content
            if (
                response.status_code >= 500
                or MARK.encode() in body
                or MARK.lower().encode() in body.replace(url.encode(), b"")
            ):
                leaks.append(f"{method} {route.name}: {response.status_code}")
            elif is_owned(route) and response.status_code not in {302, 403, 404, 405}:
                leaks.append(f"{method} {route.name}: {response.status_code}, not 403 or 404")
    assert leaks == []


def test_a_stranger_changes_nothing_anywhere(world: World) -> None:
    stranger = person_as(Role.LEAD, team=TeamFactory(name="Elsewhere"))
    urls = [url_of(route, world) for route in NAMED if is_owned(route)]
    client = client_of(stranger)
    before = list(AuditEvent.objects.values_list("pk", flat=True))
    for url in urls:
        for role in ("lead", "member"):
            client.post(url, {"role": role, "email": stranger.email, "reason": "r", "roles": ["finance"]})
    assert list(AuditEvent.objects.values_list("pk", flat=True)) == before
    assert set(Membership.objects.filter(user=stranger).values_list("team__name", flat=True)) == {"Elsewhere"}


# role by route


def outcome(response: HttpResponse) -> str:
    """Return how a page answered, in one word."""
    status = response.status_code
    if status in {301, 302}:
        return "sign-in" if response.headers["location"].startswith(reverse("account_login")) else "elsewhere"
    words = {200: "page", 401: "sign-in", 403: "refused", 404: "hidden", 405: "post-only"}
    return words.get(status, str(status))


def person_in(role: str, world: World) -> User | None:
    """Return somebody of this role in the team whose objects are asked for; None for a stranger to the portal."""
    if role == "stranger":
        return None
    person = person_as(Role(role))
    lead = role == Role.LEAD
    MembershipFactory(team=world.team, user=person, role="lead" if lead else "member")
    return person


def matrix(world: World) -> list[dict[str, str]]:
    urls = {route: url_of(route, world) for route in NAMED}
    rows = {route: {"route": route.reversible, "permission": route.permission or ""} for route in NAMED}
    for role in VIEWERS:
        client = client_of(person_in(role, world))
        for route, url in urls.items():
            rows[route][str(role)] = outcome(client.get(url))
    return sorted(rows.values(), key=lambda row: row["route"])


def written(rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["route", "permission", *map(str, VIEWERS)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def test_each_role_meets_what_the_table_declares(world: World) -> None:
    found = written(matrix(world))
    if os.environ.get("ATRIUM_WRITE_ROUTE_MATRIX"):
        TABLE.write_text(found)
    declared = TABLE.read_text()
    differing = sorted(set(found.splitlines()) ^ set(declared.splitlines()))
    assert not differing, "routes differ from route_matrix.csv (see this file's first lines):\n" + "\n".join(
        f"{'is      ' if line in found.splitlines() else 'declared'} {line}" for line in differing
    )
