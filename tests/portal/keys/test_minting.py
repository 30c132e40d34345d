"""Minting: by page, by command; never more than the owner and the team have (cases 20, 22)."""

import io
import re
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from gateway import keyformat
from portal.keys.models import Key, KeySecret
from portal.people.models import AuditEvent, Change, Team, User
from tests.factories.billing import QuotaFactory
from tests.factories.catalog import ServedModelFactory
from tests.factories.keys import in_days, member_of, minted, team_with
from tests.factories.people import ApplicationFactory, MembershipFactory, UserFactory, person_as
from tests.portal.keys.pages import signed_in, text

pytestmark = pytest.mark.django_db
SECRET = re.compile(r"at[pst]_[0-9A-Za-z]{36}")


@pytest.fixture
def team() -> Team:
    return team_with("chat-small", "chat-large", slug="search", name="Search")


@pytest.fixture
def member(team: Team) -> User:
    return member_of(team, email="member@example.com")


def form(**changes: object) -> dict[str, object]:
    return {"name": "laptop", "lifetime": "30", "usd_month": "", "requests_minute": ""} | changes


def test_the_form_can_be_sent_as_it_stands_and_shows_the_secret_once(team: Team, member: User) -> None:
    client = signed_in(member)
    page = client.get(reverse("keys-key-mint"))
    filled = {name: page.context["form"][name].value() for name in page.context["form"].fields}
    answer = client.post(reverse("keys-key-mint"), {name: value for name, value in filled.items() if value})
    assert answer.status_code == 200
    secrets = set(SECRET.findall(text(answer)))
    assert len(secrets) == 1
    secret = secrets.pop()
    assert keyformat.well_formed(secret)
    assert "no-store" in answer.headers["cache-control"]
    key = Key.objects.get(owner=member)
    assert key.all_models
    for url in (reverse("keys-key-list"), reverse("keys-key-detail", args=[key.pk])):
        assert secret not in text(client.get(url))
    kept = KeySecret.objects.get(key=key)
    assert secret not in repr(KeySecret.objects.filter(key=key).values().get())
    assert kept.prefix == secret[:12]
    assert kept.last4 == secret[-4:]
    assert not AuditEvent.objects.filter(after__icontains=secret[4:]).exists()
    assert Change.objects.filter(kind="key", entity_id=key.pk).exists()


def test_snippets_have_the_key_filled_in_on_that_page_only(team: Team, member: User) -> None:
    client = signed_in(member)
    answer = text(
        client.post(reverse("keys-key-mint") + "?model=chat-large", form(team=team.pk, models=["chat-large"]))
    )
    secret = SECRET.findall(answer)[0]
    assert answer.count(secret) > 1
    assert "chat-large" in answer


def test_the_address_chooses_a_model(team: Team, member: User) -> None:
    page = signed_in(member).get(reverse("keys-key-mint") + "?model=chat-large")
    assert page.context["form"]["models"].value() == ["chat-large"]


def test_a_model_that_is_not_open_yet_leads_to_a_request(team: Team, member: User) -> None:
    ServedModelFactory(slug="secret-sauce")
    page = text(signed_in(member).get(reverse("keys-key-mint") + "?model=secret-sauce"))
    assert "kind=model&amp;model=secret-sauce" in page


def test_who_has_no_team_is_told_so(db: None) -> None:
    assert "You are in no team yet" in text(signed_in(UserFactory()).get(reverse("keys-key-mint")))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "  "}, "This field is required"),
        ({"lifetime": "9999"}, "Select a valid choice"),
        ({"usd_month": "60"}, "Search has $50.00 per month"),
        ({"usd_month": "-1"}, "is not between"),
        ({"usd_month": "1e400"}, "is not between"),
        ({"requests_minute": "1.5"}, "is no whole number"),
        ({"models": ["other-model"]}, "Select a valid choice"),
    ],
)
def test_what_is_too_much_is_refused_in_words(team: Team, member: User, change: dict[str, object], words: str) -> None:
    QuotaFactory(scope_id=team.pk)
    ServedModelFactory(slug="other-model")
    answer = signed_in(member).post(reverse("keys-key-mint"), form(team=team.pk, **change))
    assert answer.status_code == 422
    assert words in text(answer)
    assert not Key.objects.exists()


def test_limits_within_the_teams_are_kept_with_the_key(team: Team, member: User) -> None:
    QuotaFactory(scope_id=team.pk)
    client = signed_in(member)
    assert (
        client.post(reverse("keys-key-mint"), form(team=team.pk, usd_month="5", requests_minute="60")).status_code
        == 200
    )
    page = text(client.get(reverse("keys-key-detail", args=[Key.objects.get().pk])))
    assert "$5.00" in page
    assert "60 requests" in page


