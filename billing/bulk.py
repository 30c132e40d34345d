"""Many rows by one statement, never by model objects: usage events go in by COPY on PostgreSQL, by `executemany` on SQLite."""

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import msgspec
from django.db import connection

from gateway.journal.records import Closed, Opened

Attempt = tuple[Opened, Closed]
Name = tuple[str, int]  # request id, attempt

HOUR_MS = 3_600_000
TABLE = "billing_usageevent"
STAGING = "usage_staging"
COLUMNS = (
    "month", "request_id", "attempt", "at", "team_id", "user_id", "key_id", "application_id", "model_id",
    "deployment_id", "provider_id", "endpoint", "streamed", "client", "policy_version", "price_id", "status", "code",
    "input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost_nano_usd",
    "latency_ms", "ttft_ms", "overhead_us", "estimated", "asked_model_id", "units",
)  # fmt: skip
_LIST = ", ".join(COLUMNS)
_MARKS = ", ".join(["%s"] * len(COLUMNS))

Row = tuple[str | int | None, ...]
_PIECE = 200  # rows, about 60 kB: more is memory that malloc fetches from the system and gives back each time
_encode_lines = msgspec.json.Encoder().encode_lines


def insert(attempts: Mapping[Name, Attempt]) -> set[Name]:
    """Insert the events of `attempts`; returns the names of those that were there before. Needs a transaction."""
    if not attempts:
        return set()
    return _copy(_rows(attempts)) if connection.vendor == "postgresql" else _execute_many(attempts)


def mark_hours(numbers: Iterable[int]) -> None:
    """Mark hours (since the epoch) for the roll-up."""
    hours = [(moment(number * HOUR_MS),) for number in sorted(numbers)]
    if hours:
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO billing_dirtyhour (hour) VALUES (%s)", hours)


def update(statement: str, columns: Mapping[str, str], rows: Sequence[Sequence[object]], *more: str) -> None:
    """Run an UPDATE that joins `given`, a table made of `rows` with these `columns` (name: PostgreSQL's type).

    `more` fills the statement's own `%s`.
    """
    if connection.vendor == "postgresql":
        shape = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        given = f"SELECT * FROM json_to_recordset(%s) AS given ({shape})"  # noqa: S608  # constant names
        sent: object = [dict(zip(columns, row, strict=True)) for row in rows]
    else:
        parts = ", ".join(f"json_extract(value, '$[{number}]') AS {name}" for number, name in enumerate(columns))
        given, sent = f"SELECT {parts} FROM json_each(%s)", rows  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(f"WITH given AS ({given}) {statement}", [msgspec.json.encode(sent).decode(), *more])


def locked(table: str) -> str:
    """Continue an `update`: lock the rows of `table` that `given` names in order of id, so that no two updates wait in a circle."""
    if connection.vendor != "postgresql":
        return ", locked AS (SELECT id FROM given)"
    return f", locked AS (SELECT {table}.id FROM {table} JOIN given USING (id) ORDER BY id FOR UPDATE OF {table})"  # noqa: S608


def _copy(rows: list[Row]) -> set[Name]:
    with connection.cursor() as cursor:
        # Looked up first: CREATE … IF NOT EXISTS would send a notice each time.
        cursor.execute("SELECT to_regclass(%s)", [f"pg_temp.{STAGING}"])
        if cursor.fetchone()[0] is None:
            cursor.execute(f"CREATE TEMPORARY TABLE {STAGING} (LIKE {TABLE}) ON COMMIT DELETE ROWS")
        pieces = _csv(rows)
        form = "(FORMAT csv, NULL 'null')" if pieces else ""
        with connection.wrap_database_errors, cursor.copy(f"COPY {STAGING} ({_LIST}) FROM STDIN {form}") as copy:
            for piece in pieces:
                copy.write(piece)
            if not pieces:
                for row in rows:
                    copy.write_row(row)
        cursor.execute(
            f"WITH inserted AS (INSERT INTO {TABLE} ({_LIST}) SELECT {_LIST} FROM {STAGING}"  # noqa: S608  # constant names
            " ON CONFLICT DO NOTHING RETURNING request_id, attempt)"
            f" SELECT request_id, attempt FROM {STAGING} EXCEPT SELECT request_id, attempt FROM inserted"
        )
        return set(cursor.fetchall())


def _csv(rows: list[Row]) -> list[bytes]:
    """Return rows as CSV in pieces, none where that needs more care: JSON without brackets is CSV but for what it escapes.

    A tenth of the CPU of `write_row`. Ids, codes and clients hold nothing that has to be escaped; the quotes of units
    are doubled, as CSV has them.
    """
    pieces = []
    for start in range(0, len(rows), _PIECE):
        lines = _encode_lines(rows[start : start + _PIECE])
        if b"\\" in lines and b"\\" in (lines := lines.replace(b'\\"', b'""')):
            return []
        pieces.append(lines[1:-2].replace(b"]\n[", b"\n") + b"\n")
    return pieces


def _execute_many(attempts: Mapping[Name, Attempt]) -> set[Name]:
    """SQLite has one writer, and numbers its rows in order: the new ones are those above the highest number before."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(max(rowid), 0) FROM {TABLE}")  # noqa: S608
        highest = cursor.fetchone()[0]
        cursor.executemany(
            f"INSERT INTO {TABLE} ({_LIST}) VALUES ({_MARKS}) ON CONFLICT (month, request_id, attempt) DO NOTHING",  # noqa: S608
            _rows(attempts),
        )
        if cursor.rowcount == len(attempts):
            return set()
        cursor.execute(f"SELECT request_id, attempt FROM {TABLE} WHERE rowid > %s", [highest])  # noqa: S608
        return attempts.keys() - set(cursor.fetchall())


def moment(at_ms: int) -> str:
    """Write epoch milliseconds as Django writes a moment to SQLite; PostgreSQL, whose session is in UTC, reads it too."""
    second, millisecond = divmod(at_ms, 1000)
    return f"{_second(second)}.{millisecond:03}000" if millisecond else _second(second)


@lru_cache(maxsize=1024)
def _second(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(second))


def _text(units: dict[str, int]) -> str:
    return msgspec.json.encode(units).decode()


def _rows(attempts: Mapping[Name, Attempt]) -> list[Row]:
    """Return values in the order of COLUMNS."""
    return [
        (
            (at := moment(o.at_ms))[:7] + "-01", o.request_id, o.attempt, at,
            o.team_id, o.user_id, o.key_id, o.application_id, o.model_id, o.deployment_id, o.provider_id,
            o.endpoint, o.streamed, o.client, o.policy_version, o.price_id,
            c.status, c.code, c.input_tokens, c.cached_tokens, c.cache_write_tokens, c.output_tokens,
            c.reasoning_tokens, c.cost_nano_usd, c.latency_ms, c.ttft_ms, c.overhead_us, c.estimated, o.asked_model_id,
            None if c.units is None else _text(c.units),
        )
        for o, c in attempts.values()
    ]  # fmt: skip
