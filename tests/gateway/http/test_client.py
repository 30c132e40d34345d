"""The client over real sockets: what it sends, how it reads answers, when it keeps a connection."""

import asyncio
import zlib

import pytest

from gateway.errors import UpstreamError
from gateway.http.client import HttpUpstream
from gateway.upstream import UpstreamResponse
from tests.gateway.http.provider import HELLO, Line, Provider, Serve, body_of, settled

OK = b"HTTP/1.1 200 OK\r\n"


def answering(*answers: bytes, close: bool = False, pieces: int = 1) -> Serve:
    """Return a provider that gives these answers on each connection, then closes or waits."""

    async def serve(line: Line) -> None:
        for answer in answers:
            await line.request()
            size = max(1, -(-len(answer) // pieces))
            await line.send(*(answer[start : start + size] for start in range(0, len(answer), size)))
        if not close:
            await line.gone()

    return serve


async def gathered(response: UpstreamResponse, pieces: list[bytes]) -> None:
    """Put the pieces of an answer into a list, as they come."""
    while data := await response.chunk():
        pieces.append(data)


async def test_the_bytes_of_a_request(upstream: HttpUpstream) -> None:
    async with Provider() as provider:
        request = provider.ask(b'{"a": 1}', {"content-type": "application/json", "authorization": "Bearer x"})
        response = await upstream.open(request)
        assert response.status == 200
        assert response.headers["content-type"] == "application/json"
        assert await body_of(response) == b"hello"
    assert provider.requests == [
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-type: application/json\r\n"
        b'authorization: Bearer x\r\ncontent-length: 8\r\n\r\n{"a": 1}' % provider.port
    ]


async def test_a_connection_is_used_again_the_last_one_first(upstream: HttpUpstream) -> None:
    async with Provider() as provider:
        first, second = await upstream.open(provider.ask()), await upstream.open(provider.ask())
        assert len(provider.lines) == 1, "the first answer was there before the second request"
        assert [await body_of(first), await body_of(second)] == [b"hello", b"hello"]
        await asyncio.gather(*(upstream.open(provider.ask()) for _ in range(3)))
        for _ in range(5):
            await body_of(await upstream.open(provider.ask()))
    assert len(provider.lines) == 3
    assert max(len(line.requests) for line in provider.lines) >= 6


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK + b"connection: close\r\ncontent-length: 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", b"hello"),
        (HELLO + b"\r\n", b"hello"),
        (HELLO + HELLO, b"hello"),
        (OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nx", b"hello"),
    ],
)
async def test_a_connection_that_is_not_clean_is_not_used_again(
    upstream: HttpUpstream, answer: bytes, body: bytes
) -> None:
    async with Provider(answering(answer)) as provider:
        for _ in range(2):
            assert await body_of(await upstream.open(provider.ask())) == body
    assert [len(line.requests) for line in provider.lines] == [1, 1]


@pytest.mark.parametrize("pieces", [1, 7, 40])
@pytest.mark.parametrize(
    "answer",
    [
        HELLO,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n" + HELLO,
        OK + b"transfer-encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\ntrailer: t\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\nhello",
    ],
)
async def test_a_connection_that_is_clean_is_used_again(upstream: HttpUpstream, answer: bytes, pieces: int) -> None:
    async with Provider(answering(answer, answer, pieces=pieces)) as provider:
        for _ in range(2):
            assert await body_of(await upstream.open(provider.ask())) == b"hello"
    assert [len(line.requests) for line in provider.lines] == [2]


async def test_a_body_may_end_with_the_connection(upstream: HttpUpstream) -> None:
    async with Provider(answering(OK + b"\r\nhello", close=True)) as provider:
        assert await body_of(await upstream.open(provider.ask())) == b"hello"


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body(upstream: HttpUpstream, status: int) -> None:
    async with Provider(answering(b"HTTP/1.1 %d No\r\n\r\n" % status)) as provider:
        response = await upstream.open(provider.ask())
        assert (response.status, await body_of(response)) == (status, b"")
        await upstream.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        OK,
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        OK + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"x: " + b"y" * 70_000,
        b"\x16\x03\x01",
    ],
)
async def test_what_is_no_answer(upstream: HttpUpstream, answer: bytes) -> None:
    async with Provider(answering(answer, close=True)) as provider:
        with pytest.raises(UpstreamError) as caught:
            await upstream.open(provider.ask())
        assert caught.value.sent
        assert caught.value.code == "upstream_error"


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"content-length: 9\r\n\r\nhello",
        OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
        OK + b"content-encoding: gzip\r\n\r\n" + zlib.compress(b"hello", wbits=31)[:-4],
    ],
)
async def test_an_answer_that_breaks_off_gives_what_came_and_then_an_error(
    upstream: HttpUpstream, answer: bytes
) -> None:
    async with Provider(answering(answer, close=True)) as provider:
        response, pieces = await upstream.open(provider.ask()), list[bytes]()
        with pytest.raises(UpstreamError) as caught:
            await gathered(response, pieces)
        assert (b"".join(pieces), caught.value.sent) == (b"hello", True)
        with pytest.raises(UpstreamError):
            await response.chunk()
        response.close()


