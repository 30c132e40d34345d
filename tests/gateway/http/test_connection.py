"""A connection under whatever bytes may come: an answer or an `UpstreamError`, and never used again unless it is clean."""

import asyncio
import contextlib

from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import UpstreamError
from gateway.http.exchange import Exchange
from gateway.http.pool import Pool
from tests.gateway.http.fakes import FakeTransport, dial
from tests.gateway.http.test_response import Answer, answers, cut, damaged, places

ends = st.sampled_from(["eof", "lost", "reset"])


async def played(pieces: list[bytes], end: str) -> tuple[bytes, bool]:
    """Send a request, let these bytes come, then the end; return the body and whether the connection was kept.

    Raises UpstreamError. Each wait is bounded, so that a hang is an error of another kind.
    """
    pool = Pool(1, 1.0, dial)
    connection = await pool.connect()
    transport: FakeTransport = connection._transport  # type: ignore[assignment]
    exchange = Exchange(connection, "acme")
    connection.begin(exchange, b"request")
    kept = False

    async def come() -> None:
        nonlocal kept
        for piece in pieces:
            while not transport.reading:  # noqa: ASYNC110 - a fake has no event for it
                await asyncio.sleep(0)
            if transport.aborted:
                break
            connection.data_received(piece)
            await asyncio.sleep(0)
        kept = pool.idle == 1
        if end == "eof":
            connection.eof_received()
        connection.connection_lost(ConnectionResetError() if end == "reset" else None)

    coming = asyncio.create_task(come())
    try:
        async with asyncio.timeout(5):
            await exchange.head()
            body = b""
            while data := await exchange.chunk():
                body += data
    finally:
        exchange.close()
        await coming
        assert connection.closed and len(pool) == 0
        assert exchange.status or not kept
    return body, kept


@given(st.one_of(damaged(), st.binary(max_size=400)), places, ends)
def test_whatever_comes(raw: bytes, at: list[int], end: str) -> None:
    with contextlib.suppress(UpstreamError):
        body, _ = asyncio.run(played(cut(raw, at), end))
        assert len(body) <= len(raw)


@given(answers(), places, ends)
def test_an_answer_is_read_and_the_connection_kept_if_it_may_be(answer: Answer, at: list[int], end: str) -> None:
    if answer.until_close and end == "reset":
        return
    assert asyncio.run(played(cut(answer.raw, at), end)) == (answer.body, answer.reusable)


@given(answers(), places, st.binary(min_size=1, max_size=50))
def test_bytes_behind_an_answer_are_never_anothers_answer(answer: Answer, at: list[int], more: bytes) -> None:
    if answer.until_close:
        return
    body, kept = asyncio.run(played([*cut(answer.raw + more, at)], "eof"))
    assert (body, kept) == (answer.body, False)
