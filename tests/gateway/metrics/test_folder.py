"""Several processes, one set of metrics: nothing that was counted vanishes or is counted twice, whoever dies when."""

import os
import time
from pathlib import Path

import pytest

from gateway.metrics import folder, table
from gateway.metrics.folder import FOLD_S, SharedMetrics
from gateway.metrics.values import Values


def counts(number: int) -> Values:
    values = Values()
    values.add(table.REFUSALS, number, "stopped")
    values.set(table.PROCESSES, 1)
    values.set(table.RATES_DEGRADED, False)
    return values


def seen(values: Values) -> tuple[float, float]:
    """Return how many refusals and how many processes there are."""
    refusals = values.of.get("atrium_refusals_total", {}).get(("stopped",), [0.0])[0]
    return refusals, values.of.get("atrium_processes", {}).get((), [0.0])[0]


def age(folder: Path, name: str, seconds: float) -> None:
    past = time.time() - seconds
    os.utime(folder / f"{name}.json", (past, past))


def test_whoever_is_asked_knows_of_all(tmp_path: Path) -> None:
    one, two = SharedMetrics(tmp_path, "gw_1"), SharedMetrics(tmp_path, "gw_2")
    one.write(counts(3))
    two.write(counts(5))
    assert seen(one.read(counts(4))) == (9, 2)
    assert seen(two.read(counts(5))) == (8, 2)


def test_what_a_dead_process_counted_stays_and_its_gauges_go(tmp_path: Path) -> None:
    SharedMetrics(tmp_path, "gw_dead").write(counts(7))
    living = SharedMetrics(tmp_path, "gw_1")
    age(tmp_path, "gw_dead", 30)
    assert seen(living.read(counts(1))) == (8, 1)
    age(tmp_path, "gw_dead", FOLD_S + 1)
    for _ in range(3):
        assert seen(living.read(counts(1))) == (8, 1)
    assert not (tmp_path / "gw_dead.json").exists()


def test_who_leaves_leaves_its_counts(tmp_path: Path) -> None:
    leaving, living = SharedMetrics(tmp_path, "gw_1"), SharedMetrics(tmp_path, "gw_2")
    leaving.write(counts(2))
    leaving.leave(counts(6))
    assert seen(living.read(counts(1))) == (7, 1)
    assert list(tmp_path.glob("*.json")) == []


def test_who_was_only_asleep_is_not_counted_twice(tmp_path: Path) -> None:
    sleeper, living = SharedMetrics(tmp_path, "gw_asleep"), SharedMetrics(tmp_path, "gw_1")
    sleeper.write(counts(10))
    age(tmp_path, "gw_asleep", FOLD_S + 1)
    assert seen(living.read(counts(0))) == (10, 1)
    sleeper.write(counts(12))
    assert seen(living.read(counts(0))) == (12, 2)
    assert seen(sleeper.read(counts(13))) == (13, 1)


def test_a_fold_that_was_broken_off_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SharedMetrics(tmp_path, "gw_dead").write(counts(7))
    age(tmp_path, "gw_dead", FOLD_S + 1)
    living = SharedMetrics(tmp_path, "gw_1")

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(folder.Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            living.read(counts(0))
    for _ in range(3):
        assert seen(living.read(counts(0))) == (7, 1)


def test_a_damaged_file_spoils_nothing(tmp_path: Path) -> None:
    (tmp_path / "gw_bad.json").write_bytes(b'{"atrium_refusals_total": 5')
    (tmp_path / "past").write_bytes(b"")
    assert seen(SharedMetrics(tmp_path, "gw_1").read(counts(2))) == (2, 1)


def test_only_the_owner_may_look_into_the_folder(tmp_path: Path) -> None:
    SharedMetrics(tmp_path / "metrics", "gw_1")
    assert (tmp_path / "metrics").stat().st_mode & 0o077 == 0
