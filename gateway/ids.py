"""Opaque, time-ordered identifiers: `team_0351Ro5iS50be9Qev2BTeP`, `req_0351Ro5iXvt2nGc1hlTXr4`."""

import random
import time
from binascii import b2a_base64
from functools import lru_cache

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
STAMP, NOISE = 9, 13  # characters of time and of chance
_LETTERS = bytes.maketrans(b"+/", b"Aa")  # two letters come a little more often than others, which does no harm


def base62(number: int, width: int) -> str:
    """Write `number` in base 62 with the fixed alphabet `0-9A-Za-z`, left-padded to `width` characters."""
    digits = []
    while number:
        number, digit = divmod(number, 62)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits)).rjust(width, "0")


def new_id(prefix: str) -> str:
    """Return a new identifier: `prefix`, `_` and 22 characters of base 62 that sort by time of creation.

    As in a UUIDv7 (RFC 9562, section 5.7) there are milliseconds first, then 77 bits of chance: unique, and no secret.
    """
    noise = b2a_base64(random.getrandbits(80).to_bytes(10, "big"))
    return f"{prefix}_{stamp(time.time_ns() // 1_000_000)}{noise[:NOISE].translate(_LETTERS).decode()}"


def stamp(now_ms: int) -> str:
    """Return the part of an identifier that tells when it was made."""
    rest = now_ms % 3844
    return f"{_slow_digits(now_ms // 3844)}{ALPHABET[rest // 62]}{ALPHABET[rest % 62]}"


@lru_cache(maxsize=8)
def _slow_digits(number: int) -> str:
    """Return all digits of a stamp but the last two: they change every four seconds."""
    return base62(number, STAMP - 2)
