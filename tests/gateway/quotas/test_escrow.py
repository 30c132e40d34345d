"""The escrow's books: whatever happens in whatever order, nothing passes a capacity, and nothing that fits is refused."""

from collections import Counter
from dataclasses import dataclass, field, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from gateway.quotas.baskets import Basket
from gateway.quotas.escrow import SLICE_OF_REMAINDER, Account, Ask, Escrow, decide
from gateway.quotas.slices import Slice, Slot, Standing
from gateway.snapshot import QuotaExtra, QuotaPolicy
from tests.gateway.stores.quotas import NOW, quota

MINUTE = 60
WIDE, TIGHT = quota("wide", "usd", 1_000), quota("tight", "total_tokens", 100)


def bounds(of: QuotaPolicy, now: float) -> tuple[int, int]:
    start = int(now // MINUTE) * MINUTE
    return start, start + MINUTE


def lease(escrow: Escrow, of: QuotaPolicy, now: float, granted: int, others: int = 0) -> None:
    part = escrow.slice_of(of, now)
    part.granted(Standing(0, part.leased + granted + others, granted), 0.0)


def test_what_is_in_hand_is_handed_out_and_no_more() -> None:
    escrow = Escrow(bounds, lapses=True)
    assert escrow.take([(WIDE, 1)], NOW) is None
    lease(escrow, WIDE, NOW, 10, others=200)
    taken = escrow.take([(WIDE, 10)], NOW)
    assert taken is not None
    [(part, amount)] = taken
    assert (part.capacity, part.left, part.start, amount) == (1_000, 790, 1_800_000_000, 10)
    assert escrow.take([(WIDE, 1)], NOW) is None
    escrow.free((WIDE.id, 1_800_000_000), 4)
    assert escrow.take([(WIDE, 4)], NOW) is not None
    assert escrow.take([(WIDE, 0)], NOW) is not None, "nothing always fits"


def test_all_or_none() -> None:
    escrow = Escrow(bounds, lapses=True)
    lease(escrow, WIDE, NOW, 10)
    lease(escrow, TIGHT, NOW, 5)
    assert escrow.take([(WIDE, 6), (TIGHT, 6)], NOW) is None
    assert escrow.take([(WIDE, 10), (TIGHT, 5)], NOW) is not None


def test_a_basket_serves_what_its_quotas_would() -> None:
    escrow, basket = Escrow(bounds, lapses=False), Basket([WIDE, TIGHT])
    lease(escrow, WIDE, NOW, 10)
    lease(escrow, TIGHT, NOW, 5)
    assert escrow.in_hand(basket, {"usd": 6, "total_tokens": 6}, NOW) is None
    assert escrow.in_hand(basket, {"usd": 0, "total_tokens": 0}, NOW + 60) is not None, "nothing always fits"
    parts = escrow.in_hand(basket, {"usd": 6, "total_tokens": 5}, NOW)
    assert parts is not None
    assert [(part.quota.id, part.start, part.reserved, need) for part, need in parts] == [
        ("wide", 1_800_000_000, 0, 6),
        ("tight", 1_800_000_000, 0, 5),
    ], "it only looks"
    escrow.book(parts)
    assert escrow.in_hand(basket, {"usd": 1, "total_tokens": 1}, NOW) is None
    assert escrow.in_hand(basket, {"usd": 4, "total_tokens": 0}, NOW) is not None
    assert escrow.in_hand(basket, {"usd": 4, "total_tokens": 0}, NOW + 60) is None, "that window is empty"


def test_a_basket_lets_go_of_a_slice_that_was_dropped() -> None:
    escrow, basket = Escrow(bounds, lapses=False), Basket([WIDE])
    [(dropped, _)] = escrow.in_hand(basket, {"usd": 0}, NOW) or []
    escrow.tidy(40.0, 30.0)
    assert not escrow.slices
    [(part, _)] = escrow.in_hand(basket, {"usd": 0}, NOW) or []
    assert part is not dropped
    assert escrow.slices == {part.slot: part}


def test_a_basket_holds_to_its_version_of_a_quota() -> None:
    """A call under way may still take by the old version; the next one by the new is not to find that one's capacity."""
    escrow, lowered = Escrow(bounds, lapses=False), replace(WIDE, capacity=500)
    basket = Basket([lowered])
    escrow.in_hand(basket, {"usd": 0}, NOW)
    escrow.take([(WIDE, 0)], NOW)
    [(part, _)] = escrow.in_hand(basket, {"usd": 0}, NOW) or []
    assert (part.quota, part.capacity) == (lowered, 500)


def test_a_new_window_is_another_slice_and_what_comes_back_late_is_the_old_ones() -> None:
    escrow = Escrow(bounds, lapses=True)
    lease(escrow, WIDE, NOW, 10)
    escrow.take([(WIDE, 10)], NOW)
    assert escrow.take([(WIDE, 1)], NOW + 31) is None
    escrow.free((WIDE.id, 1_800_000_000), 10)
    assert escrow.take([(WIDE, 1)], NOW + 31) is None
    assert escrow.take([(WIDE, 1)], NOW + 29) is not None, "a clock that goes back finds the old window again"


def test_an_ended_window_lapses_where_it_may() -> None:
    for lapses in (True, False):
        escrow = Escrow(bounds, lapses=lapses)
        lease(escrow, WIDE, NOW, 10)
        escrow.take([(WIDE, 3)], NOW)
        escrow.slice_of(WIDE, NOW + 3 * MINUTE)
        assert ((WIDE.id, 1_800_000_000) in escrow.slices) is not lapses


def test_a_lowered_capacity_recalls_what_is_free_and_a_raised_one_or_another_edit_nothing() -> None:
    escrow = Escrow(bounds, lapses=True)
    lease(escrow, WIDE, NOW, 100)
    escrow.take([(WIDE, 30)], NOW)
    for edited in (replace(WIDE, step_down_model_id="mod_cheap"), replace(WIDE, capacity=2_000)):
        assert escrow.take([(edited, 10)], NOW) is not None
        assert not escrow.owed
    assert escrow.take([(replace(WIDE, capacity=500), 1)], NOW) is None
    assert escrow.owed == {(WIDE.id, 1_800_000_000): 50}


def test_an_extra_that_ends_recalls_too() -> None:
    extended = replace(TIGHT, extras=(QuotaExtra(100, 0.0, NOW + 10),))
    escrow = Escrow(bounds, lapses=True)
    lease(escrow, extended, NOW, 150)
    assert escrow.take([(extended, 60)], NOW + 9) is not None
    assert escrow.take([(extended, 60)], NOW + 10) is None
    assert escrow.owed == {(TIGHT.id, 1_800_000_000): 90}


def test_a_slice_is_topped_up_before_it_is_dry_and_once() -> None:
    escrow = Escrow(bounds, lapses=True)
    lease(escrow, WIDE, NOW, 20)
    for _ in range(10):
        escrow.take([(WIDE, 1)], NOW)
    assert not escrow.thin
    escrow.take([(WIDE, 1)], NOW)
    assert escrow.thin == {(WIDE.id, 1_800_000_000)}
    escrow.thin.clear()
    escrow.take([(WIDE, 1)], NOW)
    assert not escrow.thin


def test_slices_follow_recent_use() -> None:
    escrow = Escrow(bounds, lapses=True)
    lease(escrow, WIDE, NOW, 1_000)
    part = escrow.slice_of(WIDE, NOW)
    part.lot = 0
    for _ in range(500):
        escrow.take([(WIDE, 1)], NOW)
    assert part.spare(1, 1.0) == 500, "about a second's worth"
    escrow.tidy(1.0, 30.0)
    assert part.spare(1, 2.0) == 20, "or twenty calls'"


def test_idle_slices_are_found_and_empty_ones_forgotten() -> None:
    escrow = Escrow(bounds, lapses=False)
    lease(escrow, WIDE, NOW, 10)
    part = escrow.slice_of(WIDE, NOW)
    escrow.take([(WIDE, 1)], NOW)
    escrow.tidy(5.0, 30.0)
    escrow.tidy(34.0, 30.0)
    assert not escrow.owed
    escrow.tidy(35.0, 30.0)
    assert escrow.owed == {part.slot: 9}
    escrow.owed.clear()
    escrow.tidy(36.0, 30.0)
    assert escrow.slices, "what is in flight is remembered"
    escrow.free(part.slot, 1)
    escrow.tidy(37.0, 30.0)
    assert escrow.owed == {part.slot: 1} and escrow.slices
    escrow.owed.clear()
    escrow.tidy(38.0, 30.0)
    assert not escrow.slices


def test_a_round_through_very_many_slices_takes_several_steps() -> None:
    escrow = Escrow(bounds, lapses=False)
    for number in range(1_200):
        lease(escrow, quota(f"q{number}", "usd", 100), NOW, 10)
    assert [escrow.tidy(40.0, 30.0) for _ in range(3)] == [False, False, True]
    assert len(escrow.owed) == 1_200


def test_what_calls_give_back_is_not_hoarded() -> None:
    escrow = Escrow(bounds, lapses=True)
    lease(escrow, WIDE, NOW, 10)
    escrow.take([(WIDE, 10)], NOW)
    part = escrow.slice_of(WIDE, NOW)
    part.reserved += 500
    lease(escrow, WIDE, NOW, 504)
    escrow.free(part.slot, 505)
    escrow.take([(WIDE, 10)], NOW)
    escrow.tidy(1.0, 30.0)
    assert (part.free, escrow.owed) == (10, {part.slot: 489}), "a second's use stays"
    escrow.owed.clear()
    escrow.free(part.slot, 5)
    escrow.tidy(2.0, 30.0)
    assert (part.free, escrow.owed) == (4, {part.slot: 11}), "and later what was worth having"


def test_spare_is_a_sixteenth_of_the_remainder_and_none_where_anybody_waits() -> None:
    slot = ("q", 0)
    plenty, waited = {slot: Account(0)}, {slot: Account(0, wanted=True)}
    bids = [[Ask("q", 0, 1_600, 0, 5_000)]]
    assert decide(bids, plenty) == decide(bids, waited) == [None]
    assert (plenty[slot].granted, waited[slot].granted) == (1_600 // SLICE_OF_REMAINDER, 0)


@dataclass(eq=False)
class Process:
    """A gateway process: its escrow, and the calls that hold something of it."""

    escrow: Escrow = field(default_factory=lambda: Escrow(bounds, lapses=False))
    baskets: dict[tuple[int, ...], Basket] = field(default_factory=dict)
    unsettled: Counter[Slot] = field(default_factory=Counter)


@dataclass(frozen=True)
class Held:
    """One call's reservation."""

    process: Process
    holds: tuple[tuple[Slot, int], ...]


class Books(RuleBasedStateMachine):
    """Three processes over one store that leases, settles and reclaims. The store is simple, so that it is right."""

    held = Bundle("held")

    @initialize()
    def begin(self) -> None:
        self.now, self.at = NOW, 0.0
        self.quotas = {of.id: of for of in (WIDE, TIGHT)}
        self.processes = [Process() for _ in range(3)]
        self.settled: Counter[Slot] = Counter()
        self.leases: dict[Slot, Counter[int]] = {}

    def out(self, slot: Slot) -> int:
        return self.settled[slot] + sum(self.leases.get(slot, Counter()).values())

    def grant(self, who: int, asks: list[Ask]) -> Ask | None:
        """Do what a store does in one step."""
        accounts = {ask[:2]: Account(self.out(ask[:2])) for ask in asks}
        before = {slot: account.out for slot, account in accounts.items()}
        (refused,) = decide([asks], accounts)
        for ask in asks:
            slot, granted = ask[:2], accounts[ask[:2]].granted
            assert granted == 0 or before[slot] + granted <= ask.capacity
            self.leases.setdefault(slot, Counter())[who] += granted
            self.processes[who].escrow.slices[slot].granted(
                Standing(self.settled[slot], self.out(slot) - self.settled[slot], granted), self.at
            )
        return refused

    def give_back(self, who: int) -> None:
        owed, self.processes[who].escrow.owed = self.processes[who].escrow.owed, {}
        for slot, amount in owed.items():
            self.leases[slot][who] -= amount

    def short(self, who: int, asks: list[tuple[QuotaPolicy, int]]) -> list[Ask]:
        parts = [(self.processes[who].escrow.slice_of(of, self.now), need) for of, need in asks]
        self.give_back(who)
        return [
            Ask(*part.slot, part.capacity, need - part.free, part.spare(need, self.at))
            for part, need in parts
            if need > part.free
        ]

    @rule(
        target=held,
        who=st.integers(0, 2),
        wide=st.integers(1, 400),
        tight=st.none() | st.integers(1, 60),
    )
    def take(self, who: int, wide: int, tight: int | None) -> object:
        asks = [(self.quotas["wide"], wide)] + ([(self.quotas["tight"], tight)] if tight else [])
        escrow = self.processes[who].escrow
        taken = self.at_once(who, asks)
        if taken is None and self.grant(who, self.short(who, asks)) is not None:
            for other, process in enumerate(self.processes):  # it is wanted now: whatever is free goes back
                process.escrow.lower(process.escrow.wanted(tuple(process.escrow.slices)))
                self.give_back(other)
            if self.grant(who, self.short(who, asks)) is not None:
                assert not self.fits(asks), "a false refusal"
                return multiple()
        if taken is None:
            taken = escrow.take(asks, self.now)
        assert taken is not None, "granted, and yet not in hand"
        assert [(part.quota.id, amount) for part, amount in taken] == [(of.id, need) for of, need in asks]
        return Held(self.processes[who], tuple((part.slot, amount) for part, amount in taken))

    def at_once(self, who: int, asks: list[tuple[QuotaPolicy, int]]) -> list[tuple[Slice, int]] | None:
        """Take as nearly every call does: by the basket of its quotas."""
        process = self.processes[who]
        key = tuple(id(of) for of, _ in asks)  # a basket keeps its quotas, so these stay theirs
        basket = process.baskets.setdefault(key, Basket(of for of, _ in asks))
        parts = process.escrow.in_hand(basket, {of.metric: need for of, need in asks}, self.now)
        if parts is not None:
            process.escrow.book(parts)
        return parts

    def fits(self, asks: list[tuple[QuotaPolicy, int]]) -> bool:
        """Say whether everything promised and spent leaves room, wherever it lies."""
        for of, need in asks:
            slot = (of.id, bounds(of, self.now)[0])
            reserved = sum(p.escrow.slices[slot].reserved for p in self.processes if slot in p.escrow.slices)
            dead = self.leases.get(slot, Counter())[-1]
            if self.settled[slot] + reserved + dead + need > self.quotas[of.id].capacity:
                return False
        return True

    @rule(call=consumes(held), share=st.floats(0, 1))
    def end(self, call: Held, share: float) -> None:
        """A call ends: what it did not spend is free at once, what it spent stays until it is settled."""
        for slot, amount in call.holds:
            spent = int(amount * share)
            call.process.escrow.free(slot, amount - spent)
            call.process.unsettled[slot] += spent

    @rule(who=st.integers(0, 2))
    def settle(self, who: int) -> None:
        process = self.processes[who]
        for slot, cost in process.unsettled.items():
            self.leases[slot][who] -= cost
            self.settled[slot] += cost
            part = process.escrow.free(slot, cost)
            assert part is not None
            part.leased -= cost
        process.unsettled.clear()

    @rule(who=st.integers(0, 2), passed=st.sampled_from([1.0, 40.0]))
    def lie_idle(self, who: int, passed: float) -> None:
        self.at += passed
        escrow = self.processes[who].escrow
        escrow.tidy(self.at, 30.0)
        self.give_back(who)

    @rule(name=st.sampled_from(["wide", "tight"]), capacity=st.integers(0, 1_500))
    def edit(self, name: str, capacity: int) -> None:
        self.quotas[name] = replace(self.quotas[name], capacity=capacity)

    @rule(passed=st.sampled_from([1.0, 61.0]))
    def time_passes(self, passed: float) -> None:
        self.now += passed

    @rule(who=st.integers(0, 2), recovered=st.booleans())
    def die(self, who: int, recovered: bool) -> None:
        """A process dies; another takes its place. Its lease is charged in full, or freed but for what was promised."""
        process, self.processes[who] = self.processes[who], Process()
        for slot, leases in self.leases.items():
            amount, part = leases.pop(who, 0), process.escrow.slices.get(slot)
            if recovered:
                self.settled[slot] += part.reserved if part is not None else 0
            else:
                leases[-1] += amount

    @invariant()
    def the_store_knows_of_every_slice(self) -> None:
        for who, process in enumerate(self.processes):
            for slot, part in process.escrow.slices.items():
                owed = process.escrow.owed.get(slot, 0)
                assert self.leases.get(slot, Counter())[who] == part.leased + owed
                assert part.reserved <= part.leased, "promised more than is held"

    @invariant()
    def nothing_is_out_twice(self) -> None:
        for slot, leases in self.leases.items():
            assert all(amount >= 0 for amount in leases.values()), slot


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
