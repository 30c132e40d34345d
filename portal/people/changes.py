"""Publish to the change feed. Call it through `recorded`; it must be the last statement of the transaction."""

import threading
from collections.abc import Callable, Iterable

from django.db import transaction
from django.db.models import F

from portal.people.models import Change, Revision

Kind = str  # "key", "user", "team", "model", "provider", "quota"


class LocalListeners:
    """Wakes a gateway in this very process, so that it need not wait for its next poll."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    def add(self, callback: Callable[[], None]) -> None:
        with self._lock:
            self._callbacks.append(callback)

    def remove(self, callback: Callable[[], None]) -> None:
        with self._lock:
            self._callbacks.remove(callback)

    def wake(self) -> None:
        with self._lock:
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback()


local_listeners = LocalListeners()


def publish(entities: Iterable[tuple[Kind, str]]) -> int:
    """Write one revision that names `entities`; returns its number. Order of revisions is order of commits."""
    rows = sorted(set(entities))
    Revision.objects.filter(id=1).update(number=F("number") + 1)
    number = Revision.objects.values_list("number", flat=True).get(id=1)
    Change.objects.bulk_create([Change(revision=number, kind=kind, entity_id=entity) for kind, entity in rows])
    transaction.on_commit(local_listeners.wake)
    return number
