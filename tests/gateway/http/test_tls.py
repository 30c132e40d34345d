"""TLS: whom the client trusts, and that whom it does not trust gets no byte of a request."""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.errors import UpstreamError
from gateway.http.client import HttpUpstream
from gateway.http.resolver import Address, Resolver
from tests.gateway.http.authority import Authority
from tests.gateway.http.provider import HELLO, Line, Provider, body_of, settled

NAME = "api.provider.test"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """A certificate authority."""
    return Authority(tmp_path_factory.mktemp("authority"))


async def here(host: str, port: int) -> list[Address]:
    """Find every name on this machine."""
    return [(socket.AF_INET, ("127.0.0.1", port))]


@asynccontextmanager
async def trusting(authority: Authority) -> AsyncIterator[HttpUpstream]:
    """A client that trusts this authority."""
    upstream = HttpUpstream(authority.client(), Resolver(here))
    yield upstream
    await upstream.close()


async def test_a_good_certificate(authority: Authority) -> None:
    seen: list[tuple[object, object]] = []

    async def serve(line: Line) -> None:
        secured = line.writer.get_extra_info("ssl_object")
        seen.append((secured.selected_alpn_protocol(), names[-1]))
        while True:
            await line.request()
            await line.send(HELLO)

    names: list[str | None] = []
    context = authority.server(NAME)
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    async with Provider(serve, context) as provider, trusting(authority) as upstream:
        for _ in range(3):
            assert await body_of(await upstream.open(provider.ask(host=NAME))) == b"hello"
    assert seen == [("http/1.1", NAME)]
    assert len(provider.requests) == 3


@pytest.mark.parametrize(
    ("why", "names", "bad"),
    [
        ("another name", ["other.test"], {}),
        ("no name", [], {}),
        ("a wildcard too wide", ["*.test"], {}),
        ("expired", [NAME], {"expired": True}),
        ("self-signed", [NAME], {"self_signed": True}),
    ],
)
async def test_a_bad_certificate_gets_no_byte_of_a_request(
    authority: Authority, why: str, names: list[str], bad: dict[str, bool]
) -> None:
    received: list[bytes] = []

    async def serve(line: Line) -> None:
        received.append(await line.reader.read(1))

    async with Provider(serve, authority.server(*(names or ["*.invalid"]), **bad)) as provider:
        async with trusting(authority) as upstream:
            for _ in range(2):
                with pytest.raises(UpstreamError) as caught:
                    await upstream.open(provider.ask(host=NAME))
                assert (caught.value.sent, caught.value.code) == (False, "upstream_unreachable")
                assert isinstance(caught.value.__cause__, ssl.SSLError)
            [(_, pool)] = upstream.pools()
            assert len(pool) == 0
        await asyncio.sleep(0.01)
    assert b"".join(received) == b"", why


async def test_an_authority_that_is_not_trusted(authority: Authority, tmp_path: Path) -> None:
    async with Provider(tls=Authority(tmp_path).server(NAME)) as provider, trusting(authority) as upstream:
        with pytest.raises(UpstreamError) as caught:
            await upstream.open(provider.ask(host=NAME))
        assert not caught.value.sent


async def test_a_server_without_tls_gets_no_byte_of_a_request(authority: Authority) -> None:
    received: list[bytes] = []

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(65536))
        writer.write(HELLO)
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with Provider(tls=authority.server(NAME)) as provider, trusting(authority) as upstream:
        provider.port = server.sockets[0].getsockname()[1]
        with pytest.raises(UpstreamError) as caught:
            await upstream.open(provider.ask(host=NAME))
        assert not caught.value.sent
    server.close()
    await settled(lambda: bool(received))
    assert b"POST" not in b"".join(received)


async def test_a_handshake_that_does_not_end_is_given_up(authority: Authority) -> None:
    ended = 0

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal ended
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                pass
        writer.close()
        ended += 1

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with Provider(tls=authority.server(NAME)) as provider, trusting(authority) as upstream:
        provider.port = server.sockets[0].getsockname()[1]
        with pytest.raises(UpstreamError) as caught:
            await upstream.open(provider.ask(host=NAME, connect_timeout_s=0.1))
        assert not caught.value.sent
        calling = asyncio.create_task(upstream.open(provider.ask(host=NAME)))
        await asyncio.sleep(0.05)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert [len(pool) for _, pool in upstream.pools()] == [0, 0]
        await settled(lambda: ended == 2)
    server.close()


