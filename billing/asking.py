"""Read filters from a query string; what means nothing is said in words, and the rest still holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from billing.calendar import DAY, start_of, today
from billing.filters import DIMENSIONS, OUTCOMES, FilterError, Filters, resolve
from billing.moments import MomentError, parse_end, parse_start
from billing.periods import PRESETS, Span, preset, previous
from portal.people.access import Viewer

GROUPS = {
    "team": "Team", "cost_centre": "Cost centre", "model": "Model", "provider": "Provider", "user": "Person",
    "key": "Key", "application": "Application",
}  # fmt: skip
NARROWER = {"cost_centre": "team", "team": "user", "user": "key", "model": "team", "provider": "model", "key": "model"}
INTERVALS = {"day": "Day", "hour": "Hour (UTC)", "month": "Month"}
HOURS_AT_MOST = timedelta(days=14)
DAYS_AT_MOST = timedelta(days=92)
LONGEST = timedelta(days=366 * 3)


@dataclass(slots=True)
class Asked:
    """What somebody asked to see, and what of it was not understood."""

    filters: Filters
    period: str  # a preset's name, or "custom"
    group: str
    interval: str
    groups: Mapping[str, str] = field(default_factory=lambda: GROUPS)  # what this page can group by
    problems: list[str] = field(default_factory=list)
    raw: dict[str, str] = field(default_factory=dict)  # as typed, for the form

    @property
    def before(self) -> Filters | None:
        """The same question about the period that this one is compared with."""
        days = self.filters.days
        if days is None:
            return None
        first, last = previous(days, self.period)
        return self.filters.during(start_of(first), start_of(last + DAY))

    @property
    def narrower(self) -> str:
        """What one groups by next, after choosing a value of this group."""
        wanted = NARROWER.get(self.group, "model")
        return wanted if wanted in self.groups else next((one for one in self.groups if one != self.group), self.group)

    @property
    def period_words(self) -> str:
        return PRESETS[self.period][0] if self.period in PRESETS else "The chosen period"

    def query(self, **changes: str) -> str:
        """Write the question as a query string: an evergreen preset stays one."""
        kept = {"group": self.group, "interval": self.interval}
        if self.period in PRESETS:
            kept |= {"period": self.period, "from": "", "to": ""}
        return self.filters.query(**(kept | changes))


def asked_for(
    query: Mapping[str, str], viewer: Viewer, *, group: str = "team", groups: Mapping[str, str] = GROUPS
) -> Asked:
    """Read a question. Never fails: `problems` says what was left out, and why."""
    problems: list[str] = []
    start, end, period = _period(query, problems)
    ids = _ids(query, viewer, problems)
    outcome = _choice(query, "status", {"": "", **OUTCOMES}, "", problems)
    filters = Filters(start, end, ids, query.get("cost_centre", "").replace("\0", ""), _but(query, problems), outcome)
    chosen = _choice(query, "group", groups, group, problems)
    interval = _interval(query, filters, problems)
    raw = {name: query.get(name, "") for name in ("from", "to", "cost_centre", "status", *DIMENSIONS)}
    return Asked(filters, period, chosen, interval, groups, problems, raw)


def _period(query: Mapping[str, str], problems: list[str]) -> tuple[datetime, datetime, str]:
    now = today()
    name = query.get("period", "")
    if query.get("from") or query.get("to"):
        try:
            start, end = _custom(query)
        except MomentError as error:
            problems.append(f"{error} Showing this month instead.")
        else:
            return start, end, "custom"
    elif name and name not in PRESETS:
        problems.append(
            f'There is no period "{name[:40]}"; use one of {", ".join(PRESETS)}. Showing this month instead.'
        )
    name = name if name in PRESETS and not problems else "month"
    return *_instants(preset(name, now)), name


def _custom(query: Mapping[str, str]) -> tuple[datetime, datetime]:
    until, since = query.get("to", ""), query.get("from", "")
    end = parse_end(until) if until else start_of(today() + DAY)
    start = parse_start(since) if since else end - timedelta(days=30)
    if start >= end:
        raise MomentError("The period ends before it begins.")
    if end - start > LONGEST:
        raise MomentError("A period can be at most three years long.")
    return start, end


def _instants(span: Span) -> tuple[datetime, datetime]:
    return start_of(span[0]), start_of(span[1] + DAY)


def _ids(query: Mapping[str, str], viewer: Viewer, problems: list[str]) -> dict[str, str]:
    ids: dict[str, str] = {}
    for dimension in DIMENSIONS:
        text = query.get(dimension, "").strip()
        if text:
            try:
                ids[dimension] = resolve(dimension, text, viewer)
            except FilterError as error:
                problems.append(f"{error} This filter was left out.")
    return ids


def _but(query: Mapping[str, str], problems: list[str]) -> tuple[str, ...]:
    words = tuple(query.get("but", "").replace("\0", "").split(",")[:20])
    if words == ("",):
        return ()
    if words[0] in GROUPS:
        return words
    problems.append('"but" names no dimension. This filter was left out.')
    return ()


def _choice(query: Mapping[str, str], name: str, known: Mapping[str, object], default: str, problems: list[str]) -> str:
    text = query.get(name, "") or default
    if text in known:
        return text
    problems.append(f'"{text[:40]}" is no {name}; use one of {", ".join(one for one in known if one)}.')
    return default


def _interval(query: Mapping[str, str], filters: Filters, problems: list[str]) -> str:
    length = filters.end - filters.start
    usual = "day" if length <= DAYS_AT_MOST else "month"
    if filters.days is None:
        return "hour" if length <= HOURS_AT_MOST else "day"
    interval = _choice(query, "interval", INTERVALS, usual, problems)
    if interval == "hour" and length > HOURS_AT_MOST:
        problems.append("Hours can be shown for at most 14 days; showing days.")
        return "day"
    return interval
