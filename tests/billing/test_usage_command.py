"""`manage.py usage` prints exactly what happened, and says in one sentence what it does not understand."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from catalog.models import Deployment, Model, Provider
from tests.factories.billing import UsageEventFactory
from tests.factories.people import ApplicationFactory, TeamFactory, UserFactory

pytestmark = pytest.mark.django_db
COLUMNS = (
    "request_id,time,team,user,key,application,model,deployment,provider,status,input_tokens,cached_tokens,"
    "output_tokens,cost_nano_usd,latency_ms,ttft_ms,estimated,units"
)


def usage(*arguments: str) -> str:
    out = io.StringIO()
    call_command("usage", *arguments, stdout=out)
    return out.getvalue()


def rows(*arguments: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(usage(*arguments))))


@pytest.fixture
def known() -> dict[str, str]:
    team, user = TeamFactory(slug="search"), UserFactory(email="member@example.com")
    application = ApplicationFactory(slug="bot", team=team)
    model = Model.objects.create(slug="chat-small", display_name="Chat", context_tokens=1000, max_output_tokens=100)
    provider = Provider.objects.create(slug="acme", name="Acme", base_url="https://acme.example/v1")
    deployment = Deployment.objects.create(model=model, provider=provider, upstream_model="gpt-4o-mini")
    return {
        "team_id": team.pk, "user_id": user.pk, "application_id": application.pk, "model_id": model.pk,
        "provider_id": provider.pk, "deployment_id": deployment.pk,
    }  # fmt: skip


def test_the_columns_are_exactly_these_and_named(known) -> None:
    at = datetime(2026, 11, 10, 12, 30, tzinfo=UTC)
    UsageEventFactory(
        **known, request_id="req_1", at=at, cached_tokens=5, cost_nano_usd=123_456_789_012, estimated=True
    )
    head, line, rest = usage().split("\n")
    assert rest == ""
    assert head == COLUMNS
    assert line == (
        "req_1,2026-11-10T12:30:00Z,search,member@example.com,key_a,bot,chat-small,gpt-4o-mini,acme,200,100,5,20,"
        "123456789012,400,120,true,"
    )


def test_json_is_one_array_of_objects_with_numbers_as_numbers(known) -> None:
    assert json.loads(usage("--format", "json")) == []
    UsageEventFactory.create_batch(3, **known)
    found = json.loads(usage("--format", "json"))
    assert [list(row) for row in found] == [COLUMNS.split(",")] * 3
    assert (found[0]["cost_nano_usd"], found[0]["estimated"], found[0]["team"]) == (27_000, False, "search")


def test_filters_narrow_and_a_day_is_included_whole(known, settings) -> None:
    settings.BILLING_TIME_ZONE = "Asia/Kathmandu"  # midnight is 18:15 UTC the day before
    for minute, request in ((14, "req_before"), (16, "req_in")):
        UsageEventFactory(request_id=request, at=datetime(2026, 11, 9, 18, minute, tzinfo=UTC), **known)
    UsageEventFactory(request_id="req_other", at=datetime(2026, 11, 10, 3, tzinfo=UTC))
    day = ("--from", "2026-11-10", "--to", "2026-11-10")
    assert [row["request_id"] for row in rows(*day)] == ["req_in", "req_other"]
    assert [row["request_id"] for row in rows(*day, "--team", "search")] == ["req_in"]
    for option in (
        ("--user", "MEMBER@example.com"), ("--model", "chat-small"), ("--provider", "acme"), ("--application", "bot"),
    ):  # fmt: skip
        assert [row["request_id"] for row in rows(*option)] == ["req_before", "req_in"], option
    assert rows("--key", "key_none") == []
    exact = rows("--from", "2026-11-09T18:16:00Z", "--to", "2026-11-10T03:00:00Z")
    assert [row["request_id"] for row in exact] == ["req_in"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "xml"], "use csv or json"),
        (["--from", "soon"], "no date; write 2026-11-01"),
        (["--from", "2026-11-02", "--to", "2026-11-01"], "--from must be before --to"),
        (["--team", "nobody"], 'There is no team "nobody"'),
        (["--user", "no@example.com"], "Write an e-mail address"),
        (["--key", "my key"], "Write a key's id"),
    ],
)
def test_what_is_not_understood_is_one_sentence(arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words) as told:
        usage(*arguments)
    assert told.value.returncode == 1
    assert "\n" not in str(told.value)


def test_formulas_are_harmless(known) -> None:
    UsageEventFactory(key_id="=1+1", team_id="@team")
    assert [(row["key"], row["team"]) for row in rows()] == [("'=1+1", "'@team")]


def test_it_reads_in_pages_and_names_in_bulk(known, django_assert_max_num_queries) -> None:
    UsageEventFactory.create_batch(40, **known)
    with django_assert_max_num_queries(8):
        assert len(rows()) == 40
