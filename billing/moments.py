"""Moments as people write them: a day (YYYY-MM-DD, of the billing time zone) or RFC 3339."""

from datetime import UTC, date, datetime
from typing import TypeVar

from billing.calendar import DAY, start_of

T = TypeVar("T", date, datetime)


class MomentError(ValueError):
    """What was written is no moment; the message says what would do."""


def parse_start(text: str) -> datetime:
    """Read the beginning of a range: a day stands for its first instant. Raises MomentError."""
    found = _parse(text)
    return found if isinstance(found, datetime) else start_of(found)


def parse_end(text: str) -> datetime:
    """Read the end of a range, exclusive: a day is included whole, an RFC 3339 time is the end. Raises MomentError."""
    found = _parse(text)
    return found if isinstance(found, datetime) else start_of(found + DAY)


def rfc3339(moment: datetime) -> str:
    """Write a moment in UTC with `Z`, with as many digits of a second as it has."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _parse(text: str) -> date | datetime:
    words = text.strip()
    try:
        if len(words) == len("2026-11-01"):
            return _sane(date.fromisoformat(words))
        moment = datetime.fromisoformat(words)
    except MomentError:
        raise
    except ValueError:
        raise MomentError(f'"{text[:40]}" is no date; write 2026-11-01 or 2026-11-01T09:30:00Z.') from None
    if moment.tzinfo is None:
        raise MomentError(f'"{text[:40]}" has no time zone; add Z for UTC, as in 2026-11-01T09:30:00Z.')
    return _sane(moment)


def _sane(found: T) -> T:
    if not 2000 <= found.year <= 2200:
        raise MomentError(f"{found.year} is out of range; use a year between 2000 and 2200.")
    return found
