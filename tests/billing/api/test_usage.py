"""The read API shows what the pages show, to the same people, and refuses questions that it does not understand."""

import pytest
from django.test import Client

from billing import rollup
from portal.people.permissions import Role
from tests.factories.billing import UsageEventFactory
from tests.factories.people import TeamFactory, UserFactory, person_as

pytestmark = pytest.mark.django_db


def client_of(user) -> Client:
    client = Client()
    client.force_login(user, backend="portal.people.identity.backend.ActivePersonBackend")
    return client


@pytest.fixture
def people():
    team = TeamFactory(slug="search", name="Search")
    ada, bob = UserFactory(email="ada@example.com"), UserFactory(email="bob@example.com")
    for n in range(5):
        UsageEventFactory(user_id=ada.pk, team_id=team.pk, cost_nano_usd=1_000_000_001, request_id=f"req_{n}")
    UsageEventFactory(user_id=bob.pk, team_id="team_gone", cost_nano_usd=7, status=500)
    rollup.roll_up()
    return {"ada": ada, "bob": bob, "lead": person_as(Role.LEAD, team=team), "auditor": person_as(Role.AUDITOR)}


@pytest.mark.parametrize(("who", "count", "cost"), [
    ("ada", 5, "5.000000005"), ("bob", 1, "0.000000007"), ("lead", 5, "5.000000005"), ("auditor", 6, "5.000000012"),
])  # fmt: skip
def test_everybody_reads_their_part(people, who: str, count: int, cost: str) -> None:
    client = client_of(people[who])
    assert len(client.get("/api/v1/usage").json()["results"]) == count
    total = client.get("/api/v1/spend").json()["total"]
    assert (total["requests"], total["cost_usd"]) == (count, cost)


def test_strangers_read_nothing() -> None:
    assert Client().get("/api/v1/usage").status_code in {401, 403}
    assert Client().get("/api/v1/spend").status_code in {401, 403}


def test_pages_follow_each_other_without_gap_or_repeat(people) -> None:
    client, seen, before = client_of(people["ada"]), [], ""
    for _ in range(5):
        page = client.get("/api/v1/usage", {"limit": 2, "before": before}).json()
        seen += [row["request_id"] for row in page["results"]]
        before = page["older"]
        if not before:
            break
    assert sorted(seen) == [f"req_{n}" for n in range(5)]


def test_sums_are_grouped_named_and_timed(people) -> None:
    client = client_of(people["auditor"])
    by_team = client.get("/api/v1/spend", {"group": "team"}).json()
    assert [(row["name"], row["cost_usd"], row["time"]) for row in by_team["results"]] == [
        ("Search", "5.000000005", None), ("team_gone", "0.000000007", None),
    ]  # fmt: skip
    by_day = client.get("/api/v1/spend", {"group": "user", "interval": "day", "limit": 1}).json()
    assert by_day["count"] == 2
    assert by_day["next"]
    assert by_day["results"][0]["time"]
    centres = client.get("/api/v1/spend", {"group": "cost_centre"}).json()
    assert [(row["id"], row["requests"]) for row in centres["results"]] == [("-", 6)]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("usage", {"from": "soon"}), ("usage", {"team": "nope"}), ("usage", {"limit": "0"}), ("usage", {"limit": "many"}),
        ("usage", {"limit": "000001999999"}), ("usage", {"limit": "9" * 5000}),
        ("usage", {"status": "blue"}), ("spend", {"group": "shoe"}), ("spend", {"interval": "week"}),
        ("spend", {"interval": "day", "group": "cost_centre"}), ("spend", {"period": "aeon"}),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_400_in_words(people, path: str, query: dict[str, str]) -> None:
    answer = client_of(people["auditor"]).get(f"/api/v1/{path}", query)
    assert answer.status_code == 400
    assert any(len(words[0]) > 20 for words in answer.json()["error"]["fields"].values())
