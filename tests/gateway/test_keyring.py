"""The ring of keys: one look-up for each key, none for nonsense, and nothing stale."""

import asyncio
from collections.abc import Callable

import pytest

from gateway import keyformat
from gateway.errors import StoreUnavailable, UnavailableError
from gateway.keyring import KeyRing
from gateway.snapshot import KeyEntry
from tests.factories.gateway import PEPPER, MemoryKeys, key_entry


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class SlowKeys(MemoryKeys):
    """A loader that reads at once and answers when told, so that the feed can move in between."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.meanwhile: Callable[[], None] | None = None

    async def load(self, digest: bytes) -> tuple[KeyEntry | None, int]:
        found = await super().load(digest)
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        await self.gate.wait()
        return found


def ring(keys: MemoryKeys, time: Time | None = None, **options: int) -> KeyRing:
    """Return a ring over `keys`."""
    return KeyRing(keys, PEPPER, time or Time(), **options)


async def test_a_key_is_loaded_once() -> None:
    keys = MemoryKeys()
    secret = keys.add(key_entry())
    under_test = ring(keys)
    assert [entry.key_id for _ in range(3) if (entry := await under_test.find(secret))] == ["key_1"] * 3
    assert keys.loads == 1


async def test_many_first_sights_share_one_load() -> None:
    keys = SlowKeys()
    secret = keys.add(key_entry())
    under_test = ring(keys)
    waiting = [asyncio.ensure_future(under_test.find(secret)) for _ in range(20)]
    await asyncio.sleep(0)
    waiting[0].cancel()  # who came first gives up; the others still get their answer
    keys.gate.set()
    found = await asyncio.gather(*waiting[1:])
    assert {entry.key_id for entry in found if entry} == {"key_1"}
    assert keys.loads == 1


async def test_a_bad_checksum_never_reaches_the_loader() -> None:
    keys = MemoryKeys()
    under_test = ring(keys)
    secret = keys.add(key_entry())
    for wrong in ("", "x" * 1_000_000, secret[:-1], secret[:-1] + "!", "\0" * 40, secret.swapcase()):
        assert await under_test.find(wrong) is None
    assert keys.loads == 0


async def test_an_unknown_key_is_remembered_for_five_seconds() -> None:
    keys, time = MemoryKeys(), Time()
    under_test = ring(keys, time)
    unknown = keyformat.generate("personal")
    for moment, loads in ((0.0, 1), (4.9, 1), (0.2, 2)):
        time.now += moment
        assert await under_test.find(unknown) is None
        assert keys.loads == loads


async def test_minting_a_key_forgets_that_it_was_unknown() -> None:
    keys = MemoryKeys()
    under_test = ring(keys)
    secret = keyformat.generate("personal")
    assert await under_test.find(secret) is None
    keys.add(key_entry(), secret)
    keys.revision = 8
    under_test.evict("key", "key_1", 8)
    assert await under_test.find(secret) is not None


async def test_what_is_unknown_is_bounded_and_so_is_what_is_known() -> None:
    keys = MemoryKeys()
    under_test = ring(keys, max_entries=10, max_negatives=10)
    for _ in range(50):
        await under_test.find(keyformat.generate("personal"))
    assert len(under_test._negatives) == 10
    secrets = [keys.add(key_entry(f"key_{number}")) for number in range(50)]
    for secret in secrets:
        await under_test.find(secret)
        await under_test.find(secrets[0])
    assert len(under_test) == 10
    assert len(under_test._index) == 12  # ten keys, one user, one team
    loads = keys.loads
    await under_test.find(secrets[0])  # was used all the time, so it stayed
    assert keys.loads == loads


@pytest.mark.parametrize(("kind", "id"), [("key", "key_1"), ("user", "user_1"), ("team", "team_1")])
async def test_eviction_reads_again(kind: str, id: str) -> None:
    keys = MemoryKeys()
    secret, other = keys.add(key_entry()), keys.add(key_entry("key_2", owner_id="user_2", team_id="team_2"))
    under_test = ring(keys)
    await under_test.find(secret)
    await under_test.find(other)
    keys.add(key_entry(status="revoked"), secret)
    keys.revision = 8
    under_test.evict(kind, id, 8)  # type: ignore[arg-type]
    entry = await under_test.find(secret)
    assert entry is not None
    assert entry.status == "revoked"
    await under_test.find(other)
    assert keys.loads == 3


@pytest.mark.parametrize(("kind", "id"), [("key", "key_1"), ("user", "user_1"), ("team", "team_1")])
async def test_a_read_that_the_feed_overtook_is_dropped(kind: str, id: str) -> None:
    keys = SlowKeys()
    secret = keys.add(key_entry())
    under_test = ring(keys)

    def revoked_meanwhile() -> None:
        keys.add(key_entry(status="revoked"), secret)
        keys.revision = 8
        under_test.evict(kind, id, 8)  # type: ignore[arg-type]

    keys.meanwhile = revoked_meanwhile
    keys.gate.set()
    entry = await under_test.find(secret)
    assert entry is not None
    assert entry.status == "revoked"
    assert keys.loads == 2


async def test_a_key_minted_during_its_look_up_is_found() -> None:
    keys = SlowKeys()
    secret = keyformat.generate("service")
    under_test = ring(keys)

    def minted_meanwhile() -> None:
        keys.add(key_entry(), secret)
        keys.revision = 8
        under_test.evict("key", "key_1", 8)

    keys.meanwhile = minted_meanwhile
    keys.gate.set()
    assert await under_test.find(secret) is not None


async def test_clearing_drops_what_is_being_read() -> None:
    keys = SlowKeys()
    secret = keys.add(key_entry())
    under_test = ring(keys)
    keys.meanwhile = under_test.clear
    keys.gate.set()
    assert await under_test.find(secret) is not None
    assert keys.loads == 2


async def test_a_failed_look_up_is_not_remembered() -> None:
    keys = MemoryKeys()
    secret = keys.add(key_entry())
    keys.failure = StoreUnavailable("the register of keys")
    under_test = ring(keys)
    with pytest.raises(StoreUnavailable):
        await under_test.find(secret)
    keys.failure = None
    assert await under_test.find(secret) is not None


async def test_look_ups_at_once_are_bounded() -> None:
    keys = SlowKeys()
    under_test = ring(keys, max_loads=3)
    waiting = [asyncio.ensure_future(under_test.find(keyformat.generate("personal"))) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError, match="first time"):
        await under_test.find(keyformat.generate("personal"))
    keys.gate.set()
    assert await asyncio.gather(*waiting) == [None] * 3


async def test_entries_are_found_by_the_whole_secret() -> None:
    keys = MemoryKeys()
    secret = keys.add(key_entry())
    twin = secret[:33] + ("b" if secret[33] == "a" else "a")
    keys.add(key_entry("key_2"), twin + keyformat.checksum(twin))
    under_test = ring(keys)
    first, second = await under_test.find(secret), await under_test.find(twin + keyformat.checksum(twin))
    assert first is not None
    assert second is not None
    assert (first.key_id, second.key_id) == ("key_1", "key_2")
