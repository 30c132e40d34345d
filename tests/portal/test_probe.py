"""Looking at a store: rarely, one question at a time, and never waiting long."""

import asyncio

from portal.probe import WAIT_S, Probe


class Store:
    """Answers, fails, or says nothing until it is told to."""

    def __init__(self) -> None:
        self.asked, self.broken = 0, False
        self.talks = asyncio.Event()
        self.talks.set()

    async def ask(self) -> None:
        self.asked += 1
        await self.talks.wait()
        if self.broken:
            raise OSError("gone")


async def test_many_health_checks_ask_once() -> None:
    store = Store()
    probe = Probe(store.ask)
    found = await asyncio.gather(*(probe.look() for _ in range(50)))
    assert all(finding.ok and finding.ms is not None for finding in found)
    assert store.asked == 1


async def test_a_store_that_fails_is_down() -> None:
    store = Store()
    store.broken = True
    assert not (await Probe(store.ask).look()).ok


async def test_a_silent_store_is_asked_once_and_found_again() -> None:
    store = Store()
    store.talks.clear()
    probe = Probe(store.ask)
    async with asyncio.timeout(WAIT_S * 10):
        for _ in range(5):
            assert not (await probe.look()).ok
    assert store.asked == 1
    store.talks.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (await probe.look()).ok
