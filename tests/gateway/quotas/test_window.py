"""Windows tile time: each instant is in exactly one, whatever the clocks of the place do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.quotas.window import bounds, bounds_of
from gateway.snapshot import UNSET, QuotaPolicy, Window

ZONES = [
    "UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Sao_Paulo",  # Sao Paulo skipped midnights
    "America/St_Johns",  # turned its clocks back at 00:01, so that a date came twice
    "Asia/Kathmandu", "Asia/Beirut", "Africa/Cairo", "Australia/Lord_Howe", "Pacific/Apia",  # Apia skipped a whole day
    "America/Havana", "Asia/Tehran", "Pacific/Chatham", "Antarctica/Troll",
]  # fmt: skip
WINDOWS: list[Window] = ["second", "minute", "hour", "day", "week", "month", "quarter"]
LONGEST = {"second": 1, "minute": 60, "hour": 3600, "day": 93_600, "week": 8 * 86_400, "month": 32 * 86_400}


def at(*parts: int, zone: str = "UTC") -> float:
    return datetime(*parts, tzinfo=ZoneInfo(zone)).timestamp()  # type: ignore[arg-type, misc]


@given(
    st.sampled_from(WINDOWS),
    st.floats(0, 4_000_000_000, allow_nan=False) | st.integers(500_000_000, 2_000_000_000).map(float),
    st.sampled_from(ZONES),
)
@example("day", at(2010, 11, 7, 2, 31), "America/St_Johns")
@example("day", at(2011, 12, 30, 10), "Pacific/Apia")
@example("month", at(2018, 11, 4, 3), "America/Sao_Paulo")
@settings(max_examples=1500, deadline=None)
def test_windows_tile_time(window: Window, now: float, zone: str) -> None:
    start, end = bounds(window, now, zone)
    assert start <= now < end
    assert end - start <= LONGEST.get(window, 93 * 86_400)
    assert bounds(window, start, zone) == (start, end)
    assert bounds(window, end - 1, zone) == (start, end)
    assert bounds(window, end - 0.001, zone) == (start, end)
    assert bounds(window, end, zone)[0] == end
    assert bounds(window, start - 1, zone)[1] == start


@pytest.mark.parametrize("zone", ZONES)
def test_the_days_of_many_years_follow_each_other(zone: str) -> None:
    now, stop = 850_000_000, 1_900_000_000
    _, end = bounds("day", now, zone)
    while end < stop:
        following = bounds("day", end, zone)
        assert following[0] == end
        assert 0 < following[1] - following[0] <= 93_600  # Troll moves its clocks by two hours
        assert bounds("day", (end + following[1]) // 2, zone) == following
        _, end = following


@pytest.mark.parametrize(
    ("window", "now", "start", "end"),
    [
        ("day", (2026, 3, 29, 12), (2026, 3, 29), (2026, 3, 30)),  # 23 hours
        ("day", (2026, 10, 25, 12), (2026, 10, 25), (2026, 10, 26)),  # 25 hours
        ("week", (2026, 11, 22, 23, 59), (2026, 11, 16), (2026, 11, 23)),
        ("month", (2026, 12, 31, 23), (2026, 12, 1), (2027, 1, 1)),
        ("month", (2028, 2, 29, 23), (2028, 2, 1), (2028, 3, 1)),
        ("quarter", (2026, 11, 21), (2026, 10, 1), (2027, 1, 1)),
    ],
)
def test_money_windows_are_calendar_periods_of_the_billing_zone(
    window: Window, now: tuple[int, ...], start: tuple[int, ...], end: tuple[int, ...]
) -> None:
    zone = "Europe/Berlin"
    assert bounds(window, at(*now, zone=zone), zone) == (at(*start, zone=zone), at(*end, zone=zone))


def test_the_month_of_the_billing_zone_is_not_that_of_utc() -> None:
    now = at(2026, 10, 31, 23, 30)  # in Berlin it is November already
    assert bounds("month", now, "Europe/Berlin")[0] == at(2026, 11, 1, zone="Europe/Berlin")
    assert bounds("month", now, "UTC")[0] == at(2026, 10, 1)


def test_a_month_of_a_place_that_skipped_its_last_but_one_day() -> None:
    start, end = bounds("month", at(2011, 12, 15), "Pacific/Apia")
    assert timedelta(seconds=end - start) == timedelta(days=30)


def test_total_has_no_end() -> None:
    assert bounds("total", 1_800_000_000, "Europe/Berlin") == (0, UNSET)


def test_rates_are_counted_in_utc_and_money_in_the_billing_zone() -> None:
    now = at(2026, 7, 1, 23)
    rate = QuotaPolicy("q1", "team", "team_1", "requests", "day", 5)
    money = QuotaPolicy("q2", "team", "team_1", "usd", "day", 5)
    assert bounds_of(rate, now, "Europe/Berlin")[0] == at(2026, 7, 1)
    assert bounds_of(money, now, "Europe/Berlin")[0] == at(2026, 7, 2, zone="Europe/Berlin")
    assert datetime.fromtimestamp(bounds_of(money, now, "Europe/Berlin")[0], UTC).hour == 22


def test_an_unknown_zone_is_an_error() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        bounds("month", 0, "Mars/Olympus")
