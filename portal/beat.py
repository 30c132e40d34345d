"""Beat that only one process at a time acts on: a second one is harmless and takes over when the first is gone."""

import logging
import socket
from datetime import timedelta
from typing import Any

from celery.beat import Scheduler
from django.db import DatabaseError, connection
from django.utils import timezone

from gateway.ids import new_id
from portal.people.models import BeatLock

log = logging.getLogger(__name__)

HELD = timedelta(seconds=15)


class LockedScheduler(Scheduler):
    """Celery's in-memory scheduler under a lease in the database: the schedules themselves are code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._holder = f"{socket.gethostname()[:20]}:{new_id('beat')}"
        self._held_until = timezone.now() - HELD
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due if this process holds the lock; otherwise look again in two seconds."""
        return float(super().tick(*args, **kwargs)) if self._leads() else 2.0

    def close(self) -> None:
        super().close()
        try:
            BeatLock.objects.filter(holder=self._holder).update(until=timezone.now())
        except DatabaseError:
            log.info("the beat lock could not be let go; it ends by itself")
        finally:
            connection.close()

    def _leads(self) -> bool:
        now = timezone.now()
        if self._held_until > now + HELD / 2:
            return True
        try:
            taken = BeatLock.take(self._holder, now, now + HELD)
        except DatabaseError as error:
            log.warning("beat waits for the database: %s", error)
            connection.close()
            return self._held_until > now
        if taken:
            self._held_until = now + HELD
        return taken
