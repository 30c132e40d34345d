"""What `make lint` runs, each as a test, so that one summary covers it."""

import pytest

from deploy.checks import CHECKS, Check, run

pytestmark = pytest.mark.static


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_check(check: Check) -> None:
    done = run(check)
    assert done.returncode == 0, done.stdout
