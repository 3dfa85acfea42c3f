"""What every Celery task gets: an actor, a request id in the logs, and no state left behind.

A task takes ids, is idempotent, and may run twice: brokers may repeat a message and may lose one.
"""

from __future__ import annotations

from typing import Any

import structlog
from celery import Task

from o2c.actor import ambient


class ActingTask(Task):
    """Runs in the name of the product's own service account; a job runs in its requester's (see jobs)."""

    abstract = True
    # After a worker's death the message comes back: at least once, never silently not at all.
    acks_late = True
    reject_on_worker_lost = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from o2c.access.system import system_actor

        request_id = self.request.id or ""
        with (
            structlog.contextvars.bound_contextvars(task=self.name, request_id=request_id),
            ambient(system_actor(), reason=f"task {self.name}", request_id=request_id),
        ):
            return super().__call__(*args, **kwargs)
