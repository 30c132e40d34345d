"""Limits as pages list them: whose each is, on which model, what is left, and what happens when it is used up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from billing.authority import may_change_each
from billing.labels import labels
from billing.models import Quota
from billing.remaining import Remaining, remaining_of
from portal.people.access import Viewer


@dataclass(frozen=True, slots=True)
class Standing:
    """One limit in words for people."""

    name: str  # of the scope
    model: str  # of the pair; empty for all models
    step_down: str  # what calls go on with; empty: they are refused
    may_change: bool
    now: Remaining

    @property
    def quota(self) -> Quota:
        return self.now.quota

    @property
    def scope(self) -> str:
        return str(self.now.quota.get_scope_kind_display())


def limits_of(scopes: Sequence[tuple[str, str]], viewer: Viewer, model_id: str | None = None) -> list[Standing]:
    """Return every limit on `scopes` as `viewer` may see it; with `model_id`, without pairs with other models."""
    return named(remaining_of(scopes, viewer, model_id), viewer)


def named(found: Iterable[Remaining], viewer: Viewer) -> list[Standing]:
    """Name scopes and models; one query for each kind."""
    rows = list(found)
    ids: dict[str, set[str]] = {"model": set()}
    for row in rows:
        ids.setdefault(row.quota.scope_kind, set()).add(row.quota.scope_id)
        ids["model"] |= {row.quota.model_id, row.quota.step_down_model_id} - {""}
    known = {kind: labels(kind, some) for kind, some in ids.items()}
    changeable = may_change_each(viewer, [row.quota for row in rows])
    return [
        Standing(
            name=known[row.quota.scope_kind].get(row.quota.scope_id, row.quota.scope_id),
            model=known["model"].get(row.quota.model_id, row.quota.model_id),
            step_down=known["model"].get(row.quota.step_down_model_id, row.quota.step_down_model_id),
            may_change=row.quota.pk in changeable,
            now=row,
        )
        for row in rows
    ]
