"""What was counted: a value for each metric and each of its label sets, and how those of several processes merge."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import msgspec

from gateway.metrics.table import TABLE, Metric

Labels = tuple[str, ...]
OTHER = "other"
MOST_SERIES = 2_000  # of one metric; further label sets are counted together


class Values:
    """Counted values. A counter or gauge is one number; a histogram is a count for each bucket, the rest, and the sum."""

    def __init__(self) -> None:
        self.of: dict[str, dict[Labels, list[float]]] = {}

    def add(self, metric: Metric, amount: float, *labels: str) -> None:
        """Count up."""
        self._series(metric, labels)[0] += amount

    def set(self, metric: Metric, value: float, *labels: str) -> None:
        """Say what it is now."""
        self._series(metric, labels)[0] = float(value)

    def observe(self, metric: Metric, observed: Sequence[float], *labels: str) -> None:
        """Sort values into a histogram's buckets."""
        series, buckets = self._series(metric, labels), metric.buckets
        for value in observed:
            series[bisect_left(buckets, value)] += 1
        series[-1] += sum(observed)

    def forget(self, metric: Metric) -> None:
        """Let every label set of a gauge go, before those of now are set."""
        self.of.pop(metric.name, None)

    def merge(self, other: "Values", *, alive: bool = True) -> None:
        """Take in the values of another process. Of one that is dead, gauges say nothing any more."""
        for name, series in other.of.items():
            metric = TABLE.get(name)
            if metric is None or (metric.kind == "gauge" and not alive):
                continue
            for labels, numbers in series.items():
                mine = self._series(metric, labels)
                if len(mine) != len(numbers):
                    continue  # another release had other buckets
                largest = metric.kind == "gauge" and metric.merge == "max"
                mine[:] = [max(a, b) if largest else a + b for a, b in zip(mine, numbers, strict=True)]

    def copy(self) -> "Values":
        """Return what was counted so far."""
        same = Values()
        same.of = {name: {labels: list(numbers) for labels, numbers in of.items()} for name, of in self.of.items()}
        return same

    def less(self, base: "Values") -> "Values":
        """Return what was counted since `base`; gauges as they are."""
        rest = self.copy()
        for name, series in base.of.items():
            if TABLE[name].kind != "gauge":
                for labels, numbers in series.items():
                    mine = rest._series(TABLE[name], labels)
                    mine[:] = [a - b for a, b in zip(mine, numbers, strict=True)]
        return rest

    def encode(self) -> bytes:
        """Return it as JSON."""
        return msgspec.json.encode({name: list(series.items()) for name, series in self.of.items()})

    @classmethod
    def decode(cls, data: bytes) -> "Values":
        """Read it back. Raises msgspec.MsgspecError."""
        values = cls()
        for name, series in _decoder.decode(data).items():
            if name in TABLE:
                values.of[name] = dict(series)
        return values

    def _series(self, metric: Metric, labels: Labels) -> list[float]:
        of = self.of.get(metric.name)
        if of is None:
            of = self.of[metric.name] = {}
        series = of.get(labels)
        if series is None:
            if len(of) >= MOST_SERIES:
                labels = (OTHER,) * len(labels)
            series = of.setdefault(labels, [0.0] * (len(metric.buckets) + 2 if metric.buckets else 1))
        return series


_decoder = msgspec.json.Decoder(dict[str, list[tuple[Labels, list[float]]]])


def exposition(values: Values) -> bytes:
    """Write values in Prometheus's text format, version 0.0.4."""
    lines: list[str] = []
    for metric in TABLE.values():
        lines += (f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}")
        for labels, numbers in sorted(values.of.get(metric.name, {}).items()):
            pairs = tuple(zip(metric.labels, labels, strict=True))
            lines += _histogram(metric, pairs, numbers) if metric.buckets else [_line(metric.name, pairs, numbers[0])]
    return ("\n".join(lines) + "\n").encode()


def _histogram(metric: Metric, pairs: tuple[tuple[str, str], ...], numbers: list[float]) -> Iterable[str]:
    so_far = 0.0
    for bound, count in zip((*map(repr, metric.buckets), "+Inf"), numbers[:-1], strict=True):
        so_far += count
        yield _line(f"{metric.name}_bucket", (*pairs, ("le", bound)), so_far)
    yield _line(f"{metric.name}_sum", pairs, numbers[-1])
    yield _line(f"{metric.name}_count", pairs, so_far)


def _line(name: str, pairs: tuple[tuple[str, str], ...], value: float) -> str:
    shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in pairs)
    number = repr(int(value)) if value == int(value) else repr(value)
    return f"{name}{{{shown}}} {number}" if shown else f"{name} {number}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
