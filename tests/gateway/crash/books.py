"""What must balance once all is quiet: what the provider served, what is charged, summed up, settled and leased."""

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

import psycopg

from tests.gateway.crash.load import Load
from tests.gateway.crash.provider import Provider
from tests.services.atrium import Atrium

PROMPT_TOKENS, INPUT_NANO_USD, OUTPUT_NANO_USD = 50, 150, 600


class Books:
    """Reads an installation's database beside Atrium."""

    def __init__(self, atrium: Atrium) -> None:
        self._url = atrium.env.get("DATABASE_URL")
        self._file = atrium.folder / "data" / "atrium.sqlite3"
        # There an end waits some milliseconds in memory to be committed: a kill in them makes an estimate of it.
        self._ends_wait = atrium.env.get("JOURNAL") == "database"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        with self._connection() as connection:
            return [tuple(row) for row in connection.execute(sql).fetchall()]

    def one(self, sql: str) -> tuple[Any, ...]:
        return self.rows(sql)[0]

    def unrest(self, provider: Provider, living: Collection[str]) -> list[str]:
        """Say what has not arrived yet: it does within seconds, or never."""
        found = []
        charged = {number for (number,) in self.rows("SELECT output_tokens FROM billing_usageevent")}
        if lost := {int(answer.marker) for answer in provider.served()} - charged:
            found.append(f"served and not charged: {sorted(lost)[:9]}")
        if self.one("SELECT count(*) FROM billing_dirtyhour")[0]:
            found.append("hours are not rolled up")
        events = self.one("SELECT count(*), sum(cost_nano_usd) FROM billing_usageevent")
        for table in ("rolluphour", "rollupday"):
            sums = self.one(f"SELECT sum(requests), sum(cost_nano_usd) FROM billing_{table}")  # noqa: S608  # ours
            if sums != events:
                found.append(f"{table} sums up {sums} of {events}")
        leases = self.rows("SELECT incarnation, amount FROM billing_lease WHERE amount <> 0")
        if leaked := [lease for lease in leases if lease[0] not in living]:
            found.append(f"leases of dead gateways: {leaked}")
        return found

    def check(self, provider: Provider, load: Load) -> None:
        """Compare call by call, and the ledger with the events. Call when there is no unrest."""
        served = Counter(int(answer.marker) for answer in provider.served())
        events = self.rows("SELECT output_tokens, input_tokens, cost_nano_usd, estimated, code FROM billing_usageevent")
        charged = Counter(event[0] for event in events)
        assert set(served.values()) <= {1}
        assert [number for number in served if number not in charged] == [], "lost"
        assert [number for number, count in charged.items() if count > 1] == [], "doubled"
        assert load.finished <= set(served), "answered, and never served"
        for number, given, cost, estimated, code in events:
            if number in load.finished and not (estimated and self._ends_wait):
                assert (given, bool(estimated), code) == (PROMPT_TOKENS, False, ""), number
            if not estimated:
                assert cost == PROMPT_TOKENS * INPUT_NANO_USD + number * OUTPUT_NANO_USD, number
            if number not in served:
                assert estimated and number in load.broken, "charged, and neither served nor in doubt"
        spent = sum(event[2] for event in events)
        balances = self.rows(
            "SELECT settled, leased, (SELECT coalesce(sum(amount), 0) FROM billing_lease WHERE balance_id = b.id)"
            " FROM billing_balance b"
        )
        assert len(balances) == 2  # a team's and the organisation's, in one period
        for settled, leased, held in balances:
            assert (settled, leased) == (spent, held)

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Any]:
        if self._url:
            with psycopg.connect(self._url) as connection:
                yield connection
        else:
            with contextlib.closing(sqlite3.connect(self._file, timeout=20)) as connection:
                yield connection
