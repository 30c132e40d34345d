"""Counted values merge as sums and worst cases, survive their way to the disk, and are written as Prometheus reads them."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import table
from gateway.metrics.values import MOST_SERIES, OTHER, Values, exposition

NAMES = st.text(max_size=8)
STEPS = st.lists(st.tuples(st.sampled_from(("count", "gauge", "time")), NAMES, st.integers(0, 1000)), max_size=20)


def counted(steps: list[tuple[str, str, int]]) -> Values:
    values = Values()
    for kind, name, amount in steps:
        if kind == "count":
            values.add(table.REFUSALS, amount, name)
        elif kind == "gauge":
            values.set(table.WAITING, amount, name)
        else:
            values.observe(table.OVERHEAD, [amount / 1000], name, "true")
    return values


def samples(values: Values) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(exposition(values).decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


@given(STEPS)
def test_what_is_written_is_what_was_counted(steps: list[tuple[str, str, int]]) -> None:
    found = samples(counted(steps))
    refused = sum(amount for kind, _, amount in steps if kind == "count")
    assert sum(value for (name, _), value in found.items() if name == "atrium_refusals_total") == refused
    timed = [amount for kind, _, amount in steps if kind == "time"]
    assert sum(v for (name, _), v in found.items() if name == "atrium_overhead_seconds_count") == len(timed)
    for bound in table.FAST_S:
        label = ("le", repr(bound))
        below = sum(v for (name, labels), v in found.items() if name.endswith("_bucket") and label in labels)
        assert below == sum(amount / 1000 <= bound for amount in timed)


@given(STEPS, STEPS)
def test_processes_merge_in_any_order(first: list[tuple[str, str, int]], second: list[tuple[str, str, int]]) -> None:
    def merged(*parts: list[tuple[str, str, int]]) -> Values:
        values = Values()
        for part in parts:
            values.merge(Values.decode(counted(part).encode()))
        return values

    one, other = samples(merged(first, second)), samples(merged(second, first))
    assert one.keys() == other.keys()
    assert all(abs(one[name] - other[name]) < 1e-6 for name in one)


@given(STEPS, STEPS)
def test_less_takes_away_what_was_counted_before(
    before: list[tuple[str, str, int]], after: list[tuple[str, str, int]]
) -> None:
    rest = counted(before + after).less(counted(before))
    added = samples(counted(after))
    for (name, labels), value in samples(rest).items():
        if not name.startswith("atrium_lease"):
            assert abs(value - added.get((name, labels), 0.0)) < 1e-6


def test_gauges_of_processes_are_summed_or_the_worst_counts() -> None:
    merged = Values()
    for in_flight, age_s in ((3, 0.5), (4, 9.0), (5, 1.0)):
        one = Values()
        one.set(table.IN_FLIGHT, in_flight)
        one.set(table.POLICY_AGE, age_s)
        merged.merge(one)
    assert merged.of["atrium_in_flight"] == {(): [12]}
    assert merged.of["atrium_policy_age_seconds"] == {(): [9.0]}


def test_the_number_of_series_is_bounded_and_nothing_is_lost() -> None:
    values = Values()
    for number in range(MOST_SERIES * 2):
        values.add(table.REFUSALS, 1, f"code-{number}")
    series = values.of["atrium_refusals_total"]
    assert len(series) == MOST_SERIES + 1
    assert series[OTHER,] == [MOST_SERIES]


def test_labels_with_quotes_and_line_ends_stay_labels() -> None:
    values = Values()
    values.add(table.REFUSALS, 1, 'a"b\\c\nd')
    assert samples(values)["atrium_refusals_total", (("code", 'a"b\\c\nd'),)] == 1


def test_no_metric_is_labelled_by_key_or_person() -> None:
    labels = {label for metric in table.TABLE.values() for label in metric.labels}
    assert labels == {
        "endpoint", "model", "provider", "status", "code", "streamed", "kind", "store", "metric", "state",
        "deployment", "reason",
    }  # fmt: skip
