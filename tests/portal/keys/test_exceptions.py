"""Exceptions: asked, decided once by somebody else on what they saw, in force at once, over by themselves (case 22)."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from billing.actions.quotas import remove_quota
from billing.models import Quota, QuotaExtra, RollupDay
from catalog.models import Model, ModelGrant
from portal.keys.actions.decisions import approve, deny
from portal.keys.actions.keys import revoke_key
from portal.keys.actions.requests import ask, edit, withdraw
from portal.keys.models import Approval, KeyRequest, Notice
from portal.keys.refusal import Refused
from portal.people.models import AuditEvent, Change, GlobalRole, Membership, Team, User
from tests.factories.billing import QuotaFactory
from tests.factories.catalog import ServedModelFactory
from tests.factories.keys import asked_for_model, in_days, member_of, minted, team_with
from tests.factories.people import SYSTEM, MembershipFactory, TeamFactory, acting, person_as
from tests.portal.keys.pages import signed_in, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return team_with("chat-small", slug="search", name="Search")


@pytest.fixture
def member(team: Team) -> User:
    return member_of(team, name="Mia Member")


@pytest.fixture
def lead(team: Team) -> User:
    return person_as("lead", team=team, name="Lea Lead")


@pytest.fixture
def wanted() -> Model:
    return ServedModelFactory(slug="chat-large", display_name="Chat large", tier="production")


@pytest.fixture
def budget(team: Team) -> Quota:
    return QuotaFactory(scope_id=team.pk)


def day(days: int) -> str:
    return (timezone.now() + timedelta(days=days)).date().isoformat()


def asked_for_budget(member: User, team: Team, budget: Quota, usd: int = 20) -> KeyRequest:
    return ask(
        actor=acting(member),
        kind="budget",
        team=team,
        quota=budget,
        amount=usd * 10**9,
        reason="A trial.",
        until=in_days(20),
    )


# by pages


def test_from_the_link_of_a_refusal_to_a_model_that_works(team: Team, member: User, lead: User, wanted: Model) -> None:
    key, _ = minted(member, team)
    link = f"/requests/new?kind=model&model=chat-large&key={key.pk}&request_id=req_1"
    page = signed_in(member).get(link)
    assert page.context["form"]["model"].value() == "chat-large"
    sent = signed_in(member).post(
        link, {"team": team.pk, "model": "chat-large", "reason": "Better answers.", "until": day(10)}
    )
    asked = KeyRequest.objects.get()
    assert sent.headers["location"] == reverse("keys-request-detail", args=[asked.pk])
    assert (asked.key, asked.refused_request_id) == (key, "req_1")
    inbox = signed_in(lead)
    assert "Mia Member" in text(inbox.get(reverse("keys-inbox-list")))
    page = text(inbox.get(reverse("keys-inbox-decide", args=[asked.pk])))
    assert "Better answers." in page
    before = Change.objects.count()
    answer = inbox.post(
        reverse("keys-inbox-decide", args=[asked.pk]),
        {"version": 1, "until": day(5), "words": "For five days.", "decision": "approve"},
    )
    assert answer.status_code == 302, text(answer)
    grant = ModelGrant.objects.get()
    assert (grant.model, grant.user, grant.key_id) == (wanted, member, "")
    assert grant.until.date().isoformat() == day(5)
    assert Change.objects.count() == before + 1
    assert Change.objects.filter(kind="team", entity_id=team.pk).exists()
    page = text(signed_in(member).get(reverse("keys-request-detail", args=[asked.pk])))
    assert "For five days." in page
    assert "Approved" in text(signed_in(member).get(reverse("home")))


def test_only_models_that_need_a_request_are_offered(team: Team, member: User, wanted: Model) -> None:
    key, _ = minted(member, team, models=[Model.objects.get(slug="chat-small")])

    def offered(query: str = "") -> set[str]:
        page = signed_in(member).get(f"/requests/new?kind=model{query}")
        return {slug for slug, _ in page.context["form"].fields["model"].choices if slug}

    assert offered() == offered(f"&key={key.pk}") == {"chat-large"}
    key.named_models.set([wanted])
    assert offered(f"&key={key.pk}") == {"chat-large", "chat-small"}
    MembershipFactory(team=TeamFactory(), user=member)  # which has no model
    assert offered() == {"chat-large", "chat-small"}


def test_a_key_that_names_its_models_gets_the_grant_itself(team: Team, member: User, lead: User, wanted: Model) -> None:
    key, _ = minted(member, team, models=[Model.objects.get(slug="chat-small")])
    asked = asked_for_model(member, team, wanted, key=key)
    approve(actor=acting(lead), request=asked, version=1)
    grant = ModelGrant.objects.get()
    assert (grant.user, grant.key_id) == (None, key.pk)


def test_a_higher_limit_from_the_page_of_a_key(team: Team, member: User, lead: User, budget: Quota) -> None:
    key, _ = minted(member, team, limits=[("usd", "month", 5 * 10**9)])
    own = Quota.objects.get(scope_id=key.pk)
    page = text(signed_in(member).get(reverse("keys-key-detail", args=[key.pk])))
    link = f"/requests/new?kind=budget&quota={own.pk}&key={key.pk}"
    assert link.replace("&", "&amp;") in page
    body = {"team": team.pk, "amount": "10", "reason": "The month is long.", "until": day(10)}
    assert signed_in(member).post(link, body).status_code == 302
    asked = KeyRequest.objects.get()
    RollupDay.objects.create(
        day=timezone.now().date(), team_id=team.pk, user_id=member.pk, key_id=key.pk, model_id="mdl_gone", provider_id="p",
        requests=7, errors=0, input_tokens=1, cached_tokens=0, cache_write_tokens=0, output_tokens=1, reasoning_tokens=0,
        cost_nano_usd=4_900_000_000, estimated=0,
    )  # fmt: skip
    url = reverse("keys-inbox-decide", args=[asked.pk])
    page = text(signed_in(lead).get(url))
    assert "$4.90" in page
    assert "7 calls" in page
    answer = signed_in(lead).post(
        url, {"version": 1, "amount": "7.50", "until": day(10), "words": "", "decision": "approve"}
    )
    assert answer.status_code == 302, text(answer)
    extra = QuotaExtra.objects.get()
    assert (extra.quota, extra.amount) == (own, 7_500_000_000)
    assert {"key", "quota"} <= set(Change.objects.order_by("-revision").values_list("kind", flat=True)[:4])
    assert "$12.50" in text(signed_in(member).get(reverse("keys-key-detail", args=[key.pk])))


def test_a_refused_rate_can_be_asked_for_in_its_own_unit(team: Team, member: User, lead: User) -> None:
    rate = QuotaFactory(scope_id=team.pk, metric="requests", window="minute", capacity=60)
    link = f"/requests/new?kind=rate&quota={rate.pk}"
    body = {"team": team.pk, "amount": "30", "reason": "A nightly run.", "until": day(10)}
    assert signed_in(member).post(link, body).status_code == 302
    approve(actor=acting(lead), request=KeyRequest.objects.get(), version=1)
    assert QuotaExtra.objects.get().amount == 30


def test_denying_needs_words_and_tells_them(team: Team, member: User, lead: User, wanted: Model) -> None:
    asked = asked_for_model(member, team, wanted)
    url = reverse("keys-inbox-decide", args=[asked.pk])
    body = {"version": 1, "until": day(10), "words": " ", "decision": "deny"}
    assert signed_in(lead).post(url, body).status_code == 422
    assert signed_in(lead).post(url, body | {"words": "Use the small one."}).status_code == 302
    assert "Use the small one." in text(signed_in(member).get(reverse("keys-request-detail", args=[asked.pk])))
    assert not ModelGrant.objects.exists()


def test_edit_and_withdraw_by_page(team: Team, member: User, wanted: Model) -> None:
    asked = asked_for_model(member, team, wanted)
    client = signed_in(member)
    edited = client.post(
        reverse("keys-request-edit", args=[asked.pk]), {"version": 1, "reason": "Other words.", "until": day(3)}
    )
    assert edited.status_code == 302
    asked.refresh_from_db()
    assert (asked.version, asked.reason) == (2, "Other words.")
    assert client.post(reverse("keys-request-withdraw", args=[asked.pk])).status_code == 302
    asked.refresh_from_db()
    assert asked.status == "withdrawn"
    assert client.get(reverse("keys-request-list")).status_code == 200


# what is refused


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reason": "  "}, "needs a reason"),
        ({"until": 0}, "lies in the past"),
        ({"until": 91}, "90 days at most"),
        ({"model": "own"}, "may call"),
        ({"team": "other"}, "do not belong"),
        ({"key": "other"}, "is not yours"),
        ({"key": "revoked"}, "is revoked"),
    ],
)
def test_what_cannot_be_asked(team: Team, member: User, wanted: Model, change: dict[str, object], words: str) -> None:
    other = member_of(team)
    mine, theirs = minted(member, team)[0], minted(other, team)[0]
    revoked, _ = minted(member, team, name="old")
    revoke_key(actor=acting(member), key=revoked)
    objects = {"own": Model.objects.get(slug="chat-small"), "other": team_with(), "revoked": revoked}
    options: dict[str, object] = {"reason": "A trial.", "until": in_days(5), "model": wanted, "team": team, "key": mine}
    for name, value in change.items():
        options[name] = (
            in_days(value)
            if name == "until"
            else theirs
            if (name, value) == ("key", "other")
            else objects.get(value, value)
        )
    with pytest.raises(Refused, match=words):
        ask(actor=acting(member), kind="model", **options)
    assert not KeyRequest.objects.exists()


def test_a_limit_of_others_cannot_be_asked_for(team: Team, member: User) -> None:
    foreign = QuotaFactory(scope_id=team_with().pk)
    with pytest.raises(Refused, match="does not bound your calls"):
        asked_for_budget(member, team, foreign)
    page = signed_in(member).get(f"/requests/new?kind=budget&quota={foreign.pk}")
    assert page.context["asked_for"].quota is None


def test_one_request_for_one_wish(team: Team, member: User, wanted: Model) -> None:
    asked_for_model(member, team, wanted)
    with pytest.raises(Refused, match="waits for a decision"):
        asked_for_model(member, team, wanted)


def test_nobody_decides_their_own(team: Team, wanted: Model, budget: Quota) -> None:
    for role in ("lead", "platform_admin"):
        person = person_as(role, team=team)
        asked = asked_for_model(person, team, wanted)
        with pytest.raises(Refused, match="somebody else decides"):
            approve(actor=acting(person), request=asked, version=1)
        with pytest.raises(Refused, match="somebody else decides"):
            deny(actor=acting(person), request=asked, version=1, words="No.")
        assert signed_in(person).get(reverse("keys-inbox-decide", args=[asked.pk])).status_code == 404
    assert not Approval.objects.exists()


def test_strangers_decide_nothing_and_see_nothing(team: Team, member: User, wanted: Model) -> None:
    asked = asked_for_model(member, team, wanted)
    for person in (member_of(team), person_as("lead", team=team_with()), person_as("finance"), person_as("auditor")):
        with pytest.raises(Refused):
            approve(actor=acting(person), request=asked, version=1)
        assert signed_in(person).get(reverse("keys-inbox-decide", args=[asked.pk])).status_code in {403, 404}
    outsider = signed_in(person_as("lead", team=team_with()))
    assert outsider.get(reverse("keys-request-detail", args=[asked.pk])).status_code == 404
    auditor = signed_in(person_as("auditor"))
    assert auditor.get(reverse("keys-request-detail", args=[asked.pk])).status_code == 200
    assert "Chat large" in text(auditor.get(reverse("keys-request-list") + "?whose=all"))
    assert asked.pk not in text(signed_in(member_of(team)).get(reverse("keys-request-list") + "?whose=all"))


def test_a_decision_is_taken_once(team: Team, member: User, lead: User, wanted: Model) -> None:
    asked = asked_for_model(member, team, wanted)
    approve(actor=acting(lead), request=asked, version=1)
    admin = person_as("platform_admin")
    for decision in (lambda: approve(actor=acting(admin), request=asked, version=1),
                     lambda: deny(actor=acting(admin), request=asked, version=1, words="No.")):  # fmt: skip
        with pytest.raises(Refused, match="Lea Lead"):
            decision()
    assert ModelGrant.objects.count() == 1
    with pytest.raises(Refused, match="approved"):
        edit(actor=acting(member), request=asked, version=1, reason="More.", until=in_days(30))
    with pytest.raises(Refused, match="approved"):
        withdraw(actor=acting(member), request=asked)


def test_what_was_edited_meanwhile_is_not_approved(team: Team, member: User, lead: User, budget: Quota) -> None:
    asked = asked_for_budget(member, team, budget, usd=1)
    seen = KeyRequest.objects.get(pk=asked.pk)
    edit(actor=acting(member), request=asked, version=1, reason="More.", until=in_days(30), amount=400 * 10**9)
    with pytest.raises(Refused, match="edited"):
        approve(actor=acting(lead), request=seen, version=1)
    with pytest.raises(Refused, match="edited"):
        edit(actor=acting(member), request=seen, version=1, reason="Again.", until=in_days(30), amount=10**9)
    assert not QuotaExtra.objects.exists()


def test_a_demoted_approver_decides_nothing(team: Team, member: User, lead: User, wanted: Model) -> None:
    asked = asked_for_model(member, team, wanted)
    actor, admin = acting(lead), person_as("platform_admin")
    admin_actor = acting(admin)
    Membership.objects.filter(user=lead).update(role="member")
    GlobalRole.objects.filter(user=admin).delete()
    blocked = person_as("lead", team=team)
    User.objects.filter(pk=blocked.pk).update(status="blocked")
    for person in (actor, admin_actor, acting(blocked)):
        with pytest.raises(Refused):
            approve(actor=person, request=asked, version=1)
    assert not ModelGrant.objects.exists()


@pytest.mark.parametrize("change", ["later", "more", "past", "none"])
def test_an_approver_narrows_and_never_widens(team: Team, member: User, lead: User, budget: Quota, change: str) -> None:
    asked = asked_for_budget(member, team, budget)
    options = {
        "later": {"until": in_days(21)}, "more": {"amount": 21 * 10**9}, "past": {"until": in_days(-1)}, "none": {"amount": 0},
    }  # fmt: skip
    with pytest.raises(Refused):
        approve(actor=acting(lead), request=asked, version=1, **options[change])
    assert not QuotaExtra.objects.exists()


def test_high_risk_is_for_platform_admins(team: Team, member: User, lead: User) -> None:
    risky = ServedModelFactory(slug="risky", tier="high-risk")
    admin = person_as("platform_admin")
    asked = asked_for_model(member, team, risky)
    assert Notice.objects.filter(user=admin).exists()
    assert "platform admin" in text(signed_in(lead).get(reverse("keys-inbox-decide", args=[asked.pk])))
    with pytest.raises(Refused, match="platform admin"):
        approve(actor=acting(lead), request=asked, version=1)
    approve(actor=acting(admin), request=asked, version=1)
    assert ModelGrant.objects.get().model == risky


def test_large_amounts_and_limits_beyond_the_team_are_for_finance(
    team: Team, member: User, lead: User, budget: Quota
) -> None:
    finance = person_as("finance")
    large = asked_for_budget(member, team, budget, usd=501)
    with pytest.raises(Refused, match=r"\$500.00"):
        approve(actor=acting(lead), request=large, version=1)
    approve(actor=acting(lead), request=large, version=1, amount=500 * 10**9)
    company = QuotaFactory(scope_kind="organisation", scope_id="org")
    wide = asked_for_budget(member, team, company)
    with pytest.raises(Refused, match="finance"):
        approve(actor=acting(lead), request=wide, version=1)
    assert signed_in(finance).get(reverse("keys-inbox-list")).context["page"].paginator.count == 1
    approve(actor=acting(finance), request=wide, version=1)
    rate = QuotaFactory(scope_id=team.pk, metric="requests", window="minute", capacity=60)
    asked = ask(
        actor=acting(member), kind="budget", team=team, quota=rate, amount=1, reason="One more.", until=in_days(1)
    )
    with pytest.raises(Refused):
        approve(actor=acting(finance), request=asked, version=1)


def test_an_approval_for_somebody_who_left_is_refused(team: Team, member: User, lead: User, wanted: Model) -> None:
    asked = asked_for_model(member, team, wanted)
    Membership.objects.filter(user=member).delete()
    with pytest.raises(Refused, match="no longer in"):
        approve(actor=acting(lead), request=asked, version=1)


def test_ending_an_exception_early(team: Team, member: User, lead: User, wanted: Model) -> None:
    asked = asked_for_model(member, team, wanted)
    approve(actor=acting(lead), request=asked, version=1)
    url = reverse("keys-request-end", args=[asked.pk])
    assert signed_in(member).post(url).status_code in {403, 404}
    assert signed_in(lead).get(url).status_code == 200
    assert signed_in(lead).post(url).status_code == 302
    assert not ModelGrant.objects.in_force(timezone.now()).exists()
    assert AuditEvent.objects.filter(event="portal:request:end").count() == 1
    assert signed_in(lead).post(url).status_code == 404


def test_lists_ask_a_fixed_number_of_queries(team: Team, lead: User, django_assert_max_num_queries) -> None:
    members = [member_of(team) for _ in range(12)]
    for person in members:
        asked_for_model(person, team, ServedModelFactory())
    client = signed_in(lead)
    with django_assert_max_num_queries(12):
        assert len(client.get(reverse("keys-inbox-list")).context["rows"]) == 12


def test_a_request_outlives_the_limit_that_it_was_about(team: Team, member: User, lead: User, budget: Quota) -> None:
    waiting = asked_for_budget(member, team, budget)
    done = asked_for_budget(lead, team, budget)
    approve(actor=acting(person_as("finance")), request=done, version=1)
    remove_quota(actor=SYSTEM, quota=budget)
    for row in (waiting, done):
        page = text(signed_in(row.requester).get(f"/requests/{row.pk}"))
        assert "$20.00 more per month" in page
    assert "$20.00 more per month" in text(signed_in(lead).get(f"/inbox/{waiting.pk}"))
    with pytest.raises(Refused, match="The limit was removed"):
        approve(actor=acting(lead), request=waiting, version=1)
    deny(actor=acting(lead), request=waiting, version=1, words="There is no such limit any more.")
    assert KeyRequest.objects.get(pk=done.pk).status == "approved"
    assert signed_in(lead).get("/requests?whose=all").status_code == 200
