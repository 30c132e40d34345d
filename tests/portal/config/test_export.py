"""export: what apply takes without a change, and what makes the same installation again."""

import io
from copy import deepcopy
from typing import Any

import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from billing.models import Quota
from catalog.actions.credentials import set_credential
from catalog.models import Alias, Deployment, Model, Price, Provider, TeamModel
from gateway.money import format_usd
from portal.config.apply import apply
from portal.config.export import export
from portal.config.prices import UNIT_NAMES
from portal.people.models import Application, GlobalRole, Membership, Team, User
from tests.factories.people import SYSTEM
from tests.portal.config.example import CONFIG, EXAMPLE, file

pytestmark = pytest.mark.django_db
SECRET = "sk-live-Zq7mT4vX9pLw2"


def forget_everything() -> None:
    for table in (
        TeamModel,
        Alias,
        Price,
        Deployment,
        Model,
        Provider,
        Quota,
        Membership,
        GlobalRole,
        Application,
        Team,
        User,
    ):
        table.objects.all().delete()  # type: ignore[attr-defined]


def test_the_example_comes_back() -> None:
    apply(EXAMPLE, actor=CONFIG)
    out = io.StringIO()
    call_command("export", stdout=out)
    assert apply(out.getvalue(), actor=CONFIG) == []
    assert "deployments:\n      - {provider: acme, model: gpt-4o-mini, weight: 1}" in out.getvalue()
    assert "credential: {env: ACME_KEY}" in out.getvalue()


def test_an_empty_installation_exports_a_file_that_can_be_applied() -> None:
    assert apply(export(), actor=CONFIG) == []


def test_a_stored_secret_is_named_and_not_told() -> None:
    apply(EXAMPLE, actor=CONFIG)
    set_credential(actor=SYSTEM, provider=Provider.objects.get(), value=SECRET)
    text = export()
    assert "credential: {sealed: true}" in text
    assert SECRET not in text
    assert SECRET[-4:] not in text
    assert apply(text, actor=CONFIG) == []


WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=30)
NAMES = WORDS.filter(lambda text: bool(text.strip()) and text == " ".join(text.split()))
TRICKY = st.sampled_from(
    [
        "no",
        "yes",
        "null",
        "~",
        "1",
        "1.5",
        "0x1F",
        "2026-01-01",
        "- a",
        "a: b",
        "#x",
        "'",
        '"',
        "{a}",
        "=",
        "1:30",
        "0E0",
        "1.5e3",
    ]
)
SLUGS = st.from_regex(r"[a-z][a-z0-9_-]{0,12}", fullmatch=True) | st.sampled_from(
    ["no", "null", "123", "1-2", "on", "true"]
)
MODEL_SLUGS = SLUGS | st.sampled_from(["gpt-4.1", "acme/chat", "1.5", "a:b", "x@y"])
USD = st.decimals(min_value="0.000000001", max_value=9_000_000, places=9).map(lambda d: f"{d:f}")
EMAILS = st.sampled_from([f"{name}@example.com" for name in ("no", "ada", "1", "null.x", "o'neil")])


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


