"""The ledger of money: what is out never passes the capacity, whoever asks, in whatever order."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import escrow
from billing.models import Balance, Lease, Quota
from gateway.quotas.escrow import SLICE_OF_REMAINDER, Ask
from gateway.quotas.slices import Standing
from tests.factories.billing import QuotaFactory

PERIOD = 1_000


def quota(capacity: int, scope_id: str = "team_a") -> Quota:
    return Quota.objects.create(scope_kind="team", scope_id=scope_id, metric="usd", window="month", capacity=capacity)


def ask(of: Quota, need: int, spare: int = 0) -> Ask:
    return Ask(of.pk, PERIOD, of.capacity, need, spare)


def lease(who: str, *asks: Ask) -> tuple[dict[escrow.Slot, Standing], Ask | None]:
    """Lease for one caller."""
    (refused,), standings = escrow.lease(who, [asks])
    return standings, refused


@pytest.mark.django_db
def test_grants_all_or_none() -> None:
    wide, tight = quota(100), quota(10, "team_b")
    standings, refused = lease("gw_1", ask(wide, 50), ask(tight, 11))
    assert refused is not None and refused.quota_id == tight.pk
    assert standings[wide.pk, PERIOD].granted == 0
    assert not Lease.objects.filter(amount__gt=0).exists()


@pytest.mark.django_db
def test_a_refusal_marks_the_balance_wanted_and_holders_hear_of_it() -> None:
    tight = quota(10)
    lease("gw_1", ask(tight, 10))
    lease("gw_2", ask(tight, 1))
    row = Balance.objects.get()
    assert row.wanted_until is not None
    assert escrow.wanted_now() == [(tight.pk, PERIOD)]
    Balance.objects.update(wanted_until=row.wanted_until - timedelta(seconds=10))
    assert escrow.wanted_now() == []


@pytest.mark.django_db
def test_callers_who_wait_are_served_in_one_transaction(django_assert_max_num_queries: Any) -> None:
    of = quota(100)
    lease("gw_1", ask(of, 1))
    with django_assert_max_num_queries(8):
        refused, standings = escrow.lease("gw_1", [[ask(of, 40)], [ask(of, 60)], [ask(of, 50)], [ask(of, 10)]])
    assert [tight is None for tight in refused] == [True, False, True, False]
    assert standings[of.pk, PERIOD] == Standing(0, 91, 90)
    assert Lease.objects.get().amount == 91


@pytest.mark.django_db
def test_spare_is_given_only_while_plenty_is_left() -> None:
    of = quota(1_600)
    standings, _ = lease("gw_1", ask(of, 10, spare=1_000))
    assert standings[of.pk, PERIOD].granted == 10 + (1_600 - 10) // SLICE_OF_REMAINDER
    lease("gw_1", ask(of, 1_400))
    _, refused = lease("gw_2", ask(of, 200))
    assert refused is not None
    standings, _ = lease("gw_2", ask(of, 10, spare=1_000))
    assert standings[of.pk, PERIOD].granted == 10, "somebody waits for this balance: no spare"


@pytest.mark.django_db
def test_settling_moves_from_leased_to_settled_and_an_overrun_is_debt() -> None:
    of = quota(100)
    lease("gw_1", ask(of, 40))
    assert escrow.settle("gw_1", {(of.pk, PERIOD): 30}) == {(of.pk, PERIOD): 30}
    assert escrow.settle("gw_1", {(of.pk, PERIOD): 90}) == {(of.pk, PERIOD): 10}
    row = Balance.objects.get()
    assert (row.settled, row.leased) == (120, 0)
    _, refused = lease("gw_1", ask(of, 1))
    assert refused is not None


@pytest.mark.django_db
def test_a_dead_process_frees_its_leases_and_only_its_own() -> None:
    of = quota(100)
    lease("gw_1", ask(of, 40))
    lease("gw_2", ask(of, 30))
    escrow.free_all("gw_1")
    assert Balance.objects.get().leased == 30
    escrow.free_all("gw_1")
    assert Balance.objects.get().leased == 30


@pytest.mark.django_db
def test_a_deleted_quota_limits_nothing_and_breaks_nothing() -> None:
    of = quota(100)
    gone = Ask("quota_gone", PERIOD, 5, 5)
    standings, refused = lease("gw_1", ask(of, 40), gone)
    assert refused is None and (gone.quota_id, PERIOD) not in standings
    assert escrow.settle("gw_1", {(of.pk, PERIOD): 1, ("quota_gone", PERIOD): 1}) == {(of.pk, PERIOD): 1}


Step = st.tuples(
    st.sampled_from(["lease", "back", "settle", "die"]), st.sampled_from(["gw_1", "gw_2"]), st.integers(1, 60)
)


@pytest.mark.django_db
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(Step, max_size=25))
def test_any_order_of_steps_keeps_the_books(steps: list[tuple[str, str, int]]) -> None:
    Quota.objects.all().delete()
    of = quota(100)
    held = {"gw_1": 0, "gw_2": 0}
    settled = 0
    for kind, who, amount in steps:
        if kind == "lease":
            standings, refused = lease(who, ask(of, amount, spare=amount))
            held[who] += 0 if refused else standings[of.pk, PERIOD].granted
        elif kind == "back" and held[who]:
            amount = min(amount, held[who])
            escrow.give_back(who, {(of.pk, PERIOD): amount})
            held[who] -= amount
        elif kind == "settle" and held[who]:
            amount = min(amount, held[who])
            escrow.settle(who, {(of.pk, PERIOD): amount})
            held[who] -= amount
            settled += amount
        elif kind == "die":
            escrow.free_all(who)
            held[who] = 0
        row = Balance.objects.filter(quota=of).first()
        if row is not None:
            assert (row.settled, row.leased) == (settled, sum(held.values()))
            assert row.settled + row.leased <= of.capacity


@pytest.mark.django_db(transaction=True)
def test_many_processes_at_once_never_pass_the_capacity() -> None:
    of = quota(1_000)
    begin = threading.Barrier(8)

    def take(number: int) -> int:
        begin.wait()
        granted = 0
        try:
            for _ in range(30):
                standings, refused = lease(f"gw_{number}", ask(of, 7))
                granted += 0 if refused else standings[of.pk, PERIOD].granted
        finally:
            connection.close()
        return granted

    with ThreadPoolExecutor(8) as pool:
        granted = sum(pool.map(take, range(8)))
    assert granted == 1_000 // 7 * 7, "neither more than fits nor a refusal while it fits"
    assert Balance.objects.get().leased == granted


@pytest.mark.django_db
def test_balances_of_short_windows_are_forgotten_and_no_others() -> None:
    kept = []
    for window in ("second", "minute", "hour", "day", "total"):
        of = QuotaFactory(window=window)
        old = Balance.objects.create(quota=of, period=100, settled=7)
        kept.append(Balance.objects.create(quota=of, period=200, settled=7).pk)
        if window in {"day", "total"}:
            kept.append(old.pk)
        held = Balance.objects.create(quota=of, period=50, settled=7, leased=5)
        Lease.objects.create(balance=held, incarnation="gw_1", amount=5)
        kept.append(held.pk)
    assert escrow.forget_balances(200, batch=2) == 3
    assert escrow.forget_balances(200, batch=2) == 0
    assert set(Balance.objects.values_list("pk", flat=True)) == set(kept)
