"""Spend pages by role: who sees what, figures that equal their rows, filters that say what they do not understand."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from billing import rollup
from billing.calendar import today
from billing.models import Balance, UsageEvent
from catalog.models import Model, Provider
from portal.people.models import CostCentre, Team, User
from portal.people.permissions import Role
from tests.factories.billing import QuotaFactory, UsageEventFactory
from tests.factories.people import ApplicationFactory, MembershipFactory, TeamFactory, UserFactory, person_as

pytestmark = pytest.mark.django_db
USD = 10**9


class World:
    """Two teams with a lead, members and a few calls this month."""

    def __init__(self) -> None:
        self.search = TeamFactory(slug="search", name="Search", cost_centre=CostCentre.objects.create(code="CC-1"))
        self.ads = TeamFactory(slug="ads", name="Ads")
        self.lead = person_as(Role.LEAD, team=self.search, name="Lena Lead")
        self.ada = person_as(Role.EMPLOYEE, team=self.search, name="Ada", email="ada@example.com")
        self.bob = person_as(Role.EMPLOYEE, team=self.ads, name="Bob", email="bob@example.com")
        self.finance = person_as(Role.FINANCE, name="Fina")
        self.model = Model.objects.create(slug="chat", display_name="Chat", context_tokens=10, max_output_tokens=5)
        self.provider = Provider.objects.create(slug="acme", name="Acme", base_url="https://acme.example/v1")

    def call(self, user: User, team: Team, cost: int, **fields: object) -> UsageEvent:
        fields = {"key_id": f"key_{user.name}", "model_id": self.model.pk, "provider_id": self.provider.pk} | fields
        return UsageEventFactory(user_id=user.pk, team_id=team.pk, cost_nano_usd=cost, **fields)

    def calls(self) -> None:
        self.call(self.ada, self.search, 1_000_000_001)
        self.call(self.ada, self.search, 2_000_000_002, status=502, code="upstream_error")
        self.call(self.lead, self.search, 4_000_000_004, key_id="key_lead")
        self.call(self.bob, self.ads, 8_000_000_008)
        rollup.roll_up()


@pytest.fixture
def world() -> World:
    made = World()
    made.calls()
    return made


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="portal.people.identity.backend.ActivePersonBackend")
    return client


def page(user: User, name: str, query: str = "", **kwargs: str) -> str:
    response = signed_in(user).get(reverse(name, kwargs=kwargs or None) + query)
    assert response.status_code == 200, (name, response.status_code)
    return unescape(response.content.decode())


def total_of(html: str) -> str:
    """Return the exact total that the requests page states."""
    found = re.search(r'<strong title="([\d.]+ USD)">', html)
    return found[1] if found else "0.00 USD"


def test_finance_sees_everything_and_links_to_its_rows(world: World) -> None:
    html = page(world.finance, "billing-spend-dashboard")
    assert "15.000000015 USD" in html
    assert "$7.00" in html
    assert "$8.00" in html
    assert "Data until" in html


@pytest.mark.parametrize(
    ("group", "interval"),
    [
        ("team", "day"), ("cost_centre", "day"), ("model", "day"), ("provider", "day"), ("user", "day"), ("key", "day"),
        ("application", "day"), ("team", "hour"), ("cost_centre", "hour"), ("application", "hour"), ("key", "month"),
    ],
)  # fmt: skip
def test_every_figure_equals_the_requests_behind_it(world: World, group: str, interval: str) -> None:
    """Follow every link of a figure: the requests it leads to sum up to it, to the nano-USD."""
    html = page(world.finance, "billing-spend-dashboard", f"?period=7d&group={group}&interval={interval}")
    figures = re.findall(r'title="([\d.]+ USD)"><a href="(/spend/requests\?[^"]+)"', html)
    assert len(figures) >= 4
    client = signed_in(world.finance)
    for exact, url in set(figures):
        assert total_of(unescape(client.get(url).content.decode())) == exact, url
        rows = csv.DictReader(io.StringIO(client.get(url.replace("requests?", "requests.csv?")).getvalue().decode()))
        nano = sum(int(row["cost_nano_usd"]) for row in rows)
        assert exact == f"{nano // USD}.{nano % USD:09d} USD"


@pytest.mark.parametrize(("name", "who"), [
    ("billing-spend-dashboard", "finance"), ("billing-usage-mine", "ada"), ("billing-spend-team", "lead"),
])  # fmt: skip
def test_every_line_opens_into_a_narrower_question(world: World, name: str, who: str) -> None:
    client, seen = signed_in(getattr(world, who)), [reverse(name)]
    for url in seen:
        html = unescape(client.get(url).content.decode())
        assert "Not everything was understood" not in html, url
        links = re.findall(r'<th scope="row" data-label="[^"]+"><a href="([^"]+)"', html)
        assert links, url
        seen += [link for link in links[:2] if len(seen) < 8]


def test_others_lead_to_the_rest(world: World) -> None:
    for n in range(8):
        world.call(world.ada, world.search, (20 + n) * USD + n, key_id=f"key_n{n}")
    rollup.roll_up()
    html = page(world.finance, "billing-spend-dashboard", "?group=key&period=month")
    found = re.findall(r'title="([\d.]+ USD)"><a href="(/spend/requests\?[^"]+but=[^"]+)"', html)
    assert len(found) == 1
    assert (
        total_of(page(world.finance, "billing-usage-list", found[0][1].removeprefix("/spend/requests"))) == found[0][0]
    )


def test_an_employee_sees_only_their_own(world: World) -> None:
    html = page(world.ada, "billing-usage-mine")
    assert "3.000000003 USD" in html
    for name in ("billing-usage-mine", "billing-usage-list"):
        for trick in (f"?user={world.bob.pk}", f"?team={world.ads.pk}", "?user=bob@example.com", "?group=user"):
            html = page(world.ada, name, trick)
            assert "8.000000008" not in html
            assert "Bob" not in html
    rows = signed_in(world.ada).get(reverse("billing-usage-csv")).getvalue().decode()
    assert "bob@example.com" not in rows
    assert rows.count("ada@example.com") == 2
    sheet = signed_in(world.ada).get(reverse("billing-spend-csv") + "?group=user").getvalue().decode()
    assert "3.000000003" in sheet
    assert "8.000000008" not in sheet


def test_filters_do_not_tell_strangers_what_exists(world: World) -> None:
    known = page(world.ada, "billing-usage-list", "?team=ads")
    unknown = page(world.ada, "billing-usage-list", "?team=nope")
    assert 'There is no team "ads"' in known
    assert 'There is no team "nope"' in unknown


def test_a_lead_sees_the_teams_they_lead(world: World) -> None:
    html = page(world.lead, "billing-spend-team")
    assert "7.000000007 USD" in html
    assert "Ada" in html
    assert "Bob" not in html
    client = signed_in(world.lead)
    assert client.get(reverse("billing-spend-team") + "?team=ads").status_code == 404
    assert client.get(reverse("billing-spend-dashboard")).status_code == 403
    assert signed_in(world.ada).get(reverse("billing-spend-team")).status_code == 403
    assert "7.000000007 USD" in page(world.lead, "billing-usage-list")
    own = page(world.lead, "billing-usage-mine")
    assert "4.000000004 USD" in own
    assert "7.000000007" not in own


def test_a_lead_of_two_teams_chooses(world: World) -> None:
    MembershipFactory(team=world.ads, user=world.lead, role="lead")
    assert "8.000000008 USD" in page(world.lead, "billing-spend-team", "?team=ads")
    assert "7.000000007 USD" in page(world.lead, "billing-spend-team", "?team=search&group=model")


def test_over_budget_people_still_see_all_of_it(world: World) -> None:
    quota = QuotaFactory(scope_id=world.search.pk, window="total", capacity=USD)
    Balance.objects.create(quota=quota, period=0, settled=7 * USD)
    html = page(world.ada, "billing-usage-mine")
    assert "3.000000003 USD" in html
    assert "700 % used" in html
    assert page(world.ada, "billing-usage-list").count("/spend/requests/req_") == 2


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?period=aeon", 'There is no period "aeon"'),
        ("?from=soon", '"soon" is no date'),
        ("?from=2026-11-05&to=2026-11-01", "ends before it begins"),
        ("?from=1999-01-01", "out of range"),
        ("?from=2015-01-01&to=2026-01-01", "at most three years"),
        ("?team=nope", 'There is no team "nope"'),
        ("?user=no%00pe", "cannot be searched"),
        ("?group=shoe", '"shoe" is no group'),
        ("?interval=week", '"week" is no interval'),
        ("?interval=hour&period=year", "at most 14 days"),
        ("?status=blue", '"blue" is no status'),
        ("?but=x,y", "names no dimension"),
        ("?page=minus&period=month", "15.000000015"),
        ("?cost_centre=none%00", "No spend in this period"),
    ],
)
def test_bad_filters_are_words_not_errors(world: World, query: str, words: str) -> None:
    assert words in page(world.finance, "billing-spend-dashboard", query)
    assert signed_in(world.finance).get(reverse("billing-usage-list") + query).status_code == 200
    assert signed_in(world.finance).get(reverse("billing-spend-csv") + query).status_code == 200


@pytest.mark.parametrize(
    "cursor", ["before=x", "before=2026-11-01T00:00:00Z~a~99999999", "after=~~", "before=%00~%00~1"]
)
def test_broken_cursors_show_the_newest(world: World, cursor: str) -> None:
    assert page(world.finance, "billing-usage-list", f"?{cursor}").count("/spend/requests/req_") == 4


def test_nothing_yet_is_an_empty_page_with_a_way_on(world: World) -> None:
    newcomer = UserFactory()
    assert "No calls in this period" in page(newcomer, "billing-usage-mine")
    assert "No requests match" in page(newcomer, "billing-usage-list")


def test_periods_are_compared_and_days_are_billing_days(world: World, settings) -> None:
    settings.BILLING_TIME_ZONE = "Asia/Kathmandu"
    rollup.rebuild(*rollup.extent())
    first = today() - timedelta(days=6)
    before = datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(hours=12)
    world.call(world.ada, world.search, 5 * USD, at=before)
    rollup.roll_up()
    html = page(world.finance, "billing-spend-dashboard", "?period=7d")
    assert "15.000000015 USD" in html
    assert "+200 %" in html


def test_spend_csv_is_exact_and_harmless(world: World) -> None:
    Team.objects.filter(pk=world.ads.pk).update(name='=HYPERLINK("http://x")')
    text = signed_in(world.finance).get(reverse("billing-spend-csv") + "?group=team&period=month").getvalue().decode()
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(text))}
    assert rows[world.ads.pk]["name"] == '\'=HYPERLINK("http://x")'
    assert (rows[world.search.pk]["cost_usd"], rows[world.search.pk]["requests"], rows[world.search.pk]["errors"]) == (
        "7.000000007", "3", "1",
    )  # fmt: skip
    centres = signed_in(world.finance).get(reverse("billing-spend-csv") + "?group=cost_centre").getvalue().decode()
    assert "CC-1" in centres
    assert sum(round(float(row["cost_usd"]) * USD) for row in csv.DictReader(io.StringIO(centres))) == 15_000_000_015


def test_markup_in_names_is_text(world: World) -> None:
    Team.objects.filter(pk=world.ads.pk).update(name="<script>alert(1)</script>")
    response = signed_in(world.finance).get(reverse("billing-spend-dashboard"))
    assert b"<script>alert" not in response.content


@pytest.mark.parametrize(
    ("name", "role", "most"),
    [
        ("billing-spend-dashboard", "finance", 27),
        ("billing-usage-mine", "ada", 23),
        ("billing-spend-team", "lead", 24),
        ("billing-usage-list", "finance", 20),
    ],
)
def test_queries_do_not_grow_with_rows(
    world: World, django_assert_max_num_queries, name: str, role: str, most: int
) -> None:
    for n in range(30):
        member = person_as(Role.EMPLOYEE, team=world.search)
        application = ApplicationFactory(team=world.search)
        world.call(member, world.search, n, key_id=f"key_{n}", application_id=application.pk)
        world.call(world.ada, world.search, n, key_id=f"key_{n}", at=datetime.now(UTC) - timedelta(hours=n))
    rollup.roll_up()
    client = signed_in(getattr(world, role))
    client.get(reverse(name))
    with django_assert_max_num_queries(most):
        assert client.get(reverse(name)).status_code == 200
