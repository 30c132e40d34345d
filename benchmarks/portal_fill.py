"""A large company in a PostgreSQL that holds the demo: people, teams, keys, usage and its sums, audit rows, all by SQL.

Ids sort by time as real ones do. Each day 1/125 of the keys are in use (4,000 of 500,000), each about 28 times over
eight hours, for 90 days; the demo's people and teams are among the owners, so that their pages are full.
"""

from dataclasses import dataclass

import psycopg

DAYS, ACTIVE_OF, HOURS = 90, 125, 8
DISK_BYTES_A_EVENT = 900  # rows, seven indexes, and the log while it is written


@dataclass(frozen=True)
class Size:
    """How large the company is."""

    keys: int = 500_000
    events: int = 10_000_000

    @property
    def people(self) -> int:
        return self.keys // 25

    @property
    def teams(self) -> int:
        return max(10, self.keys // 1000)


# %(…)s are numbers of `Size`. Every statement is a transaction of its own.
STATEMENTS = (
    # -- people and teams
    """INSERT INTO people_user (password, id, email, name, issuer, subject, status, created_at)
       SELECT '!', 'user_' || lpad(n::text, 22, '0'), 'person' || n || '@example.com', 'Person ' || n, '', '', 'active',
              now() - interval '200 days' FROM generate_series(1, %(people)s) n""",
    """INSERT INTO people_team (id, slug, name, status, created_at)
       SELECT 'team_' || lpad(n::text, 22, '0'), 'team-' || n, 'Team ' || n, 'active', now() - interval '200 days'
       FROM generate_series(1, %(teams)s) n""",
    """CREATE TABLE fill_owner AS SELECT id, row_number() OVER (ORDER BY email !~ '^[a-z]+@', id) - 1 AS n
       FROM people_user""",
    """CREATE TABLE fill_team AS SELECT id, row_number() OVER (ORDER BY slug LIKE 'team-%%', id) - 1 AS n
       FROM people_team""",
    """INSERT INTO people_membership (id, team_id, user_id, role, source)
       SELECT 'mem_' || lpad(o.n::text, 22, '0'), t.id, o.id, 'member', 'fill' FROM fill_owner o
       JOIN fill_team t ON t.n = o.n %% (SELECT count(*) FROM fill_team)
       ON CONFLICT DO NOTHING""",
    # -- keys, and what audit says of them
    """CREATE TABLE fill_key AS
       SELECT i AS n, 'key_' || lpad(i::text, 22, '0') AS id, o.id AS user_id, t.id AS team_id
       FROM generate_series(0, %(keys)s - 1) i
       JOIN fill_owner o ON o.n = i %% (SELECT count(*) FROM fill_owner)
       JOIN fill_team t ON t.n = o.n %% (SELECT count(*) FROM fill_team)""",
    """INSERT INTO keys_key (id, name, kind, owner_id, team_id, all_models, status, blocked_reason, expires_at, created_at,
                             last_used_client, revoked_at, ended_at)
       SELECT id, 'key ' || n, 'personal', user_id, team_id, true, CASE WHEN n %% 10 = 9 THEN 'revoked' ELSE 'active' END, '',
              now() + interval '30 days', now() - interval '90 days' + n * interval '15 seconds', '',
              CASE WHEN n %% 10 = 9 THEN now() END, CASE WHEN n %% 10 = 9 THEN now() END FROM fill_key""",
    """INSERT INTO keys_keysecret (id, key_id, digest, pepper_id, prefix, last4, status, created_at, first_used_at)
       SELECT 'sec_' || lpad(n::text, 22, '0'), id, sha256(id::bytea), 'p1', 'atp_' || lpad(n::text, 8, '0'), 'abcd', 'current',
              now(), now() FROM fill_key""",
    """INSERT INTO people_auditevent (id, at, event, actor_id, actor_label, target_kind, target_id, target_label, team_id,
                                      before, after)
       SELECT 'aud_' || lpad(n::text, 22, '0'), now() - interval '90 days' + n * interval '15 seconds', 'portal:key:mint',
              user_id, 'person', 'Key', id, 'key ' || n, team_id, '{}', jsonb_build_object('name', 'key ' || n)
       FROM fill_key""",
    # -- usage: (day, key, hour) is a cell; events lie in it
    """CREATE TABLE fill_model AS SELECT d.model_id, d.id AS deployment_id, d.provider_id,
              row_number() OVER (ORDER BY d.id) - 1 AS n FROM catalog_deployment d""",
    "CREATE SEQUENCE fill_event CACHE 1000",
    """CREATE TABLE fill_cell AS
       SELECT k.id AS key_id, k.user_id, k.team_id, m.model_id, m.deployment_id, m.provider_id,
              date_trunc('day', now(), 'UTC') - d * interval '1 day' + (8 + h) * interval '1 hour' AS hour
       FROM generate_series(0, %(days)s - 1) d
       CROSS JOIN generate_series(0, %(active)s - 1) a
       CROSS JOIN generate_series(0, %(hours)s - 1) h
       JOIN fill_key k ON k.n = (a * %(active_of)s + d) %% %(keys)s
       JOIN fill_model m ON m.n = a %% (SELECT count(*) FROM fill_model)""",
    """INSERT INTO billing_usageevent (month, request_id, attempt, at, team_id, user_id, key_id, model_id, deployment_id,
              provider_id, endpoint, streamed, client, status, code, input_tokens, cached_tokens, cache_write_tokens,
              output_tokens, reasoning_tokens, cost_nano_usd, latency_ms, ttft_ms, overhead_us, estimated, policy_version,
              price_id)
       SELECT date_trunc('month', at, 'UTC')::date, 'req_' || lpad(nextval('fill_event')::text, 22, '0'), 1, at, team_id, user_id, key_id,
              model_id, deployment_id, provider_id, 'chat.completions', false, 'OpenAI/Python/2.8.1',
              CASE WHEN random() < 0.02 THEN 429 ELSE 200 END, '', 900, 100, 0, 300, 0, 315000, 1200, 400, 300, false, 7, ''
       FROM (SELECT c.*, c.hour + random() * interval '59 minutes' AS at
             FROM fill_cell c CROSS JOIN generate_series(1, %(calls)s)) e
       ON CONFLICT DO NOTHING""",
    """INSERT INTO billing_rolluphour (team_id, user_id, key_id, application_id, model_id, provider_id, requests, errors,
              input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd, estimated, hour)
       SELECT team_id, user_id, key_id, '', model_id, provider_id, %(calls)s, 0, %(calls)s * 900, %(calls)s * 100, 0,
              %(calls)s * 300, 0, %(calls)s * 315000::bigint, 0, hour FROM fill_cell ON CONFLICT DO NOTHING""",
    """INSERT INTO billing_rollupday (team_id, user_id, key_id, application_id, model_id, provider_id, requests, errors,
              input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd, estimated, day)
       SELECT team_id, user_id, key_id, '', model_id, provider_id, sum(requests), 0, sum(input_tokens), sum(cached_tokens), 0,
              sum(output_tokens), 0, sum(cost_nano_usd), 0, (hour AT TIME ZONE 'UTC')::date
       FROM billing_rolluphour GROUP BY team_id, user_id, key_id, model_id, provider_id, (hour AT TIME ZONE 'UTC')::date
       ON CONFLICT DO NOTHING""",
    "DROP TABLE fill_owner, fill_team, fill_key, fill_model, fill_cell",
    "DROP SEQUENCE fill_event",
)
LARGE = ("billing_usageevent", "billing_rolluphour", "billing_rollupday", "people_auditevent")
INDEXES = """SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
             WHERE i.indrelid::regclass::text = ANY(%s) AND NOT i.indisunique"""


def fill(url: str, size: Size) -> None:
    """Fill the database at `url`."""
    active = max(1, size.keys // ACTIVE_OF)
    numbers = {
        "keys": size.keys,
        "people": size.people,
        "teams": size.teams,
        "days": DAYS,
        "hours": HOURS,
        "active": active,
        "active_of": ACTIVE_OF,
        "calls": max(1, round(size.events / (DAYS * active * HOURS))),
    }
    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        indexes = connection.execute(INDEXES, [list(LARGE)]).fetchall()
        for name, _ in indexes:  # made anew at the end: much faster than row by row
            connection.execute(f"DROP INDEX {name}".encode())
        for statement in STATEMENTS:
            connection.execute(statement.encode(), numbers if "%" in statement else None)
        for _, definition in indexes:
            connection.execute(definition.replace(" ON ONLY ", " ON ").encode())
        connection.execute("VACUUM ANALYZE")


def rows(url: str) -> dict[str, int]:
    """Return how much there is."""
    tables = {
        "keys": "keys_key",
        "events": "billing_usageevent",
        "people": "people_user",
        "audit rows": "people_auditevent",
    }
    with psycopg.connect(url) as connection:
        found = {name: connection.execute(f"SELECT count(*) FROM {table}".encode()) for name, table in tables.items()}  # noqa: S608
        return {name: int((cursor.fetchone() or (0,))[0]) for name, cursor in found.items()}
