"""A journal that takes its time: nothing is dialled before the entry is as durable as was asked for."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.journal.frames import JournalError
from tests.gateway.live import LiveGateway, until
from tests.upstream import FakeUpstream


@pytest.fixture
def slow(gateway: LiveGateway) -> LiveGateway:
    gateway.journal.slow = True
    return gateway


def settle(gateway: LiveGateway, error: JournalError | None = None) -> None:
    """End the wait of the only call in flight."""
    [waiting] = until(lambda: gateway.journal.waiting)
    assert gateway.loop is not None
    if error is None:
        gateway.loop.call_soon_threadsafe(waiting.set_result, None)
    else:
        gateway.loop.call_soon_threadsafe(waiting.set_exception, error)


def test_no_dial_before_the_entry_is_durable(slow: LiveGateway, upstream: FakeUpstream) -> None:
    with ThreadPoolExecutor(1) as calls:
        answer = calls.submit(slow.chat)
        until(lambda: slow.journal.waiting)
        assert upstream.received == []
        settle(slow)
        assert answer.result().status_code == 200
    [closed] = until(lambda: slow.journal.closed)
    assert closed.cost_nano_usd > 0


def test_an_entry_that_never_becomes_durable_is_no_call(slow: LiveGateway, upstream: FakeUpstream) -> None:
    with ThreadPoolExecutor(1) as calls:
        answer = calls.submit(slow.chat)
        settle(slow, JournalError("Input/output error"))
        refused = answer.result()
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "journal_unavailable")
    [closed] = slow.journal.closed
    assert (closed.cost_nano_usd, closed.output_tokens, closed.estimated) == (0, 0, False)
    assert upstream.received == []
    assert ("journal_unavailable", "gw_test") in slow.observed.alarms


def test_who_hangs_up_before_the_dial_pays_nothing(slow: LiveGateway, upstream: FakeUpstream) -> None:
    with pytest.raises(Exception, match="timed out"):
        slow.client.post(
            "/v1/chat/completions",
            json={"model": "chat-small", "messages": [{"role": "user", "content": "x"}]},
            timeout=0.4,
        )
    [closed] = until(lambda: slow.journal.closed)
    assert (closed.status, closed.cost_nano_usd) == (499, 0)
    until(lambda: slow.idle)
    assert upstream.received == []
