"""The quotas that a call counts against, by store, with the slices that calls like it were last served from."""

from collections.abc import Iterable

from gateway.quotas.slices import Slice
from gateway.snapshot import QuotaPolicy


class Basket:
    """Quotas of one store that are always taken of together.

    `slices` are theirs while `since` ≤ now < `until` (epoch s) and the escrow still has its `stamp`; it alone sets these.
    So nearly every call finds all its slices by two comparisons.
    """

    __slots__ = ("metrics", "quotas", "since", "slices", "stamp", "until")

    def __init__(self, quotas: Iterable[QuotaPolicy]) -> None:
        self.quotas = tuple(quotas)
        self.metrics = [quota.metric for quota in self.quotas]
        self.slices: list[Slice] = []
        self.stamp: object = None
        self.since = self.until = 0.0


class Plan:
    """What a key's calls to a model count against."""

    __slots__ = ("money", "rates")

    def __init__(self, quotas: Iterable[QuotaPolicy]) -> None:
        quotas = tuple(quotas)
        self.rates = Basket([quota for quota in quotas if quota.metric != "usd"])
        self.money = Basket([quota for quota in quotas if quota.metric == "usd"])
