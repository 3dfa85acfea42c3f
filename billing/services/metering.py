"""Metering: usage comes in, and what could not be stored is decided.

`ingest` takes what a machine sent, `files` takes files; both end in `intake.store`. The queue of exceptions
is worked by `retry` and `reject`.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.db import connection, transaction

from billing.models import UsageBatch, UsageException, UsageSource
from billing.services import dimensions, intake
from billing.services.intake import Origin, Outcome
from o2c import clock, locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import Conflict, InvalidInput
from orders.models import Customer

LARGEST_BATCH = 1000
INGEST, RETRY, REJECT = "billing.usage.ingest", "billing.usage.retry", "billing.usage.reject"


def source(code: str, *, actor: Actor, description: str = "", reason: str = "") -> UsageSource:
    """The metering system with this code, made when it is new. Raises InvalidInput for a bad code."""
    found = UsageSource.objects.filter(code=code).first()
    if found is not None:
        return found
    if not code or len(code) > 60 or not code.isprintable() or code != code.strip():
        raise InvalidInput(f"{code!r} cannot be the name of a source", remedy="Use up to 60 characters")
    with acting(actor, reason=reason or "New source of usage"):
        require(actor, INGEST, record=code)
        with connection.cursor() as cursor:
            cursor.execute(NEW_SOURCE, [code, description])
        return UsageSource.objects.get(code=code)


# Two first batches of one source may race; the second finds the first's row.
NEW_SOURCE = (
    "INSERT INTO billing_usagesource (code, description) VALUES (%s, %s) ON CONFLICT (code) DO NOTHING"
)


def ingest(
    body: bytes | str,
    *,
    actor: Actor,
    source_code: str = "",
    as_of: dt.datetime | None = None,
    request_id: str = "",
    reason: str = "",
) -> Outcome:
    """Store `{"source": ..., "events": [...]}`, up to LARGEST_BATCH events, in one transaction.

    Each event has id, customer (number), meter (code), time, quantity, and where they apply dimensions (an
    object), key (the usage key of the order line) and subject (what a unique count counts). Sent again it
    changes nothing. Raises InvalidInput when the body is not of that shape; a single event that is wrong is
    parked instead. `source_code` stands for a body that names no source.
    """
    try:
        text = body if isinstance(body, str) else body.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput("The body is not UTF-8") from error
    now = as_of or clock.now()
    why = reason or "Usage received"
    try:
        with acting(actor, reason=why, request_id=request_id):
            require(actor, INGEST)
            intake.open_stage()
            origin = _origin(intake.stage_usual(text), actor, request_id)
            return intake.store_new(origin, now=now, limit=LARGEST_BATCH)
    except intake.TakeTheLongWay:
        with acting(actor, reason=why, request_id=request_id):
            intake.open_stage()
            origin = _origin(intake.stage_json(text) or source_code, actor, request_id)
            return intake.store(origin, now=now, limit=LARGEST_BATCH)


def _origin(code: str, actor: Actor, request_id: str) -> Origin:
    return Origin(_source_id(code, actor), UsageBatch.Channel.API, request_id=request_id)


# Ids of committed sources by code: they never change.
_source_ids: dict[str, int] = {}


def _source_id(code: str, actor: Actor) -> int:
    known = _source_ids.get(code)
    if known is None:
        known = source(code, actor=actor).pk
        if len(_source_ids) < 10_000:
            transaction.on_commit(lambda: _source_ids.update({code: known}))
    return known


def forget() -> None:
    """Forget remembered ids: after the database was emptied (tests)."""
    _source_ids.clear()
    dimensions.forget()


def ingest_events(
    source_code: str,
    events: Sequence[dict[str, object]],
    *,
    actor: Actor,
    as_of: dt.datetime | None = None,
    reason: str = "",
) -> list[Outcome]:
    """Store events of any number, in batches: for code that has them in memory. See `ingest`."""
    outcomes = []
    for start in range(0, len(events), LARGEST_BATCH):
        body = json.dumps({"events": events[start : start + LARGEST_BATCH]}, default=str)
        outcomes.append(ingest(body, source_code=source_code, actor=actor, as_of=as_of, reason=reason))
    return outcomes


def retry(ids: Iterable[int], *, actor: Actor, as_of: dt.datetime | None = None, reason: str = "") -> Outcome:
    """Try parked events again: after an order was activated, a customer created, a late event approved.

    What is stored now (or turns out to be stored already) is accepted; the rest stays open with its present
    cause. The outcome sums the batches, one per source. Ids that are not open are passed over.
    """
    total = Outcome(0, 0, 0, 0, 0)
    with acting(actor, reason=reason or "Retry of parked usage"):
        require(actor, RETRY)
        by_source: dict[int, list[int]] = defaultdict(list)
        for row in locks.rows(UsageException, ids):
            if row.state == UsageException.State.OPEN:
                by_source[row.source_id].append(row.pk)
        for source_id, own in sorted(by_source.items()):
            outcome = _retry(source_id, own, as_of or clock.now())
            total.received += outcome.received
            total.accepted += outcome.accepted
            total.duplicate += outcome.duplicate
            total.parked += outcome.parked
            total.problems += outcome.problems
    return total


def _retry(source_id: int, ids: list[int], now: dt.datetime) -> Outcome:
    intake.open_stage()
    intake.stage_exceptions(ids)
    origin = Origin(source_id, UsageBatch.Channel.RETRY)
    outcome = intake.store(origin, now=now, accept_late=True, park=False)
    with connection.cursor() as cursor:
        cursor.execute(SETTLE, {"ids": ids, "messages": json.dumps(intake.MESSAGES)})
    return outcome


# What was not refused again is stored: accepted. What was keeps its place in the queue, with today's cause.
SETTLE = """
WITH refused AS (
    SELECT r.n AS id, CASE WHEN r.kind = 'unmatched' AND c.id IS NULL THEN 'unknown_customer'
                           ELSE r.kind END AS kind
    FROM usage_refused r JOIN usage_stage s USING (n) LEFT JOIN orders_customer c ON c.number = s.customer
    WHERE r.kind <> 'duplicate'
)
UPDATE billing_usageexception x
SET state = CASE WHEN f.id IS NULL THEN 'accepted' ELSE x.state END,
    kind = coalesce(f.kind, x.kind),
    message = coalesce(%(messages)s::jsonb ->> f.kind, x.message)
