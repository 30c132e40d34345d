"""The format of Atrium's keys: made, checked and hashed here and nowhere else.

`atp_` + 30 random base62 characters + 6 base62 characters of CRC32 over all that stands before
(the layout GitHub uses for its tokens; about 178 bits of randomness).
"""

import hmac
import re
import secrets
import zlib

from gateway.ids import ALPHABET, base62

PREFIXES = {"personal": "atp", "service": "ats", "temporary": "att"}
PATTERN = re.compile(r"\A(?:atp|ats|att)_[0-9A-Za-z]{36}\Z")
PUBLIC_PATTERN = r"\bat[pst]_[0-9A-Za-z]{36}\b"  # published for secret scanners
LENGTH = 40


def generate(kind: str) -> str:
    """Return a new secret of `kind` (`personal`, `service`, `temporary`)."""
    body = PREFIXES[kind] + "_" + "".join(secrets.choice(ALPHABET) for _ in range(30))
    return body + checksum(body)


def checksum(body: str) -> str:
    """Return the six base62 characters of CRC32 over `body`."""
    return base62(zlib.crc32(body.encode("ascii")), 6)


def well_formed(secret: str) -> bool:
    """Say whether `secret` has the layout and a right checksum: a typing error costs no look-up."""
    return len(secret) == LENGTH and PATTERN.match(secret) is not None and checksum(secret[:34]) == secret[34:]


def digest(secret: str, pepper: bytes) -> bytes:
    """Return HMAC-SHA256 of the whole secret under the server's pepper: what is stored and looked up."""
    return hmac.digest(pepper, secret.encode("ascii"), "sha256")
