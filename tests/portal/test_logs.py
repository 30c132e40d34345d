"""What the log shows: which request a line belongs to, and tracebacks of defects and of nothing else."""

import logging
from collections.abc import Iterator

import pytest
from django.test import AsyncClient, Client

from portal.logs import TracebackOfDefects, WithRequestId


@pytest.mark.parametrize(("level", "kept"), [(logging.WARNING, False), (logging.ERROR, True)])
def test_only_defects_keep_their_traceback(level: int, kept: bool) -> None:
    try:
        raise PermissionError("This is for auditors.")
    except PermissionError as error:
        record = logging.LogRecord("django.request", level, "x", 1, "Forbidden: %s", ("/people/audit",), None)
        record.exc_info = (type(error), error, error.__traceback__)
    assert TracebackOfDefects().filter(record)
    assert ("Traceback" in logging.Formatter("%(message)s").format(record)) is kept


class Noted(logging.Handler):
    """Keeps the request id of each record."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(WithRequestId())
        self.ids: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.ids.append(record.__dict__["request_id"])


@pytest.fixture
def noted() -> Iterator[Noted]:
    handler, logger = Noted(), logging.getLogger("django.request")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@pytest.mark.django_db
def test_a_page_and_its_log_lines_carry_one_id(noted: Noted, client: Client) -> None:
    answers = [client.get("/no-such-page") for _ in range(2)]
    assert noted.ids == [answer.headers["x-request-id"] for answer in answers]
    assert len(set(noted.ids)) == 2
    assert all(id_.startswith("web_") for id_ in noted.ids)
    logging.getLogger("django.request").warning("outside of a request")
    assert noted.ids[-1] == "-"


@pytest.mark.django_db(transaction=True)
async def test_the_same_holds_on_an_event_loop(noted: Noted, async_client: AsyncClient) -> None:
    answer = await async_client.get("/no-such-page", headers={"x-request-id": "chosen-by-a-stranger"})
    assert noted.ids == [answer.headers["x-request-id"]]
    assert noted.ids[0].startswith("web_")
