"""Opaque, time-ordered identifiers: `team_0BqzK3…`, `req_0BqzK4…`."""

import random
import time

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]


def base62(number: int, width: int) -> str:
    """Write `number` in base 62 with the fixed alphabet `0-9A-Za-z`, left-padded to `width` characters."""
    pairs = []
    while number:
        number, pair = divmod(number, 3844)
        pairs.append(_PAIRS[pair])
    pairs.reverse()
    return "".join(pairs).lstrip("0").rjust(width, "0")


def uuid7_int(now_ms: int | None = None) -> int:
    """Return a UUIDv7 (RFC 9562, section 5.7) as an integer: 48 bits of milliseconds, then randomness."""
    stamp = int(time.time() * 1000) if now_ms is None else now_ms
    rand_a, rand_b = random.getrandbits(12), random.getrandbits(62)
    return (stamp & ((1 << 48) - 1)) << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b


def new_id(prefix: str) -> str:
    """Return a new identifier: `prefix`, `_` and 22 base62 characters that sort by time of creation."""
    return f"{prefix}_{base62(uuid7_int(), 22)}"
