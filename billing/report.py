"""What a spend page shows: totals, lines of a dimension, spend over time; each figure with the address of its requests."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.core.paginator import Page, Paginator
from django.urls import reverse
from django.utils import timezone

from billing.asking import GROUPS, Asked
from billing.calendar import DAY, HOUR, start_of
from billing.filters import NONE, Filters
from billing.labels import labels
from billing.spend import Figures, Source, by_cost_centre, centres, figures, moments, source
from portal.people.access import Viewer

PER_PAGE = 25
SERIES = 6
NO_DATA = Figures()


@dataclass(frozen=True, slots=True)
class Line:
    """One value of the dimension that the page groups by."""

    id: str
    label: str
    now: Figures
    before: Figures | None
    share: float  # percent of the total
    rows_url: str
    errors_url: str
    narrower_url: str

    @property
    def change(self) -> str:
        return change_words(self.now.cost, self.before.cost) if self.before else ""


@dataclass(frozen=True, slots=True)
class Cell:
    """nano-USD, and where its requests are ("" where there are none)."""

    cost: int
    url: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """One row of the table over time."""

    label: str
    cells: tuple[Cell, ...]
    total: Cell


@dataclass(frozen=True, slots=True)
class Report:
    """Everything below the filters of a spend page."""

    asked: Asked
    total: Figures
    before: Figures | None
    page: Page[Any]
    lines: list[Line]
    columns: list[str]
    buckets: list[Bucket]
    rows_url: str
    errors_url: str
    csv_url: str

    @property
    def change(self) -> str:
        return change_words(self.total.cost, self.before.cost) if self.before is not None else ""

    @property
    def group_words(self) -> str:
        return GROUPS[self.asked.group]


def report_of(viewer: Viewer, asked: Asked, page: str = "1", path: str = "") -> Report:
    """Answer a question. A dozen queries at most, however many rows there are."""
    now, before = source(viewer, asked.filters, asked.interval), asked.before
    then = source(viewer, before) if before else None
    total = now.total()
    leaders, shown = _lines(now, asked.group, page)
    ids = [one for one, _ in shown.object_list]
    earlier = dict(_of(then, asked.group, ids)) if then else None
    names = _names(asked.group, {*ids, *(one for one, _ in leaders)})
    lines = [_line(asked, one, sums, earlier, total, names[one], path) for one, sums in shown.object_list]
    return Report(
        asked, total, then.total() if then else None, shown, lines,
        _headings([names[one] for one, _ in leaders]) + (["Others"] if _more(shown, leaders) else []),
        _buckets(now, asked, [one for one, _ in leaders], others=_more(shown, leaders)),
        rows_url(asked.filters), rows_url(asked.filters, status="errors"),
        f"{reverse('billing-spend-csv')}?{asked.query()}",
    )  # fmt: skip


def rows_url(filters: Filters, **changes: str) -> str:
    """Return where the requests behind a figure are."""
    return f"{reverse('billing-usage-list')}?{filters.query(**changes)}"


def change_words(now: int, before: int) -> str:
    """Say how a sum changed against the one before: `+12 %`, `no change`, `new`."""
    if not before:
        return "new" if now else ""
    percent = round((now - before) * 100 / before)
    return f"{percent:+,d} %".replace("-", "\N{MINUS SIGN}") if percent else "no change"


def _lines(now: Source, group: str, number: str) -> tuple[list[tuple[str, Figures]], Page[Any]]:
    """Return the dearest values, for the chart, and the asked page of all of them."""
    if group == "cost_centre":
        everything: Sequence[tuple[str, Figures]] = by_cost_centre(now.lines("team"))
        return list(everything[:SERIES]), Paginator(everything, PER_PAGE).get_page(number)
    page: Page[Any] = Paginator(now.grouped(group), PER_PAGE).get_page(number)
    page.object_list = [(row["one"] or NONE, figures(row)) for row in page.object_list]
    if page.number == 1:
        return list(page.object_list[:SERIES]), page
    return [(row["one"] or NONE, figures(row)) for row in now.grouped(group)[:SERIES]], page


def _of(then: Source, group: str, ids: Sequence[str]) -> Iterable[tuple[str, Figures]]:
    if group == "cost_centre":
        return by_cost_centre(then.lines("team"))
    return [(one or NONE, sums) for one, sums in then.lines(group, ["" if one == NONE else one for one in ids])]


def _names(group: str, ids: set[str]) -> dict[str, str]:
    nameless = f"No {GROUPS[group].lower()}"
    known = {} if group == "cost_centre" else labels(group, ids - {NONE})
    return {one: nameless if one == NONE else known.get(one, one) for one in ids}


def _line(
    asked: Asked, one: str, sums: Figures, earlier: dict[str, Figures] | None, total: Figures, name: str, path: str
) -> Line:
    mine = {asked.group: one}
    narrower = asked.query(**mine, group=asked.narrower)
    return Line(
        one, name, sums, earlier.get(one, NO_DATA) if earlier is not None else None,
        round(sums.cost * 100 / total.cost, 1) if total.cost else 0.0,
        rows_url(asked.filters, **mine), rows_url(asked.filters, **mine, status="errors"), f"{path}?{narrower}",
    )  # fmt: skip


def _headings(names: list[str]) -> list[str]:
    """Shorten "Ada (ada@example.com)" to what heads a column, where that still tells people apart."""
    short = [name.partition(" (")[0] for name in names]
    return short if len(set(short)) == len(short) else names


def _more(page: Page[Any], leaders: Sequence[object]) -> bool:
    return page.paginator.count > len(leaders)


def _buckets(now: Source, asked: Asked, ids: list[str], *, others: bool) -> list[Bucket]:
    totals, costs = now.over_time(asked.interval), _costs(now, asked, ids)
    found = []
    for moment in moments(asked.filters, asked.interval, timezone.now()):
        span = _span(asked.filters, moment, asked.interval)
        total = totals.get(moment, NO_DATA).cost
        named = [costs.get((moment, one), 0) for one in ids]
        cells = [_cell(cost, span, {asked.group: one}) for cost, one in zip(named, ids, strict=True)]
        if others:
            cells.append(_cell(total - sum(named), span, {"but": ",".join([asked.group, *ids])}))
        found.append(Bucket(_bucket_words(moment, asked.interval), tuple(cells), _cell(total, span, {})))
    return found


def _costs(now: Source, asked: Asked, ids: list[str]) -> dict[tuple[date, str], int]:
    if asked.group != "cost_centre":
        stored = ["" if one == NONE else one for one in ids]
        found = now.cost_over_time(asked.interval, asked.group, stored)
        return {(moment, one or NONE): cost for (moment, one), cost in found.items()}
    codes, costs = centres(), dict[tuple[date, str], int]()
    teams = [team for team, _ in now.lines("team") if codes.get(team, NONE) in ids]
    for (moment, team), cost in now.cost_over_time(asked.interval, "team", teams).items():
        place = (moment, codes.get(team, NONE))
        costs[place] = costs.get(place, 0) + cost
    return costs


def _cell(cost: int, span: Filters, changes: dict[str, str]) -> Cell:
    return Cell(cost, rows_url(span, **changes) if cost else "")


def _span(filters: Filters, moment: date, interval: str) -> Filters:
    if isinstance(moment, datetime):
        start, end = moment, moment + HOUR
    elif interval == "day":
        start, end = start_of(moment), start_of(moment + DAY)
    else:
        start, end = start_of(moment), start_of((moment.replace(day=28) + 4 * DAY).replace(day=1))
    return filters.during(max(start, filters.start), min(end, filters.end))


def _bucket_words(moment: date, interval: str) -> str:
    if isinstance(moment, datetime):
        words = f"{moment.day} {moment:%b %H:%M}"
    else:
        words = f"{moment.day} {moment:%b}" if interval == "day" else f"{moment:%b %Y}"
    return words.replace(" ", "\N{NO-BREAK SPACE}")
