"""List, page, narrow, revoke, block: for the owner, the lead, the admin, and 404 for everybody else (cases 17, 20, 22)."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from billing.models import Quota
from portal.keys.actions.keys import block_key, revoke_key, unblock_key
from portal.keys.actions.narrowing import narrow_key
from portal.keys.models import Key
from portal.keys.refusal import Refused
from portal.people.models import Change, Membership, Team, User
from tests.factories.billing import QuotaFactory
from tests.factories.keys import KeyFactory, in_days, member_of, minted, team_with
from tests.factories.people import acting, person_as
from tests.portal.keys.pages import signed_in, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return team_with("chat-small", "chat-large", slug="search", name="Search")


@pytest.fixture
def owner(team: Team) -> User:
    return member_of(team, name="Mia Member")


AGAIN = "/accounts/again/"
PAGES = ("detail", "live", "narrow", "revoke", "ask-rotation")


@pytest.mark.parametrize("page", [*PAGES, "rotate", "block", "unblock"])
def test_what_is_not_yours_does_not_exist(team: Team, owner: User, page: str) -> None:
    key, _ = minted(owner, team)
    for stranger in (person_as("lead", team=team_with()), member_of(team), person_as("finance")):
        client = signed_in(stranger)
        for method in (client.get, client.post):
            answer = method(reverse(f"keys-key-{page}", args=[key.pk]))
            assert answer.status_code in {404, 405} or answer.headers["location"].startswith(AGAIN)
    assert Key.objects.get().status == "active"


@pytest.mark.parametrize("page", PAGES)
def test_owner_lead_and_admin_reach_the_pages(team: Team, owner: User, page: str) -> None:
    key, _ = minted(owner, team)
    for person in (owner, person_as("lead", team=team), person_as("platform_admin")):
        assert signed_in(person).get(reverse(f"keys-key-{page}", args=[key.pk])).status_code == 200


def test_an_auditor_reads_and_changes_nothing(team: Team, owner: User) -> None:
    key, _ = minted(owner, team)
    client = signed_in(person_as("auditor"))
    assert client.get(reverse("keys-key-detail", args=[key.pk])).status_code == 200
    assert client.post(reverse("keys-key-revoke", args=[key.pk])).status_code == 404
    assert key.name in text(client.get(reverse("keys-key-list") + "?whose=all"))


def test_revoking_asks_first_and_names_the_key_in_the_feed(team: Team, owner: User) -> None:
    key, _ = minted(owner, team)
    client, url = signed_in(owner), reverse("keys-key-revoke", args=[key.pk])
    assert "Revoke" in text(client.get(url))
    assert Key.objects.get().status == "active"
    before = Change.objects.count()
    page = text(client.post(url, follow=True))
    assert "is revoked" in page
    assert Change.objects.filter(kind="key", entity_id=key.pk).count() == 2
    assert Change.objects.count() == before + 1
    assert "None works any more" in page
    assert client.post(url).status_code == 302
    assert Change.objects.count() == before + 1, "twice changes nothing"


def test_narrowing_by_page(team: Team, owner: User) -> None:
    key, _ = minted(owner, team)
    client, url = signed_in(owner), reverse("keys-key-narrow", args=[key.pk])
    day = (timezone.now() + timedelta(days=3)).date()
    answer = client.post(
        url, {"models": ["chat-small"], "ends": day.isoformat(), "usd_month": "2.50", "requests_minute": ""}
    )
    assert answer.status_code == 302, text(answer)
    key.refresh_from_db()
    assert not key.all_models
    assert [model.slug for model in key.named_models.all()] == ["chat-small"]
    assert key.expires_at.date() == day
    assert Quota.objects.get(scope_id=key.pk).capacity == 2_500_000_000


def test_an_untouched_narrow_form_changes_nothing(team: Team, owner: User) -> None:
    key, _ = minted(owner, team, limits=[("usd", "month", 10**9)])
    client, url = signed_in(owner), reverse("keys-key-narrow", args=[key.pk])
    form = client.get(url).context["form"]
    answer = client.post(url, {name: form[name].value() for name in form.fields}, follow=True)
    assert "Nothing was changed" in text(answer)
    key.refresh_from_db()
    assert key.all_models


@pytest.mark.parametrize("wish", ["models", "expires", "limit", "above team", "nothing"])
def test_nothing_widens_a_key(team: Team, owner: User, wish: str) -> None:
    QuotaFactory(scope_id=team.pk, metric="requests", window="minute", capacity=100)
    models = {model.slug: model for team_model in team.team_models.all() if (model := team_model.model)}
    key, _ = minted(owner, team, models=[models["chat-small"]], limits=[("usd", "month", 10**9)])
    wishes = {
        "models": {"models": list(models.values())},
        "expires": {"expires_at": in_days(31)},
        "limit": {"limits": [("usd", "month", 2 * 10**9)]},
        "above team": {"limits": [("requests", "minute", 101)]},
        "nothing": {"models": []},
    }
    with pytest.raises(Refused):
        narrow_key(actor=acting(owner), key=key, **wishes[wish])
    key.refresh_from_db()
    assert [model.slug for model in key.named_models.all()] == ["chat-small"]
    assert Quota.objects.get(scope_id=key.pk).capacity == 10**9


def test_a_block_is_lifted_by_a_lead_but_not_by_the_owner(team: Team, owner: User) -> None:
    key, _ = minted(owner, team)
    lead = person_as("lead", team=team)
    client = signed_in(lead)
    assert client.post(reverse("keys-key-block", args=[key.pk]), {"reason": ""}).status_code == 422
    client.post(reverse("keys-key-block", args=[key.pk]), {"reason": "seen in a public repository"})
    page = text(signed_in(owner).get(reverse("keys-key-detail", args=[key.pk])))
    assert "seen in a public repository" in page
    with pytest.raises(Refused):
        unblock_key(actor=acting(owner), key=key)
    assert client.post(reverse("keys-key-unblock", args=[key.pk])).status_code == 302
    key.refresh_from_db()
    assert key.status == "active"


def test_a_lead_does_not_unblock_a_key_of_their_own(team: Team) -> None:
    lead = person_as("lead", team=team)
    key, _ = minted(lead, team)
    block_key(actor=acting(person_as("platform_admin")), key=key, reason="policy")
    with pytest.raises(Refused):
        unblock_key(actor=acting(lead), key=key)


def test_a_lead_who_was_demoted_meanwhile_changes_nothing(team: Team, owner: User) -> None:
    key, _ = minted(owner, team)
    lead = person_as("lead", team=team)
    actor = acting(lead)
    Membership.objects.filter(user=lead).update(role=Membership.Role.MEMBER)
    with pytest.raises(Refused):
        revoke_key(actor=actor, key=key)
    assert Key.objects.get().status == "active"


def test_search_states_and_pages_of_500_keys(team: Team, owner: User, django_assert_max_num_queries) -> None:
    KeyFactory.create_batch(497, owner=owner, team=team)
    KeyFactory(owner=owner, team=team, name="gone", expires_at=in_days(-1))
    key, secret = minted(owner, team, name="needle")
    KeyFactory(name="somebody else's")
    client, url = signed_in(owner), reverse("keys-key-list")
    with django_assert_max_num_queries(14):
        first = client.get(url)
    assert len(first.context["rows"]) == 50
    assert first.context["page"].paginator.count == 499
    assert len(client.get(url, {"page": "10"}).context["rows"]) == 49
    assert "somebody else" not in text(client.get(url, {"q": "somebody"}))
    for words in ("needle", secret[:10], f" {secret}"):
        page = client.get(url, {"q": words}, follow=True)
        assert [found.pk for found, _ in page.context["rows"]] == [key.pk]
        assert secret not in text(page)
    assert [found.name for found, _ in client.get(url, {"state": "expired"}).context["rows"]] == ["gone"]
    assert client.get(url, {"state": "nonsense", "page": "x", "whose": "all"}).status_code == 200


def test_the_live_panel_turns_when_the_key_is_used(team: Team, owner: User) -> None:
    key, _ = minted(owner, team)
    client, url = signed_in(owner), reverse("keys-key-live", args=[key.pk])
    assert "hx-get" in text(client.get(url))
    Key.objects.filter(pk=key.pk).update(last_used_at=timezone.now(), last_used_client="curl/8")
    assert "We saw your first call" in text(client.get(url))
    assert "hx-get" not in text(client.get(url))


def test_markup_in_names_is_only_words(team: Team, owner: User) -> None:
    key, _ = minted(owner, team, name="<script>alert(1)</script>")
    page = text(signed_in(owner).get(reverse("keys-key-detail", args=[key.pk])))
    assert "<script>alert" not in page


def test_a_member_who_left_keeps_no_model(team: Team, owner: User) -> None:
    key, _ = minted(owner, team)
    team.team_models.filter(model__slug="chat-large").delete()
    page = text(signed_in(owner).get(reverse("keys-key-detail", args=[key.pk])))
    assert "chat-small" in page
    assert "chat-large" not in page