async def test_large_bodies_and_long_answers(authority: Authority) -> None:
    answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"8000\r\n%b\r\n" % (b"x" * 0x8000) * 200
    answer += b"0\r\n\r\n"

    async def serve(line: Line) -> None:
        while True:
            await line.request()
            await line.send(answer)

    body = b"y" * (3 << 20)
    async with Provider(serve, authority.server(NAME)) as provider, trusting(authority) as upstream:
        for _ in range(2):
            got = await body_of(await upstream.open(provider.ask(body, host=NAME)))
            assert len(got) == 0x8000 * 200
    assert all(request.endswith(body) for request in provider.requests)
    assert len(provider.lines) == 1


async def test_a_provider_that_closed_an_idle_connection_is_dialled_anew(authority: Authority) -> None:
    async def serve(line: Line) -> None:
        await line.request()
        await line.send(HELLO)

    async with Provider(serve, authority.server(NAME)) as provider, trusting(authority) as upstream:
        for _ in range(3):
            assert await body_of(await upstream.open(provider.ask(host=NAME))) == b"hello"
            await settled(lambda: not any(len(pool) for _, pool in upstream.pools()))
    assert len(provider.lines) == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello",
        HELLO + HELLO,
        b"HTTP/1.1 200 OK\r\n\r\nhello",
    ],
)
async def test_a_connection_that_is_not_clean_is_not_used_again(authority: Authority, answer: bytes) -> None:
    async def serve(line: Line) -> None:
        await line.request()
        await line.send(answer)
        if b"content-length" in answer:
            await line.gone()

    async with Provider(serve, authority.server(NAME)) as provider, trusting(authority) as upstream:
        for _ in range(2):
            assert await body_of(await upstream.open(provider.ask(host=NAME))) == b"hello"
        await settled(lambda: provider.alive == 0)
    assert len(provider.lines) == 2


@pytest.mark.parametrize("head", [b"content-length: 9\r\n", b"transfer-encoding: chunked\r\n"])
async def test_an_answer_that_breaks_off(authority: Authority, head: bytes) -> None:
    async def serve(line: Line) -> None:
        await line.request()
        await line.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n5\r\nhel")
        await go.wait()
        line.writer.transport.abort()

    go = asyncio.Event()
    async with Provider(serve, authority.server(NAME)) as provider, trusting(authority) as upstream:
        response = await upstream.open(provider.ask(host=NAME))
        assert (await response.chunk()).endswith(b"hel")
        go.set()
        with pytest.raises(UpstreamError, match="broke off"):
            await response.chunk()
        response.close()


@pytest.mark.parametrize("tls", [False, True])
async def test_a_goodbye_that_lies_unread_is_seen_before_a_request_goes_out(authority: Authority, tls: bool) -> None:
    """The connection is shut beneath the provider's loop and ours, so that neither has read of it yet."""
    context = authority.server(NAME) if tls else None
    async with Provider(tls=context) as provider, trusting(authority) as upstream:
        assert await body_of(await upstream.open(provider.ask(host=NAME))) == b"hello"
        [(_, pool)] = upstream.pools()
        later = asyncio.get_running_loop().time() + 5.0
        connection = pool.take(later)
        assert connection is not None, "all is quiet, so it can be used"
        pool.put(connection)
        theirs = provider.lines[0].writer.get_extra_info("socket").fileno()
        with socket.socket(fileno=os.dup(theirs)) as same:
            same.shutdown(socket.SHUT_RDWR)
        assert pool.take(later) is None
        assert await body_of(await upstream.open(provider.ask(host=NAME))) == b"hello"
    assert len(provider.lines) == 2


@pytest.mark.parametrize("lax", ["check_hostname", "verify_mode"])
def test_a_context_that_does_not_verify_is_refused(lax: str) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    if lax == "verify_mode":
        context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ValueError, match="verified"):
        HttpUpstream(context)


async def test_the_systems_authorities_are_trusted_and_can_be_named(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    named = HttpUpstream(resolver=Resolver(here))
    monkeypatch.delenv("SSL_CERT_FILE")
    usual = HttpUpstream(resolver=Resolver(here))
    async with Provider(tls=authority.server(NAME)) as provider:
        assert await body_of(await named.open(provider.ask(host=NAME))) == b"hello"
        with pytest.raises(UpstreamError):
            await usual.open(provider.ask(host=NAME))
        await named.close()
        await usual.close()
