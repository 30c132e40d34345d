"""Budgets and limits: who sees which, and setting, adding to and removing them in the browser."""

from datetime import timedelta
from html import unescape

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from billing.calendar import today
from billing.models import Balance, Quota, QuotaExtra
from portal.people.models import AuditEvent
from portal.people.permissions import Role
from tests.factories.billing import QuotaFactory
from tests.factories.catalog import ModelFactory, ServedModelFactory, TeamModelFactory
from tests.factories.keys import member_of, minted, team_with
from tests.factories.people import ApplicationFactory, MembershipFactory, TeamFactory, UserFactory, person_as

pytestmark = pytest.mark.django_db
USD = 10**9
ADD = "billing-quota-add"


def client_of(user) -> Client:
    client = Client()
    client.force_login(user, backend="portal.people.identity.backend.ActivePersonBackend")
    return client


@pytest.fixture
def finance() -> Client:
    return client_of(person_as(Role.FINANCE))


def text_of(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return unescape(response.content.decode())


def test_a_limit_is_set_changed_added_to_and_removed(finance: Client) -> None:
    team = TeamFactory(slug="search", name="Search")
    wanted = {"scope_kind": "team", "scope": "search", "metric": "usd", "window": "month", "amount": "1,250.50"}
    assert finance.post(reverse(ADD), wanted).status_code == 302
    quota = Quota.objects.get(scope_id=team.pk)
    assert quota.capacity == 1250 * USD + USD // 2
    edit = reverse("billing-quota-edit", args=[quota.pk])
    finance.post(edit, {"amount": "2000"})
    quota.refresh_from_db()
    assert quota.capacity == 2000 * USD
    until = (today() + timedelta(days=3)).isoformat()
    finance.post(reverse("billing-quota-extra", args=[quota.pk]), {"amount": "100", "until": until})
    extra = QuotaExtra.objects.get()
    assert extra.amount == 100 * USD
    assert "$2,100.00 per month" in text_of(finance, reverse("billing-quota-list"))
    finance.post(reverse("billing-quota-extra-end", args=[extra.pk]))
    assert "$2,000.00 per month" in text_of(finance, edit)
    assert finance.get(reverse("billing-quota-remove", args=[quota.pk])).status_code == 200
    assert Quota.objects.exists()
    finance.post(reverse("billing-quota-remove", args=[quota.pk]))
    assert not Quota.objects.exists()
    events = AuditEvent.objects.order_by("at").values_list("event", flat=True)
    assert list(events) == [
        "portal:quota:set", "portal:quota:set", "portal:quota:add_extra", "portal:quota:end_extra", "portal:quota:remove",
    ]  # fmt: skip


def test_every_kind_of_scope_can_be_named(finance: Client) -> None:
    team = team_with("chat")
    user = member_of(team, email="ada@example.com")
    key, _ = minted(user, team)
    model, application = ModelFactory(slug="vendor/chat"), ApplicationFactory(slug="bot")
    for kind, scope, metric, window, amount in (
        ("organisation", "", "usd", "quarter", "9000000000"),
        ("user", "Ada@example.com", "usd", "day", "0"),
        ("application", "bot", "requests", "minute", "60"),
        ("model", "vendor/chat", "total_tokens", "hour", "100000"),
        ("key", key.pk, "concurrent", "total", "5"),
    ):
        wanted = {"scope_kind": kind, "scope": scope, "metric": metric, "window": window, "amount": amount}
        assert finance.post(reverse(ADD), wanted).status_code == 302, kind
    assert dict(Quota.objects.values_list("scope_kind", "scope_id")) == {
        "organisation": settings.ORGANISATION_ID, "user": user.pk, "application": application.pk,
        "model": model.pk, "key": key.pk,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"amount": "1.5e"}, "is not an amount"),
        ({"amount": "-1"}, "is not between 0 and"),
        ({"amount": "0.0000000001"}, "more than nine decimals"),
        ({"metric": "concurrent"}, "Calls at once cannot be limited by"),
        ({"metric": "requests", "window": "minute", "amount": "1.5"}, "is not a whole number"),
        ({"metric": "requests", "window": "minute", "amount": "9" * 30}, "A limit is 0 or more"),
        ({"scope": "nobody"}, 'There is no team "nobody"'),
        ({"scope": ""}, "Say whose limit it is"),
        ({"scope_kind": "key", "scope": "key_gone"}, 'There is no key "key_gone"'),
        ({"scope_kind": "moon"}, "moon is not one of the available choices"),
    ],
)
def test_mistakes_are_said_at_the_field(finance: Client, change: dict[str, str], words: str) -> None:
    TeamFactory(slug="search")
    wanted = {"scope_kind": "team", "scope": "search", "metric": "usd", "window": "month", "amount": "5"} | change
    response = finance.post(reverse(ADD), wanted)
    assert response.status_code == 422
    assert words in unescape(response.content.decode())
    assert not Quota.objects.exists()


