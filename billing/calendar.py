"""Days of the billing time zone: each begins at its first instant, and together they leave no gap."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def start_of(day: date) -> datetime:
    """Return the first instant of `day` (UTC); where midnight is skipped, the instant at which the clocks jump."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(settings.BILLING_TIME_ZONE)).astimezone(UTC)


def day_of(moment: datetime) -> date:
    """Return the day that `moment` belongs to."""
    day = moment.astimezone(ZoneInfo(settings.BILLING_TIME_ZONE)).date()
    while moment >= start_of(day + DAY):  # clocks that went back over midnight show the old date again
        day += DAY
    while moment < start_of(day):
        day -= DAY
    return day


def today() -> date:
    return day_of(timezone.now())


def days_of_hour(hour: datetime) -> list[date]:
    """Return the day, or the two days, that share the UTC hour from `hour` on."""
    first, last = day_of(hour), day_of(hour + HOUR - timedelta(microseconds=1))
    return [first + DAY * offset for offset in range((last - first).days + 1)]


def hour_of(moment: datetime) -> datetime:
    """Return the start of the UTC hour that `moment` is in."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def hour_from(moment: datetime) -> datetime:
    """Return the first start of a UTC hour at or after `moment`."""
    start = hour_of(moment)
    return start if start == moment else start + HOUR
