"""docs/operations.md tells of every metric, with its labels, and of every alarm; and of none that is not there."""

import re
from pathlib import Path

from gateway.metrics.table import TABLE

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "operations.md").read_text()


def test_every_metric_and_its_labels() -> None:
    rows = re.findall(r"^\| `(atrium_\w+)` \|([^|]*)\|", PAGE, re.MULTILINE)
    assert [(name, tuple(filter(None, labels.strip().split(", ")))) for name, labels in rows] == [
        (metric.name, metric.labels) for metric in TABLE.values()
    ]


def test_every_alarm() -> None:
    source = "".join(path.read_text() for path in (ROOT / "gateway").rglob("*.py"))
    raised = set(re.findall(r'observer\.alarm\(\s*"(\w+)"', source))
    section = PAGE.split("## Alarms")[1].split("\nWorth an alert")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == raised
