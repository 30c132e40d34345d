"""The terminal shows tracebacks of defects, and of nothing else."""

import logging

import pytest

from portal.logs import TracebackOfDefects


@pytest.mark.parametrize(("level", "kept"), [(logging.WARNING, False), (logging.ERROR, True)])
def test_only_defects_keep_their_traceback(level: int, kept: bool) -> None:
    try:
        raise PermissionError("This is for auditors.")
    except PermissionError as error:
        record = logging.LogRecord("django.request", level, "x", 1, "Forbidden: %s", ("/people/audit",), None)
        record.exc_info = (type(error), error, error.__traceback__)
    assert TracebackOfDefects().filter(record)
    assert ("Traceback" in logging.Formatter("%(message)s").format(record)) is kept