FALLBACK, DEAR = "z-small", "z-large"  # in every file: what calls go on with, and what pairs are about
FIXED = {
    FALLBACK: {"context_tokens": 5, "price": {"free": True}},
    DEAR: {"context_tokens": 5, "price": {"input": "9", "output": "9"}},
}
UNIT_USD = st.integers(1, 10**12).map(format_usd)
UNITS = st.dictionaries(st.sampled_from([*UNIT_NAMES]), UNIT_USD, min_size=1)
LONG = st.fixed_dictionaries(
    {"above": st.integers(1, 1000), "input": USD, "output": USD},
    optional={"cached_input": USD, "cache_write": USD, "units": UNITS},
)
PRICE = (
    st.just({"free": True})
    | st.fixed_dictionaries({"units": UNITS})
    | st.fixed_dictionaries(
        {"input": USD, "output": USD},
        optional={
            "cached_input": USD, "cache_write": USD, "request": USD, "units": UNITS, "long": LONG,
            "batch_percent": st.integers(0, 100), "source": NAMES | TRICKY,
        },
    )
)  # fmt: skip
QUOTAS = st.lists(
    st.fixed_dictionaries(
        {"metric": st.just("usd"), "window": st.sampled_from(["month", "day", "quarter", "hour"]), "limit": USD},
        optional={
            "step_down": st.just(FALLBACK), "model": st.just(DEAR),
            "notify": st.lists(st.integers(1, 100), max_size=3, unique=True).map(sorted),
        },
    )
    | st.fixed_dictionaries(
        {
            "metric": st.sampled_from(["requests", "input_tokens", "output_tokens", "total_tokens"]),
            "window": st.sampled_from(["second", "minute", "week", "total"]), "limit": st.integers(0, 10**12),
        },
        optional={"step_down": st.just(FALLBACK), "model": st.just(DEAR)},
    ),
    max_size=3,
    unique_by=lambda quota: (quota["metric"], quota["window"], quota.get("model", "")),
)  # fmt: skip
PROVIDER = st.fixed_dictionaries(
    {"base_url": st.sampled_from(["https://api.example.com/v1", "https://1.1.1.1:8443"])},
    optional={
        "name": NAMES | TRICKY, "region": NAMES | TRICKY, "internal": st.booleans(), "enabled": st.booleans(),
        "credential": st.sampled_from([{"env": "ACME_KEY"}, {"file": "/run/secrets/acme key"}, None]),
        "auth": st.sampled_from(["", "x-api-key", "none"]),
        "data_classes": st.lists(st.sampled_from(["public", "internal"]), unique=True),
    },
)  # fmt: skip
MODEL = st.fixed_dictionaries(
    {"context_tokens": st.integers(1, 10**8)},
    optional={
        "name": NAMES | TRICKY, "description": WORDS | st.just("two\nlines: and # more"), "vendor": TRICKY, "owner": TRICKY,
        "tier": st.sampled_from(["sandbox", "production", "high-risk"]), "stage": st.sampled_from(["preview", "retired"]),
        "retires_on": st.dates().map(lambda day: day.isoformat()), "max_output_tokens": st.integers(0, 10**8),
        "capabilities": st.lists(st.sampled_from(["chat", "tools", "embeddings"]), unique=True),
        "data_classes": st.lists(st.sampled_from(["public", "restricted"]), unique=True),
        "price": PRICE, "quotas": QUOTAS,
    },
)  # fmt: skip
SECONDS = st.integers(1, 3600)
PLACE = some(
    weight=st.integers(0, 9), enabled=st.booleans(), region=NAMES, price=PRICE,
    data_classes=st.lists(st.sampled_from(["public", "restricted"]), unique=True),
    timeouts=some(connect=SECONDS, first_byte=SECONDS, idle=SECONDS, total=SECONDS),
)  # fmt: skip
WHEN = some(
    metadata=st.dictionaries(NAMES | TRICKY, WORDS, max_size=2), least_prompt_tokens=st.integers(0, 10),
    most_prompt_tokens=st.integers(10, 20), data_classes=st.lists(st.sampled_from(["public", "internal"]), unique=True),
)  # fmt: skip
ROUTE = some(
    strategy=st.sampled_from(["ordered", "cheapest", "weighted"]), retries=st.integers(0, 10), retry_within_s=SECONDS,
    regions=st.lists(NAMES | TRICKY, max_size=2),
    rules=st.lists(
        st.fixed_dictionaries({"name": NAMES | TRICKY, "regions": st.lists(NAMES, min_size=1, max_size=2)}, optional={"when": WHEN}),
        max_size=2, unique_by=lambda rule: rule["name"].strip().lower(),
    ),
    fallbacks=st.just([{"model": FALLBACK, "on": ["error"]}]),
)  # fmt: skip
APPLICATION = some(name=NAMES | TRICKY, data_class=st.sampled_from(["", "internal"]), quotas=QUOTAS)
TEAM = some(
    name=NAMES, cost_centre=NAMES, status=st.sampled_from(["active", "blocked"]), quotas=QUOTAS,
    applications=st.dictionaries(SLUGS, APPLICATION, max_size=2),
    leads=st.lists(EMAILS, unique=True, max_size=2),
)  # fmt: skip
PERSON = some(roles=st.sampled_from([[], ["finance"], ["finance", "auditor"]]), quotas=QUOTAS)
FILES = st.fixed_dictionaries(
    {
        "providers": st.dictionaries(SLUGS, PROVIDER, max_size=3), "models": st.dictionaries(MODEL_SLUGS, MODEL, max_size=3),
        "teams": st.dictionaries(SLUGS, TEAM, max_size=3),
        "people": st.dictionaries(EMAILS, PERSON, max_size=2),
    }
)  # fmt: skip


@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(FILES, st.data())
def test_export_is_applied_without_a_change_and_makes_the_same_again(
    sections: dict[str, Any], data: st.DataObject
) -> None:
    forget_everything()
    for model in sections["models"].values():
        for quota in model.get("quotas", []):
            quota.pop("model", None), quota.pop("step_down", None)
        model["quotas"] = list({(one["metric"], one["window"]): one for one in model.get("quotas", [])}.values())
    sections["models"] |= deepcopy(FIXED)
    for model in sections["models"].values():
        if sections["providers"]:
            where, name = data.draw(st.sampled_from(sorted(sections["providers"]))), data.draw(NAMES)
            model["deployments"] = [{"provider": where, "model": name} | data.draw(PLACE)]
            model["deployments"] += [{"provider": where, "model": name + "2"}]
            if model.get("context_tokens") != 5:
                canary = {"canary": {"deployment": f"{where}/{name}", "percent": data.draw(st.floats(0, 100))}}
                model["route"] = data.draw(ROUTE) | data.draw(st.sampled_from([{}, canary]))
    sections["aliases"] = data.draw(st.sampled_from([{}, {"an-alias": DEAR, "2.5": FALLBACK}]))
    for team in sections["teams"].values():
        if sections["models"]:
            team["models"] = data.draw(st.lists(st.sampled_from(sorted(sections["models"])), unique=True))
    apply(file(**sections), actor=CONFIG)
    assert apply(file(**sections), actor=CONFIG) == []
    text = export()
    assert apply(text, actor=CONFIG) == []
    forget_everything()
    apply(text, actor=CONFIG)
    assert export() == text
