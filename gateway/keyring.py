"""The keys this process has seen, in memory: one database read on first sight, none after.

Entries are found by a fingerprint of the whole secret, never by a part of it, and no secret is kept. The fingerprint is
keyed BLAKE2b (RFC 7693) under a key that is made anew in each process: it is worth nothing elsewhere, and takes a
quarter of the time of the stored HMAC, which is computed at the first sight alone. Unknown secrets are remembered for a
few seconds only, boundedly, since anyone can make a secret with a right checksum.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b
from typing import Literal

from gateway import keyformat
from gateway.errors import UnavailableError
from gateway.snapshot import KeyEntry, KeyLoader

Kind = Literal["key", "user", "team"]

RELOADS = 3
FINGERPRINT_BYTES = 16


class KeyRing:
    """Finds the entry of a secret. Evict what the change feed names; status and deadlines are checked by the caller."""

    def __init__(
        self,
        loader: KeyLoader,
        pepper: bytes,
        monotonic: Callable[[], float],
        *,
        max_entries: int = 50_000,
        max_negatives: int = 10_000,
        negative_life_s: float = 5.0,
        max_loads: int = 500,
    ) -> None:
        self._loader = loader
        self._pepper = pepper
        self._salt = secrets.token_bytes(32)
        self._monotonic = monotonic
        self._max_entries = max_entries
        self._max_negatives = max_negatives
        self._negative_life_s = negative_life_s
        self._max_loads = max_loads
        self._entries: OrderedDict[bytes, KeyEntry] = OrderedDict()
        self._index: dict[tuple[Kind, str], set[bytes]] = {}
        self._negatives: dict[bytes, float] = {}  # fingerprint → when it is forgotten
        self._loads: dict[bytes, asyncio.Task[KeyEntry | None]] = {}
        self._moved: dict[tuple[Kind, str], int] = {}  # what the feed named while loads are under way
        self._keys_moved = -1
        self._cleared = 0

    def known(self, secret: str) -> KeyEntry | None:
        """Return the entry of a secret that was seen before; None says that `find` has to be asked."""
        if len(secret) != keyformat.LENGTH:
            return None
        fingerprint = self._fingerprint(secret)
        entry = self._entries.get(fingerprint)
        if entry is not None:
            self._entries.move_to_end(fingerprint)
        return entry

    async def find(self, secret: str) -> KeyEntry | None:
        """Return the entry of `secret`, or None when there is no such key.

        Raises StoreUnavailable when an unseen key cannot be looked up, UnavailableError when too many are at once.
        """
        if not keyformat.well_formed(secret):  # a typing error costs no look-up
            return None
        known = self.known(secret)
        if known is not None:
            return known
        fingerprint = self._fingerprint(secret)
        forgotten_at = self._negatives.get(fingerprint)
        if forgotten_at is not None:
            if self._monotonic() < forgotten_at:
                return None
            del self._negatives[fingerprint]
        return await asyncio.shield(self._load_once(fingerprint, keyformat.digest(secret, self._pepper)))

    def used(self, entry: KeyEntry, secret: str) -> None:
        """Report the first use of a pending secret, once."""
        fingerprint = self._fingerprint(secret)
        if self._entries.get(fingerprint) is entry:
            self._entries[fingerprint] = replace(entry, secret_pending=False)
        self._loader.used_pending(entry)

    def evict(self, kind: Kind, id: str, revision: int) -> None:
        """Forget every entry of this key, user or team: row `revision` of the feed named it."""
        if self._loads:
            self._note_moved(kind, id, revision)
        if kind == "key":
            self._keys_moved = max(revision, self._keys_moved)
            self.drop_negatives()
        for fingerprint in tuple(self._index.get((kind, id), ())):
            self._forget(fingerprint)

    def drop_negatives(self) -> None:
        """Forget which secrets were unknown: a new key may be among them."""
        self._negatives.clear()

    def clear(self) -> None:
        """Forget everything, as after the feed was lost."""
        self._entries.clear()
        self._index.clear()
        self._negatives.clear()
        self._cleared += 1

    def __len__(self) -> int:
        return len(self._entries)

    def _load_once(self, fingerprint: bytes, digest: bytes) -> asyncio.Task[KeyEntry | None]:
        task = self._loads.get(fingerprint)
        if task is None:
            if len(self._loads) >= self._max_loads:
                raise UnavailableError(
                    "Too many keys are being seen for the first time right now. Try again in a second.",
                    code="overloaded",
                    retry_after_s=1,
                )
            task = asyncio.get_running_loop().create_task(self._load(fingerprint, digest))
            self._loads[fingerprint] = task
            task.add_done_callback(lambda done: self._loaded(fingerprint, done))
        return task

    def _loaded(self, fingerprint: bytes, task: asyncio.Task[KeyEntry | None]) -> None:
        del self._loads[fingerprint]
        if not self._loads:
            self._moved.clear()
        if not task.cancelled():
            task.exception()  # whoever waits gets it; nobody may be waiting any more

    def _note_moved(self, kind: Kind, id: str, revision: int) -> None:
        if len(self._moved) >= self._max_entries:  # loads never paused: let those under way read again
            self._moved.clear()
            self._cleared += 1
        self._moved[kind, id] = max(revision, self._moved.get((kind, id), -1))

    async def _load(self, fingerprint: bytes, digest: bytes) -> KeyEntry | None:
        """Ask the loader; read again while the feed has moved past what the read saw."""
        entry = None
        for _ in range(RELOADS):
            cleared = self._cleared
            entry, revision = await self._loader.load(digest)
            if cleared != self._cleared:
                continue
            if entry is None:
                if self._keys_moved <= revision:
                    self._remember_unknown(fingerprint)
                    return None
            elif not self._moved_past(entry, revision):
                self._keep(fingerprint, entry)
                return entry
        return entry  # the feed moves faster than we read: use this once, keep nothing

    def _moved_past(self, entry: KeyEntry, revision: int) -> bool:
        return any(self._moved.get(name, -1) > revision for name in _names(entry))

    def _keep(self, fingerprint: bytes, entry: KeyEntry) -> None:
        self._entries[fingerprint] = entry
        for name in _names(entry):
            self._index.setdefault(name, set()).add(fingerprint)
        if len(self._entries) > self._max_entries:
            self._forget(next(iter(self._entries)))

    def _forget(self, fingerprint: bytes) -> None:
        entry = self._entries.pop(fingerprint)
        for name in _names(entry):
            fingerprints = self._index[name]
            fingerprints.discard(fingerprint)
            if not fingerprints:
                del self._index[name]

    def _remember_unknown(self, fingerprint: bytes) -> None:
        if len(self._negatives) >= self._max_negatives:
            del self._negatives[next(iter(self._negatives))]
        self._negatives[fingerprint] = self._monotonic() + self._negative_life_s

    def _fingerprint(self, secret: str) -> bytes:
        return blake2b(secret.encode(), key=self._salt, digest_size=FINGERPRINT_BYTES).digest()


def _names(entry: KeyEntry) -> tuple[tuple[Kind, str], tuple[Kind, str], tuple[Kind, str]]:
    return ("key", entry.key_id), ("user", entry.owner_id), ("team", entry.team_id)
