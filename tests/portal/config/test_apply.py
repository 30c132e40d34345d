"""apply: the database says what the file says, once and again."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from billing.models import Quota
from catalog.access import models_of_team
from catalog.actions.credentials import read_credential, set_credential
from catalog.models import Credential, FormerCredential, Model, Price, Provider
from portal.config.apply import apply
from portal.people.models import Application, AuditEvent, Change, GlobalRole, Membership, Team, User
from tests.factories.people import SYSTEM, MembershipFactory, UserFactory
from tests.portal.config.example import CONFIG, EXAMPLE, file, mistakes_of

pytestmark = pytest.mark.django_db


def test_the_example_of_the_documentation(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "atrium.yaml"
    path.write_text(EXAMPLE)
    call_command("apply", str(path))
    said = capsys.readouterr().out
    assert "+ providers.acme\n" in said
    assert "    price: {input: '0.15', cached_input: '0.075', output: '0.60'}\n" in said
    model, team = Model.objects.get(), Team.objects.get()
    price, deployment = Price.objects.get(), model.deployments.get()
    assert (price.input, price.cached_input, price.output) == (150_000_000, 75_000_000, 600_000_000)
    assert (deployment.provider.slug, deployment.upstream_model, deployment.provider.internal) == (
        "acme",
        "gpt-4o-mini",
        True,
    )
    assert list(models_of_team(team)) == [model]
    assert dict(User.objects.values_list("email", "status")) == {
        "lead@example.com": "invited",
        "member@example.com": "invited",
    }
    assert dict(Membership.objects.values_list("user__email", "role")) == {
        "lead@example.com": "lead",
        "member@example.com": "member",
    }
    quotas = Quota.objects.filter(scope_kind="team", scope_id=team.pk).values_list("metric", "window", "capacity")
    assert set(quotas) == {("usd", "month", 50 * 10**9), ("requests", "minute", 600)}
    before = AuditEvent.objects.count(), Change.objects.count()
    call_command("apply", str(path))
    assert capsys.readouterr().out == "no changes\n"
    assert (AuditEvent.objects.count(), Change.objects.count()) == before
    assert not AuditEvent.objects.exclude(event__startswith="config:").exists()


def test_a_dry_run_says_the_same_and_writes_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "atrium.yaml"
    path.write_text(EXAMPLE)
    call_command("apply", str(path), "--dry-run")
    dry = capsys.readouterr().out
    assert not Provider.objects.exists()
    assert not AuditEvent.objects.exists()
    assert not User.objects.exists()
    call_command("apply", str(path))
    assert dry == capsys.readouterr().out + "(dry run: nothing was written)\n"


def test_what_changes_is_told_line_by_line() -> None:
    apply(EXAMPLE, actor=CONFIG)
    lines = apply(
        EXAMPLE.replace('output: "0.60"', 'output: "0.70"')
        .replace("[member@example.com]", "[other@example.com]")
        .replace("models: [chat-small]", "models: []")
        .replace('limit: "50"', 'limit: "60.5"')
        .replace(", {metric: requests, window: minute, limit: 600}", ""),
        actor=CONFIG,
    )
    assert lines == [
        "~ models.chat-small.price.output: '0.60' → '0.70'",
        "+ people.other@example.com",
        "    status: invited",
        "- teams.search.members.member@example.com (was member)",
        "+ teams.search.members.other@example.com: member",
        "- teams.search.models.chat-small",
        "- teams.search.quotas.requests minute (was 600)",
        "~ teams.search.quotas.usd month: '50.00' → '60.50'",
    ]


def test_what_the_file_does_not_mention_is_left_alone() -> None:
    apply(EXAMPLE, actor=CONFIG)
    assert apply("version: 1", actor=CONFIG) == []
    assert apply(file(models={"chat-small": {"tier": "production"}}, teams={"search": {}}), actor=CONFIG) == [
        "~ models.chat-small.tier: sandbox → production"
    ]
    assert Model.objects.get().capabilities == ["chat", "tools"]
    assert Membership.objects.count() == 2


def test_people_who_came_otherwise_stay_in_the_team() -> None:
    apply(EXAMPLE, actor=CONFIG)
    by_hand = MembershipFactory(team=Team.objects.get())
    apply(file(teams={"search": {"members": [], "leads": []}}), actor=CONFIG)
    assert list(Membership.objects.all()) == [by_hand]


def test_who_moves_from_lead_to_member_stays() -> None:
    apply(EXAMPLE, actor=CONFIG)
    apply(file(teams={"search": {"leads": ["member@example.com"], "members": ["lead@example.com"]}}), actor=CONFIG)
    assert dict(Membership.objects.values_list("user__email", "role")) == {
        "lead@example.com": "member",
        "member@example.com": "lead",
    }


def test_a_person_who_is_there_is_found_whatever_the_letters() -> None:
    UserFactory(email="lead@example.com")
    apply(EXAMPLE.replace("lead@example.com", "Lead@Example.com"), actor=CONFIG)
    assert User.objects.get(email="lead@example.com").status == User.Status.ACTIVE
    assert User.objects.count() == 2


def test_a_price_is_a_new_row_and_its_history_stays() -> None:
    apply(EXAMPLE, actor=CONFIG)
    apply(file(models={"chat-small": {"price": {"input": "1", "output": 2}}}), actor=CONFIG)
    newest, oldest = Price.objects.all()
    assert (newest.input, newest.cached_input, newest.output) == (10**9, None, 2 * 10**9)
    assert oldest.output == 600_000_000
    tomorrow = (timezone.now() + timedelta(days=1)).replace(microsecond=0)
    later = {"input": "3", "output": "4", "effective_from": tomorrow.isoformat()}
    (line,) = apply(file(models={"chat-small": {"price": later}}), actor=CONFIG)
    assert line.startswith("+ models.chat-small.price from ")
    assert apply(file(models={"chat-small": {"price": later}}), actor=CONFIG) == []


def test_a_free_model_is_said_to_be_free() -> None:
    apply(EXAMPLE, actor=CONFIG)
    apply(file(models={"chat-small": {"price": {"free": True}}}), actor=CONFIG)
    assert Price.objects.filter(free=True, input=0).count() == 1
    assert apply(file(models={"chat-small": {"price": {"free": True}}}), actor=CONFIG) == []


def test_a_secret_in_the_file_is_sealed_and_told_to_nobody() -> None:
    apply(EXAMPLE, actor=CONFIG)
    secret = "sk-live-Zq7mT4vX9pLw2"
    lines = apply(EXAMPLE.replace("{env: ACME_KEY}", f"{{value: {secret}}}"), actor=CONFIG)
    assert lines == ["~ providers.acme.credential: {env: ACME_KEY} → {sealed: true}"]
    assert read_credential(Provider.objects.get()) == secret
    lines = apply(EXAMPLE.replace("{env: ACME_KEY}", "{value: sk-live-another-secret}"), actor=CONFIG)
    assert lines == ["~ providers.acme.credential: a new secret"]
    assert apply(file(providers={"acme": {"credential": {"sealed": True}}}), actor=CONFIG) == []
    assert apply(file(providers={"acme": {"credential": None}}), actor=CONFIG) == [
        "~ providers.acme.credential: {sealed: true} → null"
    ]
    assert not Credential.objects.exists()


def test_a_provider_goes_when_it_serves_nothing() -> None:
    apply(EXAMPLE, actor=CONFIG)
    gone = {"acme": {"state": "absent"}}
    assert mistakes_of(file(providers=gone)) == [
        "providers.acme.state: Models are still deployed at acme: chat-small. Take them off first."
    ]
    lines = apply(file(providers=gone, models={"chat-small": {"deployments": []}}), actor=CONFIG)
    assert lines == [
        "- providers.acme",
        "- models.chat-small.deployments.acme gpt-4o-mini (was {weight: 1, enabled: true})",
    ]
    assert apply(file(providers=gone), actor=CONFIG) == []


def test_people_roles_and_limits_beyond_teams() -> None:
    limits = [{"metric": "usd", "window": "month", "limit": "900"}]
    text = file(
        people={"finn@example.com": {"name": "Finn", "roles": ["finance"], "quotas": limits}},
        organisation={"quotas": limits},
        models={"m": {"context_tokens": 10, "quotas": [{"metric": "requests", "window": "minute", "limit": 5}]}},
    )
    apply(text, actor=CONFIG)
    assert apply(text, actor=CONFIG) == []
    assert GlobalRole.objects.get().source == "config"
    assert set(Quota.objects.values_list("scope_kind", "metric")) == {
        ("user", "usd"),
        ("organisation", "usd"),
        ("model", "requests"),
    }
    apply(file(people={"finn@example.com": {"roles": [], "quotas": []}}, organisation={"quotas": []}), actor=CONFIG)
    assert not GlobalRole.objects.exists()
    assert set(Quota.objects.values_list("scope_kind", flat=True)) == {"model"}


def test_limits_of_an_application_are_told_and_taken_off_again() -> None:
    apply(EXAMPLE, actor=CONFIG)

    def limited(quotas: str) -> list[str]:
        return apply(EXAMPLE.replace("confidential}", f"confidential, quotas: [{quotas}]}}"), actor=CONFIG)

    (line,) = limited('{metric: usd, window: month, limit: "5"}')
    assert line.startswith("~ teams.search.applications.ranker: ") and line.endswith("quotas: {usd month: '5.00'}}")
    quota = Quota.objects.get(scope_kind="application")
    assert (quota.scope_id, quota.capacity) == (Application.objects.get(slug="ranker").pk, 5 * 10**9)
    assert apply(EXAMPLE, actor=CONFIG) == []  # not mentioned: left alone
    assert len(limited("")) == 1 and not Quota.objects.filter(scope_kind="application").exists()


def test_changing_a_limit_keeps_the_quota_and_what_is_spent() -> None:
    apply(EXAMPLE, actor=CONFIG)
    quota = Quota.objects.get(metric="usd")
    quota.balances.create(period=0, settled=7)
    apply(EXAMPLE.replace('limit: "50"', 'limit: "10"'), actor=CONFIG)
    changed = Quota.objects.get(metric="usd")
    assert (changed.pk, changed.capacity, changed.balances.get().settled) == (quota.pk, 10 * 10**9, 7)


def test_a_provider_on_loopback_must_be_internal() -> None:
    assert mistakes_of(EXAMPLE.replace(", internal: true", "")) == [
        'providers.acme.base_url: "127.0.0.1" is a private address: mark the provider as internal (it runs inside the company) to allow it'
    ]
    apply(EXAMPLE, actor=CONFIG)
    assert mistakes_of(file(providers={"acme": {"internal": False}}))[0].startswith("providers.acme.base_url: ")


def test_a_stored_secret_cannot_be_left_where_none_is() -> None:
    assert mistakes_of(EXAMPLE.replace("{env: ACME_KEY}", "{sealed: true}")) == [
        "providers.acme.credential.sealed: no secret is stored here for this provider; give env, file or value instead"
    ]
    apply(EXAMPLE, actor=CONFIG)
    set_credential(actor=SYSTEM, provider=Provider.objects.get(), value="sk-live-Zq7mT4vX9pLw2")
    assert apply(EXAMPLE.replace("{env: ACME_KEY}", "{sealed: true}"), actor=CONFIG) == []


def test_a_stored_secret_is_not_carried_to_another_host_and_a_named_one_is() -> None:
    apply(EXAMPLE, actor=CONFIG)
    moved = EXAMPLE.replace("127.0.0.1:9100", "127.0.0.1:9101")
    assert moved != EXAMPLE
    set_credential(actor=SYSTEM, provider=Provider.objects.get(), value="sk-live-Zq7mT4vX9pLw2")
    [mistake] = mistakes_of(moved.replace("{env: ACME_KEY}", "{sealed: true}"))
    assert mistake.startswith("providers.acme.base_url: This leads to another host")
    apply(moved.replace("{env: ACME_KEY}", "{value: sk-live-another-0123}"), actor=CONFIG)
    assert "9101" in Provider.objects.get().base_url
    assert read_credential(Provider.objects.get()) == "sk-live-another-0123"
    assert not FormerCredential.objects.exists()


def test_a_refusal_of_an_action_is_told_with_its_path_and_rolls_everything_back() -> None:
    UserFactory(email="boss@example.com").global_roles.create(role="platform_admin", source="config")
    found = mistakes_of(EXAMPLE + "people:\n  boss@example.com: {roles: []}\n")
    assert len(found) == 1
    assert found[0].startswith("people.boss@example.com: This is the last platform admin")
    assert not Provider.objects.exists()


def test_the_command_lists_mistakes_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "atrium.yaml"
    path.write_text(EXAMPLE.replace("models: [chat-small]", "models: [chat-large]").replace("version: 1", "version: 2"))
    with pytest.raises(CommandError) as refused:
        call_command("apply", str(path))
    assert refused.value.returncode == 1
    assert "2 mistakes; nothing was changed" in str(refused.value)
    assert "\n  version: this must be 1" in str(refused.value)
    assert '\n  teams.search.models[0]: there is no model "chat-large"' in str(refused.value)
    assert not Provider.objects.exists()


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read"), (b"\xff\xfe\x00", "not UTF-8")])
def test_a_file_that_is_no_text(content: bytes | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "atrium.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CommandError, match=words):
        call_command("apply", str(path))
