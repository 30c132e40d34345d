"""The auditor's pages: filters, pages, one event in full, and the trail as a file."""

import csv
import html
import io
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from portal.people.models import AuditEvent
from portal.people.permissions import Role
from tests.factories.people import AuditEventFactory, TeamFactory, person_as

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def auditor() -> Client:
    client = Client()
    client.force_login(person_as(Role.AUDITOR), backend="portal.people.identity.backend.ActivePersonBackend")
    return client


def page(client: Client, **filters: str) -> str:
    response = client.get(reverse("people-audit-list"), filters)
    assert response.status_code == 200
    return response.content.decode()


def export(client: Client, **filters: str) -> str:
    response = client.get(reverse("people-audit-export"), filters)
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode()


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"q": "tulip"}, {"tulip"}),
        ({"q": "needle-in-after"}, {"daisy"}),
        ({"actor": "Alice"}, {"tulip"}),
        ({"actor": "user_b"}, {"daisy"}),
        ({"event": "key:revoke"}, {"daisy"}),
        ({"event": "sso"}, {"violet"}),
        ({"target": "team"}, {"violet"}),
        ({"target": "key_77"}, {"tulip"}),
        ({"from": "2026-11-20", "to": "2026-11-20"}, {"daisy"}),
        ({"from": "2026-11-21"}, {"violet"}),
        ({"to": "2026-11-19"}, {"tulip"}),
        ({"from": "no date", "to": "2026-11-19"}, {"tulip"}),
        ({"q": "'; drop table"}, set()),
    ],
)
def test_each_filter_narrows_list_and_file(auditor: Client, filters: dict[str, str], found: set[str]) -> None:
    day = timedelta(days=1)
    AuditEventFactory(at=NOON - day, target_label="tulip", actor_label="Alice", target_id="key_77")
    AuditEventFactory(
        at=NOON, target_label="daisy", actor_id="user_b", event="portal:key:revoke", after={"why": "needle-in-after"}
    )
    AuditEventFactory(at=NOON + day, target_label="violet", event="sso:member:set", target_kind="team")
    listed, filed = page(auditor, **filters), export(auditor, **filters)
    for flower in ("tulip", "daisy", "violet"):
        assert (flower in listed) == (flower in found)
        assert (flower in filed) == (flower in found)
    if not found:
        assert "No event matches" in listed


@pytest.mark.parametrize("page", ["people-audit-list", "people-audit-export"])
def test_the_last_day_of_the_calendar_is_no_defect(auditor: Client, page: str) -> None:
    answer = auditor.get(reverse(page), {"from": "0001-01-01", "to": "9999-12-31"})
    assert answer.status_code == 200


def test_events_of_one_team(auditor: Client) -> None:
    team = TeamFactory(name="Search")
    AuditEventFactory(team_id=team.pk, target_label="tulip")
    AuditEventFactory(target_label="daisy")
    found = page(auditor, team=team.pk)
    assert "tulip" in found
    assert "daisy" not in found


def test_walking_to_older_ones_and_back_meets_every_event_once(auditor: Client) -> None:
    for number in range(120):  # several in the same microsecond, as one transaction writes them
        AuditEventFactory(at=NOON + timedelta(seconds=number // 7), target_label=f"flower-{number:03}.")
    expected = [f"flower-{number:03}." for number in range(120)]

    def walk(link: str, url: str) -> list[list[str]]:
        pages = []
        for _ in range(4):
            text = auditor.get(url).content.decode()
            pages.append([label for label in expected if label in text])
            following = re.search(rf'rel="{link}" href="([^"]+)"', text)
            if not following:
                break
            url = reverse("people-audit-list") + html.unescape(following[1])
        return pages

    pages = walk("next", reverse("people-audit-list"))
    assert [len(found) for found in pages] == [50, 50, 20]
    assert sorted(label for found in pages for label in found) == expected
    last = AuditEvent.objects.order_by("at", "id").first()
    back = walk("prev", reverse("people-audit-list") + f"?after={last.pk}")
    assert sorted(label for found in back for label in found) == sorted(set(expected) - {last.target_label})


def test_one_event_in_full(auditor: Client) -> None:
    event = AuditEventFactory(before={"roles": {"finance": "manual"}}, after={"roles": {}}, address="10.1.2.3")
    text = auditor.get(reverse("people-audit-detail", args=[event.pk])).content.decode()
    assert "finance" in text
    assert "10.1.2.3" in text
    assert event.pk in text


def test_the_file_holds_every_row_and_no_formula(auditor: Client) -> None:
    for number in range(501):
        AuditEventFactory(target_label=f"row {number}")
    AuditEventFactory(target_label="=HYPERLINK(evil)", actor_label="@sum", after={"name": '"; =1+1'})
    rows = list(csv.DictReader(io.StringIO(export(auditor))))
    assert len(rows) == 502
    hostile = next(row for row in rows if "HYPERLINK" in row["target_label"])
    assert hostile["target_label"] == "'=HYPERLINK(evil)"
    assert hostile["actor_label"] == "'@sum"
    assert json.loads(hostile["after"]) == {"name": '"; =1+1'}


def test_the_file_as_json_lines(auditor: Client) -> None:
    AuditEventFactory(after={"name": "Zoë"})
    (line,) = export(auditor, format="jsonl").splitlines()
    assert json.loads(line)["after"] == {"name": "Zoë"}


@pytest.mark.parametrize("role", [Role.EMPLOYEE, Role.LEAD, Role.FINANCE, Role.PLATFORM_ADMIN])
def test_the_trail_is_for_auditors(role: Role) -> None:
    event = AuditEventFactory()
    client = Client()
    client.force_login(person_as(role), backend="portal.people.identity.backend.ActivePersonBackend")
    for url in ("people-audit-list", "people-audit-export"):
        assert client.get(reverse(url)).status_code == 403
    assert client.get(reverse("people-audit-detail", args=[event.pk])).status_code == 403


def test_the_trail_cannot_be_changed_by_hand(auditor: Client) -> None:
    event = AuditEventFactory()
    for method in (auditor.post, auditor.put, auditor.delete):
        assert method(reverse("people-audit-detail", args=[event.pk])).status_code == 405
