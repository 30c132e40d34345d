"""Limits as pages list them: with the name of what they limit."""

from collections.abc import Iterable
from dataclasses import dataclass

from billing.labels import labels
from billing.remaining import Remaining


@dataclass(frozen=True, slots=True)
class Standing:
    """One limit with the name of its scope."""

    name: str
    now: Remaining

    @property
    def scope(self) -> str:
        return str(self.now.quota.get_scope_kind_display())

    @property
    def percent(self) -> int:
        return round((self.now.spent or 0) * 100 / self.now.limit) if self.now.limit else 100


def named(found: Iterable[Remaining]) -> list[Standing]:
    """Name the scopes; one query for each kind."""
    rows = list(found)
    ids: dict[str, set[str]] = {}
    for row in rows:
        ids.setdefault(row.quota.scope_kind, set()).add(row.quota.scope_id)
    known = {kind: labels(kind, some) for kind, some in ids.items()}
    return [Standing(known[row.quota.scope_kind].get(row.quota.scope_id, row.quota.scope_id), row) for row in rows]