def test_sending_the_form_again_mints_no_second_key(team: Team, member: User) -> None:
    client = signed_in(member)
    client.post(reverse("keys-key-mint"), form(team=team.pk))
    again = client.post(reverse("keys-key-mint"), form(team=team.pk))
    assert again.status_code == 422
    assert "There is a key called" in text(again)
    assert Key.objects.count() == 1


def test_a_name_is_free_again_after_revocation_and_after_expiry(team: Team, member: User) -> None:
    client = signed_in(member)
    first, _ = minted(member, team)
    client.post(reverse("keys-key-revoke", args=[first.pk]))
    second, _ = minted(member, team)
    Key.objects.filter(pk=second.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    third, _ = minted(member, team)
    assert third.pk not in {first.pk, second.pk}


def test_another_teams_model_or_team_is_not_offered(team: Team, member: User) -> None:
    other = team_with("chat-other")
    answer = signed_in(member).post(reverse("keys-key-mint"), form(team=other.pk))
    assert answer.status_code == 422
    assert not Key.objects.exists()


# by command


def run(name: str, *args: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(name, *args, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


COMMAND = ("mint_key", "--team", "search", "--user", "member@example.com", "--name", "ci")


def test_the_command_prints_the_secret_alone(team: Team, member: User) -> None:
    out, err = run(
        *COMMAND,
        "--models",
        "chat-small",
        "--limit",
        "usd/month=5",
        "--limit",
        "requests/minute=60",
        "--expires",
        "30d",
    )
    secret = out.removesuffix("\n")
    assert keyformat.well_formed(secret)
    assert secret not in err
    key = Key.objects.get()
    assert [model.slug for model in key.named_models.all()] == ["chat-small"]
    assert timedelta(days=29) < key.expires_at - timezone.now() <= timedelta(days=30)


def test_the_command_gives_a_key_to_somebody_invited(team: Team) -> None:
    MembershipFactory(team=team, user=UserFactory(email="member@example.com", status=User.Status.INVITED))
    out, _ = run(*COMMAND)
    assert keyformat.well_formed(out.strip())


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--team", "nope", "--user", "member@example.com", "--name", "ci"), 'no team "nope"'),
        (("--team", "search", "--user", "who@example.com", "--name", "ci"), "Nobody has the address"),
        ((*COMMAND[1:], "--models", "chat-smal"), "no model chat-smal"),
        ((*COMMAND[1:], "--limit", "usd=5"), "METRIC/WINDOW=AMOUNT"),
        ((*COMMAND[1:], "--limit", "usd/fortnight=5"), "is no limit"),
        ((*COMMAND[1:], "--limit", "usd/month=five"), "is not an amount"),
        ((*COMMAND[1:], "--limit", "usd/month=5", "--limit", "usd/month=6"), "given twice"),
        ((*COMMAND[1:], "--expires", "soon"), "is no end"),
        ((*COMMAND[1:], "--expires", "366d"), "too long"),
        ((*COMMAND[1:], "--expires", "2020-01-01"), "in the past"),
    ],
)
def test_the_command_says_what_is_wrong(team: Team, member: User, args: tuple[str, ...], words: str) -> None:
    with pytest.raises(CommandError, match=re.escape(words)):
        run("mint_key", *args)
    assert not Key.objects.exists()


def test_the_command_refuses_strangers_to_the_team_and_the_blocked(team: Team) -> None:
    stranger = UserFactory(email="member@example.com")
    with pytest.raises(CommandError, match="does not belong to the team"):
        run(*COMMAND)
    MembershipFactory(team=team, user=stranger)
    User.objects.filter(pk=stranger.pk).update(status=User.Status.BLOCKED)
    with pytest.raises(CommandError, match="is blocked"):
        run(*COMMAND)


# service keys


def test_a_service_key_is_minted_by_who_answers_for_the_application(team: Team, member: User) -> None:
    application = ApplicationFactory(team=team, slug="indexer")
    client = signed_in(member)
    body = {"name": "prod", "team": "search", "application": "indexer"}
    refused = client.post("/api/v1/keys", body, content_type="application/json")
    assert refused.status_code == 403
    lead = person_as("lead", team=team)
    made = signed_in(lead).post("/api/v1/keys", body, content_type="application/json")
    assert made.status_code == 201, made.json()
    assert made.json()["secret"].startswith("ats_")
    assert made.json()["application"] == application.slug
    assert in_days(89).isoformat() < made.json()["expires_at"]
