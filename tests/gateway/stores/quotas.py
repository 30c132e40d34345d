"""Quotas for store tests."""

from gateway.snapshot import Metric, QuotaExtra, QuotaPolicy, Window

NOW = 1_800_000_030.0  # half a minute into a minute


def quota(
    name: str = "q1",
    metric: Metric = "requests",
    capacity: int = 10,
    window: Window = "minute",
    extras: tuple[QuotaExtra, ...] = (),
) -> QuotaPolicy:
    """Return a team's quota."""
    return QuotaPolicy(name, "team", "team_1", metric, window, capacity, extras)
