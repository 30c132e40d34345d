"""Fills a database with keys: their rows by SQL, so that half a million take seconds; the secrets of some are known."""

import hashlib
import hmac
from collections.abc import Sequence

import psycopg

from gateway import keyformat
from gateway.ids import new_id

KEYS, KNOWN = 500_000, 5_000
_COPY = (
    "COPY keys_key (id, name, kind, owner_id, team_id, all_models, status, blocked_reason, expires_at, created_at, "
    "last_used_client) FROM STDIN"
)
_COPY_SECRETS = (
    "COPY keys_keysecret (id, key_id, digest, pepper_id, prefix, last4, status, created_at, first_used_at) FROM STDIN"
)


def fill(url: str, pepper: str, keys: int = KEYS, known: int = KNOWN) -> Sequence[str]:
    """Add `keys` keys of whoever has the oldest key; return the secrets of the first `known`, which work."""
    secrets = [keyformat.generate("personal") for _ in range(known)]
    with psycopg.connect(url, autocommit=True) as connection:
        owner, team = connection.execute(
            "SELECT owner_id, team_id FROM keys_key WHERE status = 'active' ORDER BY created_at LIMIT 1"
        ).fetchone() or ("", "")
        now, until = connection.execute("SELECT now(), now() + interval '90 days'").fetchone() or ("", "")
        ids = [new_id("key") for _ in range(keys)]
        with connection.cursor().copy(_COPY) as copy:
            for number, key_id in enumerate(ids):
                row = key_id, f"bench {number}", "personal", owner, team, True, "active", "", until, now, ""
                copy.write_row(row)
        with connection.cursor().copy(_COPY_SECRETS) as copy:
            for number, key_id in enumerate(ids):
                if number < known:
                    secret = secrets[number]
                    digest = hmac.digest(pepper.encode(), secret.encode(), "sha256")
                    prefix, last4 = secret[:12], secret[-4:]
                else:
                    digest, prefix, last4 = hashlib.sha256(key_id.encode()).digest(), "atp_00000000", "0000"
                copy.write_row((new_id("sec"), key_id, digest, "p1", prefix, last4, "current", now, now))
        connection.execute("ANALYZE")
    return secrets
