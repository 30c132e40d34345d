"""What the gateway knows is what the tables say: compiling one entity at a time equals compiling everything."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.actions.quotas import add_extra, end_extra, remove_quota, set_quota
from billing.models import Quota, QuotaExtra
from catalog.actions.access import end_grant, grant_model, set_team_models
from catalog.actions.credentials import remove_credential, set_credential
from catalog.actions.deployments import Place, set_deployments
from catalog.actions.models import change_model, create_model
from catalog.actions.prices import set_price
from catalog.actions.providers import change_provider, create_provider
from catalog.models import Model, ModelGrant, Provider
from gateway.control.compile import compile_all, recompile
from gateway.control.keys import read_by_digest
from gateway.control.refresh import read_news
from gateway.keyformat import digest
from gateway.snapshot import KeyEntry
from portal.keys.actions.keys import mint_key, revoke_key
from portal.people.actions.people import block_person, invite_person
from portal.people.actions.teams import change_team, create_team, remove_member, set_member
from portal.people.audit import Actor
from portal.people.models import Revision, Team

ACT = Actor("command")
PEPPER = b"a pepper of the tests, nobody else's"


@pytest.fixture
def world(db: None) -> None:
    for team in ("search", "payments"):
        create_team(actor=ACT, slug=team, name=team)
    for slug in ("acme", "umbra"):
        provider = create_provider(actor=ACT, slug=slug, base_url="http://127.0.0.1:9999/v1", internal=True)
        set_credential(actor=ACT, provider=provider, value=f"sk-of-{slug}-0123456789")
    for slug in ("small", "large"):
        create_model(actor=ACT, slug=slug, context_tokens=8_000, max_output_tokens=1_000)


def toggle_deployment(number: int) -> None:
    model = Model.objects.order_by("slug")[number % 2]
    provider = Provider.objects.order_by("slug")[number % 2]
    rows = [] if model.deployments.exists() else [Place(provider, f"upstream-{number}", number, True)]
    set_deployments(actor=ACT, model=model, deployments=rows)


def toggle_quota(number: int) -> None:
    team = Team.objects.order_by("slug")[number % 2]
    quota = Quota.objects.filter(scope_id=team.pk).first()
    if quota is not None and number % 3 == 0:
        remove_quota(actor=ACT, quota=quota)
    else:
        set_quota(actor=ACT, scope_kind="team", scope_id=team.pk, metric="usd", window="month", capacity=1 + number)


def toggle_extra(number: int) -> None:
    extra = QuotaExtra.objects.filter(ended_at__isnull=True).first()
    quota = Quota.objects.first()
    if extra is not None:
        end_extra(actor=ACT, extra=extra)
    elif quota is not None:
        add_extra(actor=ACT, quota=quota, amount=1 + number, until=timezone.now() + timedelta(days=3))


def toggle_grant(number: int) -> None:
    grant = ModelGrant.objects.filter(ended_at__isnull=True).first()
    if grant is not None:
        end_grant(actor=ACT, grant=grant)
        return
    team, model = Team.objects.order_by("slug")[number % 2], Model.objects.order_by("slug")[number % 2]
    until = timezone.now() + timedelta(days=3)
    grant_model(actor=ACT, team=team, user=None, key_id=f"key_{number}", model=model, until=until)


def toggle_credential(number: int) -> None:
    provider = Provider.objects.select_related("credential").order_by("slug")[number % 2]
    if hasattr(provider, "credential"):
        remove_credential(actor=ACT, provider=provider)
    else:
        set_credential(actor=ACT, provider=provider, value=f"sk-again-{number}-0123456789")


def price(number: int) -> None:
    model = Model.objects.order_by("slug")[number % 2]
    moment = timezone.now() + timedelta(seconds=number)
    if not model.prices.filter(effective_from=moment).exists():
        set_price(actor=ACT, model=model, effective_from=moment, input=1 + number, output=2 + number)


DEEDS: list[Callable[[int], object]] = [
    toggle_deployment,
    toggle_quota,
    toggle_extra,
    toggle_grant,
    toggle_credential,
    price,
    lambda n: change_provider(
        actor=ACT, provider=Provider.objects.order_by("slug")[n % 2], region=f"r{n}", enabled=n % 4 != 0
    ),
    lambda n: change_model(actor=ACT, model=Model.objects.order_by("slug")[n % 2], max_output_tokens=1 + n),
    lambda n: change_team(
        actor=ACT, team=Team.objects.order_by("slug")[n % 2], status=("active", "blocked")[n // 2 % 2]
    ),
    lambda n: set_team_models(
        actor=ACT, team=Team.objects.order_by("slug")[n % 2], models=Model.objects.all()[: n % 3]
    ),
]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=st.lists(st.tuples(st.sampled_from(range(len(DEEDS))), st.integers(0, 50)), max_size=12))
def test_one_at_a_time_equals_all_at_once(world: None, deeds: list[tuple[int, int]]) -> None:
    snapshot = compile_all()
    for number, argument in deeds:
        DEEDS[number](argument)
        news = read_news(snapshot.version)
        snapshot = recompile(snapshot, news.version, news.changes)
    whole = compile_all()
    assert replace(snapshot, quotas={}) == replace(whole, quotas={})
    assert {scope: set(found) for scope, found in snapshot.quotas.items()} == {
        scope: set(found) for scope, found in whole.quotas.items()
    }


@pytest.mark.django_db
def test_the_feed_says_when_it_does_not_reach_back_far_enough(world: None) -> None:
    from portal.people.models import Change

    assert not read_news(1).trimmed
    Change.objects.filter(revision__lte=3).delete()
    assert read_news(1).trimmed


@pytest.mark.django_db
def test_a_provider_without_a_readable_credential_serves_nothing(world: None) -> None:
    provider, model = Provider.objects.get(slug="acme"), Model.objects.get(slug="small")
    set_deployments(actor=ACT, model=model, deployments=[Place(provider, "up", 1, True)])
    assert compile_all().models_by_slug["small"].deployments[0].credential == "sk-of-acme-0123456789"
    set_credential(actor=ACT, provider=provider, env="A_VARIABLE_THAT_IS_NOT_SET")
    assert compile_all().models_by_slug["small"].deployments == ()


@pytest.mark.django_db
def test_no_secret_shows_in_the_repr_of_a_snapshot(world: None) -> None:
    provider, model = Provider.objects.get(slug="acme"), Model.objects.get(slug="small")
    set_deployments(actor=ACT, model=model, deployments=[Place(provider, "up", 1, True)])
    assert "sk-of-acme" not in repr(compile_all())


def read_entry(wanted: bytes) -> tuple[KeyEntry | None, int]:
    found, revision = read_by_digest([wanted])
    return found.get(wanted), revision


@pytest.mark.django_db
def test_a_personal_key_dies_with_its_persons_place(world: None, settings) -> None:  # type: ignore[no-untyped-def]
    settings.KEY_PEPPER = PEPPER
    team = Team.objects.get(slug="search")
    person = invite_person(actor=ACT, email="member@example.com")
    set_member(actor=ACT, team=team, person=person, role="member")
    key, secret = mint_key(
        actor=ACT, owner=person, team=team, name="ci", models=None, expires_at=timezone.now() + timedelta(days=3)
    )
    found = digest(secret, PEPPER)
    entry, revision = read_entry(found)
    assert entry is not None and entry.owner_active, "an invited member's key works"
    assert revision == Revision.objects.get().number
    remove_member(actor=ACT, team=team, person=person)
    entry, _ = read_entry(found)
    assert entry is not None and not entry.owner_active
    set_member(actor=ACT, team=team, person=person, role="member")
    block_person(actor=ACT, person=person, reason="left")
    entry, _ = read_entry(found)
    assert entry is not None and not entry.owner_active
    revoke_key(actor=ACT, key=key)
    entry, _ = read_entry(found)
    assert entry is not None and entry.status == "revoked", "its holder is told that it was revoked"
    assert read_entry(digest(secret, b"another pepper"))[0] is None


@pytest.mark.django_db
def test_keys_are_read_together_each_with_what_is_its_own(world: None, settings, django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    settings.KEY_PEPPER = PEPPER
    team, secrets = Team.objects.get(slug="search"), []
    for number in range(5):
        person = invite_person(actor=ACT, email=f"member{number}@example.com")
        set_member(actor=ACT, team=team, person=person, role="member")
        key, secret = mint_key(
            actor=ACT, owner=person, team=team, name="ci", models=None, expires_at=timezone.now() + timedelta(days=3)
        )
        secrets.append(digest(secret, PEPPER))
        if number == 3:
            remove_member(actor=ACT, team=team, person=person)
        if number % 2:
            set_quota(actor=ACT, scope_kind="key", scope_id=key.pk, metric="requests", window="minute", capacity=number)
    with django_assert_max_num_queries(7):
        found, _ = read_by_digest([*secrets, b"unknown"])

    assert list(map(found.__contains__, [*secrets, b"unknown"])) == [True] * 5 + [False]
    entries = [found[secret] for secret in secrets]
    assert [entry.owner_active for entry in entries] == [True, True, True, False, True]
    assert [[quota.capacity for quota in entry.quotas] for entry in entries] == [[], [1], [], [3], []]