@pytest.mark.parametrize(("amount", "days", "words"), [
    ("0", 3, "more than 0"), ("5", -1, "ends in the future"), ("x", 3, "not an amount"), ("5", None, "is no date"),
])  # fmt: skip
def test_an_extra_that_means_nothing_is_said(finance: Client, amount: str, days: int | None, words: str) -> None:
    quota = QuotaFactory()
    until = "one day" if days is None else (today() + timedelta(days=days)).isoformat()
    response = finance.post(reverse("billing-quota-extra", args=[quota.pk]), {"amount": amount, "until": until})
    assert words in unescape(response.content.decode())
    assert not QuotaExtra.objects.exists()


def test_who_sees_which_limits() -> None:
    search, ads = TeamFactory(name="Search"), TeamFactory(name="Ads")
    lead, ada = person_as(Role.LEAD, team=search), UserFactory(name="Ada")
    MembershipFactory(team=search, user=ada)
    for kind, one in (
        ("team", search.pk),
        ("team", ads.pk),
        ("user", ada.pk),
        ("organisation", settings.ORGANISATION_ID),
    ):
        QuotaFactory(scope_kind=kind, scope_id=one)
    url = reverse("billing-quota-list")
    for who, seen, hidden in (
        (lead, ["Search", "Ada"], ["Ads", settings.ORGANISATION_NAME]),
        (ada, ["Search", "Ada"], ["Ads", settings.ORGANISATION_NAME]),
        (person_as(Role.AUDITOR), ["Search", "Ads", "Ada", settings.ORGANISATION_NAME], ["Set a limit", "Change<"]),
        (UserFactory(), ["No limits yet"], ["Search<", "Ads"]),
    ):
        html = text_of(client_of(who), url)
        html = html[html.index('id="results"') :]
        assert all(words in html for words in seen), (who, seen)
        assert not any(words in html for words in hidden), (who, hidden)


@pytest.mark.parametrize("role", [Role.EMPLOYEE, Role.LEAD, Role.AUDITOR])
def test_only_finance_and_admins_change_limits_of_others(role: Role) -> None:
    quota, client = QuotaFactory(), client_of(person_as(role))
    extra = QuotaExtra.objects.create(quota=quota, amount=1, until=quota.created_at + timedelta(days=1))
    refused = 404 if role == Role.LEAD else 403
    for name, args, status in (
        ("billing-quota-edit", [quota.pk], refused), ("billing-quota-remove", [quota.pk], refused),
        ("billing-quota-extra", [quota.pk], 403), ("billing-quota-extra-end", [extra.pk], 403),
    ):  # fmt: skip
        assert client.get(reverse(name, args=args)).status_code == status
        assert client.post(reverse(name, args=args), {"amount": "1"}).status_code == status
    wanted = {"scope_kind": "team", "scope": "team_a", "metric": "usd", "window": "day", "amount": "1"}
    assert client.post(reverse(ADD), wanted).status_code in {403, 422}
    assert Quota.objects.get() == quota


def test_a_lead_tightens_by_page(finance: Client) -> None:
    team, model = TeamFactory(slug="search", name="Search"), ServedModelFactory(display_name="Chat large")
    lead = client_of(person_as(Role.LEAD, team=team))
    quota = QuotaFactory(scope_id=team.pk)
    edit = reverse("billing-quota-edit", args=[quota.pk])
    html = text_of(lead, edit)
    assert "You may make this stricter" in html
    assert 'name="step_down"' not in html
    assert reverse("billing-quota-remove", args=[quota.pk]) not in html
    assert lead.post(edit, {"amount": "60", "notify": "50"}).status_code == 422
    assert lead.post(edit, {"amount": "40", "notify": "50, 75 %"}).status_code == 302
    quota.refresh_from_db()
    assert (quota.capacity, quota.notify_percent) == (40 * USD, [50, 75])
    assert lead.post(reverse("billing-quota-remove", args=[quota.pk])).status_code == 403
    offered = text_of(lead, reverse(ADD))
    assert 'value="organisation"' not in offered
    wanted = {
        "scope_kind": "team", "scope": "search", "model": model.pk, "metric": "requests", "window": "minute",
        "amount": "5", "notify": "50, 80, 100",
    }  # fmt: skip
    assert lead.post(reverse(ADD), wanted).status_code == 302
    pair = Quota.objects.get(model_id=model.pk)
    assert (pair.by_lead, pair.notify_percent) == (True, [])
    html = text_of(lead, reverse("billing-quota-list"))
    assert "Chat large" in html
    assert lead.post(reverse("billing-quota-remove", args=[pair.pk])).status_code == 302


