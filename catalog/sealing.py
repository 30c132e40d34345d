"""Envelope encryption of provider credentials, bound to their row."""

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

MAGIC = b"A1"
NONCE, KEY = 12, 32


class CannotOpen(Exception):
    """A sealed value does not belong to this row, was altered, or was sealed under another key."""


def _key_encryption_key() -> AESGCM:
    return AESGCM(hashlib.sha256(b"atrium kek\0" + settings.KEY_ENCRYPTION_KEY).digest())


def seal(plain: str, table: str, row: str) -> bytes:
    """Encrypt `plain` with a fresh AES-256-GCM data key, itself wrapped by the key-encryption key; bound to `table` and `row`."""
    bound = f"{table}|{row}|{settings.ORGANISATION_ID}".encode()
    data_key, nonce, wrap_nonce = os.urandom(KEY), os.urandom(NONCE), os.urandom(NONCE)
    wrapped = _key_encryption_key().encrypt(wrap_nonce, data_key, MAGIC + bound)
    return MAGIC + wrap_nonce + wrapped + nonce + AESGCM(data_key).encrypt(nonce, plain.encode(), bound)


def unseal(sealed: bytes, table: str, row: str) -> str:
    """Decrypt what `seal` made for the same `table` and `row`. Raises CannotOpen otherwise."""
    bound = f"{table}|{row}|{settings.ORGANISATION_ID}".encode()
    sealed = bytes(sealed)
    cut = len(MAGIC) + NONCE
    wrapped_end = cut + KEY + 16
    try:
        if sealed[: len(MAGIC)] != MAGIC:
            raise CannotOpen(f"the sealed value of {table} {row} has an unknown format")
        data_key = _key_encryption_key().decrypt(sealed[len(MAGIC) : cut], sealed[cut:wrapped_end], MAGIC + bound)
        return (
            AESGCM(data_key)
            .decrypt(sealed[wrapped_end : wrapped_end + NONCE], sealed[wrapped_end + NONCE :], bound)
            .decode()
        )
    except (InvalidTag, ValueError):
        raise CannotOpen(f"the sealed value of {table} {row} cannot be opened with this key") from None


def fingerprint(plain: str) -> str:
    """Return a keyed hash, by which a secret can be recognised but not found out."""
    return hmac.digest(settings.KEY_ENCRYPTION_KEY, b"fingerprint\0" + plain.encode(), "sha256").hex()
