"""Delivering events to their consumers, in order per aggregate, again until it worked.

One worker at a time serves a consumer (an advisory lock). A batch that fails is tried again event by
event, so that one bad event holds back only its own aggregate.
"""

from __future__ import annotations

import datetime as dt

import structlog
from django.db import connection
from django.db.models import Exists, OuterRef

from o2c import clock
from o2c.access.system import system_actor
from o2c.actor import acting, current_trace
from o2c.errors import Conflict
from o2c.outbox.models import Delivery
from o2c.outbox.registry import Event, handlers

log = structlog.get_logger(__name__)

BATCH = 500
ATTEMPTS = 8


def _due(consumer: str, limit: int) -> list[Delivery]:
    """The next deliveries whose aggregate has no older open delivery that is not due itself."""
    now = clock.now()
    waiting = Delivery.objects.filter(
        consumer=consumer, aggregate=OuterRef("aggregate"), id__lt=OuterRef("id")
    ).exclude(state=Delivery.State.DONE)
    blocked = waiting.filter(due_at__gt=now) | waiting.filter(state=Delivery.State.STUCK)
    return list(
        Delivery.objects.filter(consumer=consumer, state=Delivery.State.PENDING, due_at__lte=now)
        .exclude(Exists(blocked))
        .select_related("event")
        .order_by("id")[:limit]
    )


def _alone(consumer: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 7))", [consumer])
        return bool(cursor.fetchone()[0])


def _deliver(consumer: str, limit: int) -> tuple[int, Delivery | None, Exception | None]:
    """Deliver one batch in one transaction: how many, and the first delivery and error if it failed."""
    first: Delivery | None = None
    try:
        with acting(system_actor(), reason=f"Deliver events to {consumer}"):
            if not _alone(consumer):
                return 0, None, None
            due = _due(consumer, limit)
            if not due:
                return 0, None, None
            first = due[0]
            events = [Event(d.event_id, d.event.type, d.aggregate, d.event.payload) for d in due]
            handlers[consumer](events)
            Delivery.objects.filter(pk__in=[d.pk for d in due]).update(
                state=Delivery.State.DONE, done_at=clock.now(), error=""
            )
            return len(due), None, None
    except Exception as error:  # whatever a handler raises is kept on the delivery and tried again
        return 0, first, error


def _record_failure(delivery: Delivery, error: Exception) -> None:
    attempts = delivery.attempts + 1
    state = Delivery.State.STUCK if attempts >= ATTEMPTS else Delivery.State.PENDING
    due_at = clock.now() + dt.timedelta(seconds=min(2**attempts, 3600))
    with acting(system_actor(), reason="A consumer failed"):
        Delivery.objects.filter(pk=delivery.pk).update(
            attempts=attempts, state=state, due_at=due_at, error=f"{type(error).__name__}: {error}"[:4000]
        )
    log.error("event delivery failed", delivery=delivery.pk, consumer=delivery.consumer, exc_info=error)


def deliver(consumer: str) -> int:
    """Deliver what is due to one consumer; returns how many deliveries were done."""
    total = 0
    limit = BATCH
    while True:
        count, failed, error = _deliver(consumer, limit)
        total += count
        if error is not None:
            if limit == 1:
                if failed is None:
                    raise error
                _record_failure(failed, error)
            elif failed is None:
                raise error
            limit = 1
        elif count == 0:
            return total


def drain() -> int:
    """Deliver until nothing is due, including what the handlers publish; returns the number done."""
    total = 0
    while done := sum(deliver(name) for name in sorted(handlers)):
        total += done
    return total


def deliver_here() -> int:
    """Deliver what the present request published, and what the handlers publish in turn, inside its
    open transaction.

    Nothing that others published is touched, and their relay is not waited for. Raises what a handler
    raises, Conflict outside of a transaction or of a request.
    """
    trace = current_trace()
    if trace is None or not trace.request_id or not connection.in_atomic_block:
        raise Conflict("There is no open transaction of a request whose events could be delivered")
    total = 0
    while True:
        own = Delivery.objects.filter(
            state=Delivery.State.PENDING, event__request_id=trace.request_id
        ).select_related("event")
        by_consumer: dict[str, list[Delivery]] = {}
        for delivery in own.order_by("id"):
            by_consumer.setdefault(delivery.consumer, []).append(delivery)
        if not by_consumer:
            return total
        for consumer, due in sorted(by_consumer.items()):
            with acting(system_actor(), reason=f"Deliver events to {consumer}"):
                handlers[consumer](
                    [Event(d.event_id, d.event.type, d.aggregate, d.event.payload) for d in due]
                )
                Delivery.objects.filter(pk__in=[d.pk for d in due]).update(
                    state=Delivery.State.DONE, done_at=clock.now()
                )
            total += len(due)
