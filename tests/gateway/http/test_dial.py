"""Addresses: how names are resolved, which of their addresses are dialled, and in which order."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.addresses import PrivateAddressError
from gateway.errors import UpstreamError
from gateway.http.client import HttpUpstream
from gateway.http.dial import Dialler, first_of, interleaved
from gateway.http.resolver import Address, Resolver
from gateway.http.target import Origin
from tests.gateway.http.provider import Provider, body_of
from tests.gateway.live import TLS

V4, V6 = socket.AF_INET, socket.AF_INET6


class Names:
    """A name server that says what it is told, and counts."""

    def __init__(self, *answers: list[Address] | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, host: str, port: int) -> list[Address]:
        self.asked.append((host, port))
        await self.gate.wait()
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@asynccontextmanager
async def client(names: Names) -> AsyncIterator[HttpUpstream]:
    """A client that asks these names."""
    upstream = HttpUpstream(TLS, Resolver(names))
    yield upstream
    await upstream.close()


async def test_a_name_is_asked_once_for_many_and_remembered() -> None:
    names = Names([(V4, ("10.0.0.1", 80))])
    names.gate.clear()
    resolver = Resolver(names)
    asking = [asyncio.create_task(resolver.addresses("a.test", 80)) for _ in range(5)]
    await asyncio.sleep(0)
    asking[0].cancel()
    names.gate.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [[(V4, ("10.0.0.1", 80))]] * 4
    assert await resolver.addresses("a.test", 80) == found[1]
    assert names.asked == [("a.test", 80)]


async def test_what_was_found_is_forgotten_and_what_failed_never_remembered() -> None:
    names = Names(OSError("no such name"), [(V4, ("10.0.0.1", 80))], [(V4, ("10.0.0.2", 80))])
    resolver = Resolver(names, remembered_s=0.0)
    with pytest.raises(OSError, match="no such name"):
        await resolver.addresses("a.test", 80)
    assert await resolver.addresses("a.test", 80) == [(V4, ("10.0.0.1", 80))]
    assert await resolver.addresses("a.test", 80) == [(V4, ("10.0.0.2", 80))]


async def test_the_system_is_asked_for_names_and_nobody_for_addresses() -> None:
    found = await Resolver().addresses("localhost", 80)
    assert {address[0] for _, address in found} <= {"127.0.0.1", "::1"}
    nobody = Resolver(Names(OSError("asked")))
    assert await nobody.addresses("127.0.0.1", 80) == [(V4, ("127.0.0.1", 80))]
    assert await nobody.addresses("::1", 80) == [(V6, ("::1", 80))]


def test_families_take_turns_the_preferred_one_first() -> None:
    six, four = [(V6, (f"::{n}", 1)) for n in range(3)], [(V4, (f"127.0.0.{n}", 1)) for n in range(2)]
    assert interleaved([*six, *four]) == [six[0], four[0], six[1], four[1], six[2]]
    assert interleaved([*four, *six]) == [four[0], six[0], four[1], six[1], six[2]]
    assert interleaved([]) == []


@asynccontextmanager
async def deaf() -> AsyncIterator[int]:
    """Give a port that takes no connection and refuses none: its queue is full."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        queue = [socket.socket() for _ in range(4)]
        for waiting in queue:
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        await asyncio.sleep(0.05)
        yield listening.getsockname()[1]
        for waiting in queue:
            waiting.close()


def refused() -> Address:
    """Return an address where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return V4, unused.getsockname()


async def test_the_first_address_that_answers_is_taken() -> None:
    async with Provider() as provider, deaf() as port:
        good: Address = (V4, ("127.0.0.1", provider.port))
        silent: Address = (V4, ("127.0.0.1", port))
        for addresses in ([good], [refused(), good], [silent, good], [silent, refused(), good], [good, silent]):
            async with asyncio.timeout(5):
                connected = await first_of(addresses)
            assert connected.getpeername()[1] == provider.port
            connected.close()


async def test_no_address_answers() -> None:
    for addresses in ([], [refused()], [refused(), refused()]):
        with pytest.raises(OSError, match=r".*"):
            await first_of(addresses)


async def test_giving_up_while_addresses_are_tried() -> None:
    async with deaf() as port:
        silent: Address = (V4, ("127.0.0.1", port))
        for addresses in ([silent], [silent, silent, silent]):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.4):
                    await first_of(addresses)


async def test_a_host_that_does_not_answer_is_given_up_in_time_and_was_sent_nothing() -> None:
    async with deaf() as port, client(Names([(V4, ("127.0.0.1", port))])) as upstream, Provider() as provider:
        with pytest.raises(UpstreamError) as caught:
            await upstream.open(provider.ask(host="deaf.test", connect_timeout_s=0.1))
    assert (caught.value.sent, caught.value.code) == (False, "upstream_connect_timeout")


async def test_a_name_that_does_not_resolve_harms_nobody_else() -> None:
    names = Names([(V4, ("127.0.0.1", 9))])
    names.gate.clear()
    async with Provider() as provider, client(names) as upstream:
        with pytest.raises(UpstreamError) as caught:
            await upstream.open(provider.ask(host="slow.test", connect_timeout_s=0.05))
        assert not caught.value.sent
        assert await body_of(await upstream.open(provider.ask())) == b"hello"


async def test_only_public_addresses_are_dialled_where_the_provider_is_not_internal() -> None:
    async with Provider() as provider:
        here: Address = (V4, ("127.0.0.1", provider.port))
        private: list[Address] = [
            here,
            (V6, ("::1", provider.port, 0, 0)),
            (V6, ("::ffff:127.0.0.1", provider.port, 0, 0)),
        ]
        async with client(Names(private)) as upstream:
            with pytest.raises(UpstreamError, match="not marked as internal") as caught:
                await upstream.open(provider.ask(host="rebind.test", internal=False))
            assert (caught.value.sent, caught.value.retry) == (False, False)
            assert await body_of(await upstream.open(provider.ask(host="rebind.test"))) == b"hello"
    assert [request.split(b"\r\n")[1] for request in provider.requests] == [b"host: rebind.test:%d" % provider.port]


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost"])
async def test_no_spelling_of_a_private_address_gets_through(upstream: HttpUpstream, host: str) -> None:
    async with Provider() as provider:
        with pytest.raises(UpstreamError) as caught:
            await upstream.open(provider.ask(host=host, internal=False))
        assert not caught.value.sent
    assert provider.lines == []


async def test_the_judged_address_is_the_dialled_one() -> None:
    """A name that changes its answer between the check and the call gains nothing: there is no second question."""
    names = Names([(V4, ("93.184.216.34", 1))], [(V4, ("127.0.0.1", 1))])
    with pytest.raises(Exception, match=r"93\.184\.216\.34"):  # the tests' guard names the address that was dialled
        await Dialler(TLS, Resolver(names)).dial(Origin(False, "rebind.test", 1), False, asyncio.Protocol())
    assert len(names.asked) == 1


async def test_a_private_address_is_an_os_error() -> None:
    with pytest.raises(PrivateAddressError):
        await Dialler(TLS, Resolver()).dial(Origin(False, "10.0.0.1", 1), False, asyncio.Protocol())
