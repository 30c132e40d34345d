"""Whatever quotas stand side by side: none is passed, none without step-down is left out, and a refusal holds nothing."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects import openai_chat
from gateway.dialects.members import Members
from gateway.endpoints import CHAT
from gateway.errors import BudgetError, RateError
from gateway.quotas.memory import MemoryMoneyStore
from gateway.runtime import Runtime, SystemClock
from gateway.snapshot import Price, QuotaPolicy
from gateway.stages.authorise import authorise
from gateway.stages.limit import demand_of, quotas_of
from gateway.stages.step_down import MOST_STEPS, reserve_or_step_down
from gateway.stores.memory import MemoryRateStore
from gateway.types import Call, Grant, Principal
from tests.factories import gateway as make

RATES = {"a": 9_000_000_000, "b": 5_000_000_000, "c": 5_000_000_000, "d": 1_000_000_000, "e": 10_000_000}
MODELS = [
    make.model(slug, make.deployment("http://127.0.0.1:9"), prices=(Price(f"p_{slug}", 0.0, rate, rate),))
    for slug, rate in RATES.items()
]
SLUGS = st.sampled_from([*RATES])
BODY = b'{"model":"%s","messages":[{"role":"user","content":"Hello."}],"max_tokens":100}'
SCOPES = {"organisation": "org_1", "team": "team_1", "user": "user_1", "key": "key_1"}


@st.composite
def some_quotas(draw: st.DrawFn) -> list[QuotaPolicy]:
    """Draw quotas that leave room for some calls, for none, or just for cheap ones."""
    found = []
    for number in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from([*SCOPES]))
        money = draw(st.booleans())
        found.append(
            QuotaPolicy(
                f"quota_{number}", kind, SCOPES[kind], "usd" if money else "requests", "day",  # type: ignore[arg-type]
                draw(st.sampled_from([0, 5_000, 500_000, 5_000_000]) if money else st.integers(0, 3)),
                model_id=draw(st.none() | SLUGS.map(lambda slug: f"mod_{slug}")),
                step_down_model_id=draw(st.none() | SLUGS.map(lambda slug: f"mod_{slug}")),
            )
        )  # fmt: skip
    return found


@settings(max_examples=100, deadline=None)
@given(some_quotas(), st.lists(SLUGS, min_size=1, max_size=6))
def test_every_limit_holds(quotas: list[QuotaPolicy], asked: list[str]) -> None:
    asyncio.run(check_all(quotas, asked))


async def check_all(quotas: list[QuotaPolicy], asked: list[str]) -> None:
    money, rates = MemoryMoneyStore(), MemoryRateStore()
    clock = SystemClock()
    unused: Any = None
    runtime = Runtime(
        key_ring=unused, money=money, rates=rates, journal=unused, upstream=unused, tokens=unused, incarnation="gw",
    )  # fmt: skip
    team = make.team(MODELS)
    snapshot = make.snapshot(MODELS, [team], quotas)
    principal = Principal(make.key_entry(), team)
    counted = dict.fromkeys((quota.id for quota in quotas), 0)
    for slug in asked:
        request = openai_chat.parse(Members(BODY % slug.encode()))
        grant = authorise(CHAT, principal, request, snapshot, clock.now())
        call = cast(Call, SimpleNamespace(endpoint=CHAT, grant=grant, reserved=None))
        try:
            used = await reserve_or_step_down(call, grant, runtime)
        except (BudgetError, RateError):
            assert call.reserved is None
        else:
            note(call, used, slug, quotas, counted)
        for quota in quotas:
            assert counted[quota.id] <= quota.capacity
            if quota.metric == "usd":
                assert money.held(quota.id) == counted[quota.id]


def note(call: Call, used: Grant, slug: str, quotas: list[QuotaPolicy], counted: dict[str, int]) -> None:
    """Check one admitted call, and add up what it counts against."""
    assert call.reserved is not None
    applying = {quota.id: quota for quota in quotas_of(used.principal, used.snapshot, used.model.id)}
    holds = {hold.quota_id: hold.amount for hold in call.reserved.reservation.holds}
    holds |= {part.quota.id: amount for part, amount in call.reserved.reservation.rates}
    assert holds.keys() <= applying.keys()
    assert all(applying[one].step_down_model_id for one in applying.keys() - holds.keys()), "only these let calls go on"
    demand = demand_of(used, has_output=True, cap=used.model.max_output_tokens)
    for one, amount in holds.items():
        assert amount == (demand.nano_usd if applying[one].metric == "usd" else 1)
        counted[one] += amount
    if used.model.slug == slug:
        assert not used.stepped_down
    else:
        assert used.stepped_down.endswith(f"so {used.model.slug} answers.")
        assert RATES[used.model.slug] <= RATES[slug], "nothing steps up"
        assert used.model.id in {quota.step_down_model_id for quota in quotas}


@given(st.integers(1, 12))
@settings(max_examples=12, deadline=None)
def test_a_long_chain_ends(length: int) -> None:
    slugs = [f"m{number}" for number in range(length + 1)]
    models = [
        make.model(slug, make.deployment("http://127.0.0.1:9"), prices=(Price(f"p_{slug}", 0.0, rate, rate),))
        for rate, slug in zip(range((length + 1) * 10**7, 0, -(10**7)), slugs, strict=False)
    ]
    quotas = [
        QuotaPolicy(
            f"q{n}", "team", "team_1", "usd", "day", 0, model_id=f"mod_m{n}", step_down_model_id=f"mod_m{n + 1}"
        )
        for n in range(length)
    ]
    team, unused = make.team(models), cast(Any, None)
    runtime = Runtime(
        key_ring=unused, money=MemoryMoneyStore(), rates=MemoryRateStore(), journal=unused, upstream=unused,
        tokens=unused, incarnation="gw",
    )  # fmt: skip
    principal, snapshot = Principal(make.key_entry(), team), make.snapshot(models, [team], quotas)
    grant = authorise(CHAT, principal, openai_chat.parse(Members(BODY % b"m0")), snapshot, SystemClock().now())
    call = cast(Call, SimpleNamespace(endpoint=CHAT, grant=grant, reserved=None))
    try:
        used = asyncio.run(reserve_or_step_down(call, grant, runtime))
    except BudgetError:
        assert length > MOST_STEPS
    else:
        assert length <= MOST_STEPS
        assert used.model.slug == slugs[-1]