async def test_a_reset_is_no_end(upstream: HttpUpstream) -> None:
    async def serve(line: Line) -> None:
        await line.request()
        await line.send(OK + b"\r\nhello")
        await go.wait()
        line.writer.transport.abort()

    go = asyncio.Event()
    async with Provider(serve) as provider:
        response = await upstream.open(provider.ask(b"x" * 500_000))
        assert await response.chunk() == b"hello"
        await upstream.close()
        go.set()
        with pytest.raises(UpstreamError):
            await response.chunk()


async def test_a_provider_that_closed_an_idle_connection_is_dialled_anew(upstream: HttpUpstream) -> None:
    async with Provider(answering(HELLO, close=True)) as provider:
        for _ in range(3):
            assert await body_of(await upstream.open(provider.ask())) == b"hello"
            await settled(lambda: provider.alive == 0)
            await asyncio.sleep(0.01)
    assert len(provider.lines) == 3


async def test_a_kept_connection_that_breaks_under_a_request_may_have_served_it(upstream: HttpUpstream) -> None:
    async def serve(line: Line) -> None:
        await line.request()
        await line.send(HELLO)
        await line.request()

    async with Provider(serve) as provider:
        await body_of(await upstream.open(provider.ask()))
        with pytest.raises(UpstreamError) as caught:
            await upstream.open(provider.ask())
        assert caught.value.sent
    assert [len(line.requests) for line in provider.lines] == [2], "a request that may have been served is not repeated"


