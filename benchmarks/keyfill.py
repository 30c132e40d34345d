"""Fills a database with keys: half a million rows by SQL, and a few thousand of which the secrets are known."""

import hmac
from collections.abc import Sequence

import psycopg

from gateway import keyformat

KEYS, KNOWN = 500_000, 5_000

# Keys of whoever has the oldest one. Ids as long as real ones.
_KEYS = """
    INSERT INTO keys_key (id, name, kind, owner_id, team_id, all_models, status, blocked_reason, expires_at, created_at,
                          last_used_client)
    SELECT 'key_' || lpad(n::text, 22, '0'), 'bench ' || n, 'personal', owner_id, team_id, true, 'active', '',
           now() + interval '90 days', now(), ''
    FROM generate_series(1, %s) n, (SELECT owner_id, team_id FROM keys_key ORDER BY created_at LIMIT 1) first
"""
_SECRETS = """
    INSERT INTO keys_keysecret (id, key_id, digest, pepper_id, prefix, last4, status, created_at, first_used_at)
    SELECT 'sec_' || lpad(n::text, 22, '0'), 'key_' || lpad(n::text, 22, '0'), sha256(n::text::bytea), 'p1', 'atp_00000000',
           '0000', 'current', now(), now()
    FROM generate_series(1, %s) n
"""
_KNOWN = "UPDATE keys_keysecret SET digest = %s, prefix = %s, last4 = %s WHERE id = 'sec_' || lpad(%s::text, 22, '0')"


def fill(url: str, pepper: str, keys: int = KEYS, known: int = KNOWN) -> Sequence[str]:
    """Add `keys` keys; return the secrets of `known` of them, spread over all."""
    secrets = [keyformat.generate("personal") for _ in range(known)]
    with psycopg.connect(url) as connection:
        connection.execute(_KEYS, [keys])
        connection.execute(_SECRETS, [keys])
        rows = [
            (hmac.digest(pepper.encode(), secret.encode(), "sha256"), secret[:12], secret[-4:], 1 + n * keys // known)
            for n, secret in enumerate(secrets)
        ]
        connection.cursor().executemany(_KNOWN, rows)
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")
    return secrets
