"""`make test` is honest: it counts what both runs counted, fails when either fails, and says how to get what is missing."""

import os

import pytest

from deploy import suite
from deploy.failures import Stop
from deploy.suite import Outcome
from tests.services import browser

pytestmark = pytest.mark.deploy


def outcome_of(*lines: str, code: int = 0, stores: str = "SQLite") -> Outcome:
    """What the suite makes of pytest's lines."""
    outcome = Outcome(code)
    for line in lines:
        suite._note(line, stores, outcome)
    return outcome


def test_both_runs_are_summed_in_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    first = outcome_of("======= 3 failed, 1000 passed, 2 skipped, 1 error in 601.20s (0:10:01) =======", code=1)
    second = outcome_of("==== 500 passed, 1 skipped, 2 errors in 60.01s (0:01:00) ====", code=1, stores="PostgreSQL")
    code = suite._conclude([first, second], 661.214, narrowed=False)
    last = capsys.readouterr().out.rstrip().splitlines()[-1]
    assert last.strip("= ") == "3 failed, 3 errors, 1500 passed, 3 skipped in 661.21s"
    assert code == 1


def test_failures_are_repeated_with_their_stores(capsys: pytest.CaptureFixture[str]) -> None:
    bad = outcome_of("FAILED tests/x.py::test_y - AssertionError", "1 failed in 0.50s", code=1)
    suite._conclude([bad, Outcome(0, {"passed": 1})], 1, narrowed=False)
    assert "FAILED tests/x.py::test_y - AssertionError  [SQLite]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("codes", "narrowed", "result"),
    [
        ((0, 0), False, 0),
        ((0, 1), False, 1),
        ((1, 0), False, 1),
        ((0, 5), False, 5),  # a half that runs nothing is no success
        ((0, 5), True, 0),  # unless a part was asked for that lies in the other half
        ((5, 5), True, 5),
        ((1, 137), False, 137),  # and a half that was killed shows
    ],
)
def test_either_run_decides_the_exit_code(codes: tuple[int, int], narrowed: bool, result: int) -> None:
    assert suite._conclude([Outcome(code) for code in codes], 1, narrowed=narrowed) == result


def test_who_may_not_install_chromium_is_told_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "find_chromium", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Stop, match="sudo apt-get install chromium"):
        suite._get_browser()