def test_what_happens_at_the_end_is_set_and_shown_and_moves_nothing(finance: Client) -> None:
    team, cheap = TeamFactory(slug="search"), ServedModelFactory(display_name="Chat tiny")
    ModelFactory(display_name="Unpriced")
    quota = QuotaFactory(scope_id=team.pk)
    balance = Balance.objects.create(quota=quota, period=0, settled=7)
    edit = reverse("billing-quota-edit", args=[quota.pk])
    html = text_of(finance, edit)
    assert "Go on with Chat tiny" in html
    assert "Unpriced" not in html
    changed = {"amount": "50", "step_down": cheap.pk, "notify": "90"}
    assert finance.post(edit, changed).status_code == 302
    again = Quota.objects.get()
    assert (again.pk, again.capacity, again.step_down_model_id) == (quota.pk, 50 * USD, cheap.pk)
    assert Balance.objects.get() == balance
    assert "goes on with Chat tiny" in text_of(finance, reverse("billing-quota-list"))
    assert "The team may not use Chat tiny" in text_of(finance, edit)
    TeamModelFactory(team=team, model=cheap)
    assert "may not use" not in text_of(finance, edit)
    assert ">refused<" not in text_of(finance, reverse("billing-quota-list"))
    for notify, words in (
        ("half", "whole numbers with commas"),
        ("0", "1 to 100 percent"),
        ("101", "1 to 100 percent"),
    ):
        response = finance.post(edit, changed | {"notify": notify})
        assert words in unescape(response.content.decode())


def test_a_budget_on_its_way_to_the_end_is_said_on_the_pages_of_those_it_concerns() -> None:
    team = team_with("chat", slug="search", name="Search")
    ada, lead = member_of(team), person_as(Role.LEAD, team=team)
    key, _ = minted(ada, team)
    quota = QuotaFactory(scope_id=team.pk, window="total", notify_percent=[50, 80, 100])
    balance = Balance.objects.create(quota=quota, period=0, settled=24 * USD)
    pages = [
        (ada, reverse("billing-usage-mine")), (ada, reverse("keys-key-detail", args=[key.pk])),
        (ada, reverse("people-team-detail", args=[team.pk])), (lead, reverse("billing-spend-team")),
    ]  # fmt: skip
    for settled, words in (
        (24, None),
        (41, "82 % of the budget of Search is used"),
        (50, "The budget of Search is used up"),
    ):
        Balance.objects.filter(pk=balance.pk).update(settled=settled * USD)
        for who, url in pages:
            html = text_of(client_of(who), url)
            assert (words in html) if words else ("of the budget of" not in html), (url, settled)
            assert ("$9.00 of $50.00 in total is left. Then calls are refused." in html) == (settled == 41)


def test_employees_learn_that_there_is_a_company_budget_and_no_figure_of_it() -> None:
    team = team_with("chat", slug="search")
    ada = member_of(team)
    key, _ = minted(ada, team)
    quota = QuotaFactory(
        scope_kind="organisation", scope_id=settings.ORGANISATION_ID, capacity=7777 * USD, window="total"
    )
    Balance.objects.create(quota=quota, period=0, settled=7654 * USD)
    for url in (
        reverse("billing-usage-mine"), reverse("keys-key-detail", args=[key.pk]), reverse("catalog-model-detail", args=["chat"])
    ):  # fmt: skip
        html = text_of(client_of(ada), url)
        assert "A budget in total" in html
        assert "7,777" not in html
        assert "123.00" not in html
    form = text_of(client_of(ada), f"{reverse('keys-request-new')}?kind=budget&quota={quota.pk}&key={key.pk}")
    assert "A budget of the whole company, in total" in form
    assert "7777" not in form.replace(",", "")
    assert "$7,777.00 in total" in text_of(client_of(person_as(Role.FINANCE)), reverse("billing-quota-list"))


def test_the_list_is_searched_filtered_paged_and_costs_few_queries(
    finance: Client, django_assert_max_num_queries
) -> None:
    for n in range(60):
        quota = QuotaFactory(scope_id=TeamFactory(name=f"Team number {n:02}").pk)
        Balance.objects.create(quota=quota, period=0)
    QuotaFactory(scope_kind="user", scope_id=UserFactory(name="Ada").pk, capacity=0)
    url = reverse("billing-quota-list")
    with django_assert_max_num_queries(14):
        html = text_of(finance, url)
    assert html.count("Team number") == 50 * 2  # the name, and the name of its button
    assert "Ada" in text_of(finance, f"{url}?page=2")
    assert "Team number 07" in text_of(finance, f"{url}?q=number+07")
    assert "Team number" not in text_of(finance, f"{url}?kind=user")
    assert "No limit matches" in text_of(finance, f"{url}?q=nothing%00")