async def test_bytes_that_nobody_asked_for_end_an_idle_connection(upstream: HttpUpstream) -> None:
    async with Provider(answering(HELLO)) as provider:
        await body_of(await upstream.open(provider.ask()))
        await provider.lines[0].send(HELLO)
        await settled(lambda: provider.alive == 0)
        assert await body_of(await upstream.open(provider.ask())) == b"hello"
    assert len(provider.lines) == 2


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 9 << 20])
async def test_bodies_of_every_size_arrive(upstream: HttpUpstream, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    async with Provider() as provider:
        for _ in range(2):
            assert await body_of(await upstream.open(provider.ask(body))) == b"hello"
    assert all(request.endswith(b"\r\n\r\n" + body) for request in provider.requests)
    assert len(provider.lines) == 1


async def test_a_large_body_leaves_the_loop_free(upstream: HttpUpstream) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with Provider() as provider:
        task = asyncio.create_task(other())
        await body_of(await upstream.open(provider.ask(b"x" * (8 << 20))))
        task.cancel()
    assert turns >= 32, "once a piece at least"


async def test_an_answer_before_the_end_of_a_large_body(upstream: HttpUpstream) -> None:
    async def serve(line: Line) -> None:
        await line.reader.readuntil(b"\r\n\r\n")
        await line.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 5\r\n\r\nlarge")
        await stop.wait()

    stop = asyncio.Event()
    async with Provider(serve) as provider:
        async with asyncio.timeout(5):
            response = await upstream.open(provider.ask(b"x" * (64 << 20)))
        assert (response.status, await body_of(response)) == (413, b"large")
        stop.set()
        await settled(lambda: provider.alive == 0)  # a connection whose request was cut short is not used again


async def test_a_large_body_that_is_not_taken_can_be_given_up(upstream: HttpUpstream) -> None:
    async def serve(line: Line) -> None:
        await stop.wait()

    stop = asyncio.Event()
    async with Provider(serve) as provider:
        calling = asyncio.create_task(upstream.open(provider.ask(b"x" * (64 << 20))))
        await asyncio.sleep(0.2)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        stop.set()


async def test_closing_early_closes_the_connection(upstream: HttpUpstream) -> None:
    async with Provider(answering(OK + b"content-length: 9\r\n\r\nhello")) as provider:
        response = await upstream.open(provider.ask())
        assert await response.chunk() == b"hello"
        response.close()
        response.close()
        await settled(lambda: provider.alive == 0)


async def test_giving_up_before_the_answer_closes_the_connection(upstream: HttpUpstream) -> None:
    async def serve(line: Line) -> None:
        await line.request()
        await line.gone()

    async with Provider(serve) as provider:
        calling = asyncio.create_task(upstream.open(provider.ask()))
        await settled(lambda: bool(provider.requests))
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await settled(lambda: provider.alive == 0)


async def test_what_is_there_is_returned_without_suspending(upstream: HttpUpstream) -> None:
    async with Provider(answering(OK + b"content-length: 9\r\n\r\nhello")) as provider:
        response = await upstream.open(provider.ask())
        with pytest.raises(StopIteration) as ended:
            response.chunk().send(None)  # type: ignore[attr-defined]  # a coroutine
        assert ended.value.value == b"hello"
        response.close()


async def test_a_stream_flows_as_it_comes_and_stops_when_nobody_reads(upstream: HttpUpstream) -> None:
    sent, total = 0, 32 << 20

    async def serve(line: Line) -> None:
        nonlocal sent
        await line.request()
        await line.send(OK + b"content-length: %d\r\n\r\n" % total)
        while sent < total:
            await line.send(b"x" * 65536)
            sent += 65536

    async with Provider(serve) as provider:
        response = await upstream.open(provider.ask())
        held = -1
        while sent != held:
            held = sent
            await asyncio.sleep(0.1)
        assert sent < total, "the provider is held up while nobody reads"
        assert len(await body_of(response)) == total
        await upstream.close()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
async def test_what_is_compressed_all_the_same_is_unpacked(upstream: HttpUpstream, encoding: str) -> None:
    packed = {"gzip": zlib.compress(b"hello", wbits=31), "deflate": zlib.compress(b"hello"), "identity": b"hello"}
    answer = OK + b"content-encoding: %b\r\ncontent-length: %d\r\n\r\n" % (encoding.encode(), len(packed[encoding]))
    async with Provider(answering(answer + packed[encoding])) as provider:
        assert await body_of(await upstream.open(provider.ask())) == b"hello"
        await upstream.close()


@pytest.mark.parametrize("answer", [b"content-encoding: br\r\n", b"content-encoding: gzip, gzip\r\n"])
async def test_an_encoding_nobody_knows(upstream: HttpUpstream, answer: bytes) -> None:
    async with Provider(answering(OK + answer + b"content-length: 9\r\n\r\nx")) as provider:
        with pytest.raises(UpstreamError, match="encoding"):
            await upstream.open(provider.ask())
        await settled(lambda: provider.alive == 0)


async def test_damaged_compression(upstream: HttpUpstream) -> None:
    async with Provider(answering(OK + b"content-encoding: gzip\r\ncontent-length: 5\r\n\r\nhello")) as provider:
        response = await upstream.open(provider.ask())
        with pytest.raises(UpstreamError, match="unpack"):
            await response.chunk()
        await upstream.close()


async def test_no_redirect_no_cookie_no_proxy(upstream: HttpUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    answer = b"HTTP/1.1 307 Elsewhere\r\nlocation: /x\r\nset-cookie: a=b; path=/\r\ncontent-length: 0\r\n\r\n"
    async with Provider(answering(answer, answer)) as provider:
        for _ in range(2):
            assert (await upstream.open(provider.ask())).status == 307
    assert len(provider.requests) == 2
    assert b"cookie" not in b"".join(provider.requests).lower()


async def test_a_header_that_would_break_out_is_never_sent(upstream: HttpUpstream) -> None:
    async with Provider() as provider:
        for value in ("a\r\nx-evil: 1", "a\nb", "a\0b", "caf\xe9"):
            with pytest.raises(UpstreamError) as caught:
                await upstream.open(provider.ask(headers={"x-request-id": value}))
            assert not caught.value.sent
    assert provider.lines == []


async def test_a_closed_client_calls_nobody(upstream: HttpUpstream) -> None:
    async with Provider() as provider:
        await body_of(await upstream.open(provider.ask()))
        await upstream.close()
        await upstream.close()
        await settled(lambda: provider.alive == 0)
        with pytest.raises(UpstreamError) as caught:
            await upstream.open(provider.ask())
        assert not caught.value.sent
