"""Workers and the scheduler say regularly that they are alive; the health page reads it.

`celery inspect ping` isn't used: it needs a broker with fan-out, and a worker that answers it may still not
be able to reach the database.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import structlog
from celery.beat import PersistentScheduler
from celery.signals import worker_ready, worker_shutting_down
from django.db import DatabaseError, connection, connections

from o2c import clock

log = structlog.get_logger(__name__)
BEAT_SECONDS = 15
_stop = threading.Event()


def beat(component: str, **detail: Any) -> None:
    """Record that a component is alive now."""
    from o2c.runtime.models import Heartbeat

    Heartbeat.objects.bulk_create(
        [Heartbeat(component=component, at=clock.now(), detail=detail)],
        update_conflicts=True,
        unique_fields=["component"],
        update_fields=["at", "detail"],
    )


def beat_quietly(component: str, **detail: Any) -> None:
    """The same, where the database may be away for a moment: the health page shows the gap."""
    try:
        beat(component, **detail)
    except DatabaseError as error:
        log.warning("heartbeat not recorded", component=component, error=str(error))
        connections.close_all()


class Scheduler(PersistentScheduler):
    """Celery's own scheduler, which also says that it ticks."""

    _said = 0.0

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        delay = super().tick(*args, **kwargs)
        now = clock.now().timestamp()
        if now - self._said >= BEAT_SECONDS:
            self._said = now
            beat_quietly("beat", pid=os.getpid(), entries=len(self.schedule))
        return min(delay, BEAT_SECONDS)


@worker_ready.connect
def _start(sender: Any, **_: Any) -> None:
    _stop.clear()
    name = f"worker:{sender.hostname}"
    threading.Thread(target=_keep_saying, args=(name,), name="heartbeat", daemon=True).start()


def _keep_saying(component: str) -> None:
    while True:
        beat_quietly(component, pid=os.getpid())
        if _stop.wait(BEAT_SECONDS):
            connection.close()
            return


@worker_shutting_down.connect
def _end(**_: Any) -> None:
    _stop.set()