FROM unnest(%(ids)s::bigint[]) AS i(id) LEFT JOIN refused f ON f.id = i.id
WHERE x.id = i.id AND (f.id IS NULL OR f.kind IS DISTINCT FROM x.kind)
"""


def retry_one(pk: int, *, actor: Actor, reason: str = "") -> UsageException:
    """Try one parked event again. Raises Conflict when it still cannot be stored, saying why."""
    with acting(actor, reason=reason or "Retry of parked usage"):
        outcome = retry([pk], actor=actor, reason=reason)
        row = UsageException.objects.get(pk=pk)
        if outcome.parked:
            raise Conflict(f"It still cannot be stored. {row.message}", record=str(row))
        return row


def retry_for_orders(order_ids: Iterable[int], *, actor: Actor, reason: str = "") -> Outcome:
    """Try again what waits for the customers of these orders: they were activated or amended just now."""
    open_ = UsageException.objects.filter(
        state=UsageException.State.OPEN,
        kind__in=[UsageException.Kind.UNMATCHED, UsageException.Kind.UNKNOWN_CUSTOMER],
    )
    numbers = Customer.objects.filter(orders__in=sorted(set(order_ids))).values("number")
    waiting = open_.filter(customer_number__in=numbers)
    return retry(waiting.values_list("pk", flat=True), actor=actor, reason=reason or "Order became active")


def reject(pk: int, *, actor: Actor, reason: str = "") -> UsageException:
    """Decide that a parked event is not usage. The reason is kept with it; it stays on record."""
    return reject_many([pk], actor=actor, reason=reason)[0]


def reject_many(ids: Iterable[int], *, actor: Actor, reason: str) -> list[UsageException]:
    """Decide that parked events are not usage. Raises InvalidInput without a reason."""
    if not reason.strip():
        raise InvalidInput("Rejecting usage needs a reason", fields={"reason": ["is missing"]})
    with acting(actor, reason=reason):
        require(actor, REJECT)
        rows = locks.rows(UsageException, ids)
        for row in rows:
            row.reject()
            row.decided_note = reason
            row.save(update_fields=["state", "decided_note"])
        return rows


def assign(ids: Iterable[int], user_id: int | None, *, actor: Actor, reason: str = "") -> int:
    """Give parked events an owner, or take them from theirs."""
    with acting(actor, reason=reason or "Assign parked usage"):
        require(actor, RETRY)
        rows = locks.rows(UsageException, ids)
        open_ = [row.pk for row in rows if row.state == UsageException.State.OPEN]
        return UsageException.objects.filter(pk__in=open_).update(owner_id=user_id)
