"""Opaque, time-ordered identifiers: `team_0BqzK3…`, `req_0BqzK4…`."""

import os
import time

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def base62(number: int, width: int) -> str:
    """Write `number` in base 62 with the fixed alphabet `0-9A-Za-z`, left-padded to `width` characters."""
    digits = []
    while number:
        number, digit = divmod(number, 62)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits)).rjust(width, "0")


def uuid7_int(now_ms: int | None = None) -> int:
    """Return a UUIDv7 (RFC 9562, section 5.7) as an integer: 48 bits of milliseconds, then randomness."""
    stamp = int(time.time() * 1000) if now_ms is None else now_ms
    random = int.from_bytes(os.urandom(10), "big")
    rand_a, rand_b = (random >> 62) & 0xFFF, random & ((1 << 62) - 1)
    return (stamp & ((1 << 48) - 1)) << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b


def new_id(prefix: str) -> str:
    """Return a new identifier: `prefix`, `_` and 22 base62 characters that sort by time of creation."""
    return f"{prefix}_{base62(uuid7_int(), 22)}"
