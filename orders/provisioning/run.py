"""Working through the entitlements that wait: claim, call, record.

Claiming and recording are short transactions; the calls are made between them, in none. A worker that dies in
between leaves a claim whose lease runs out; the call is then made again with the same idempotency key.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.db import connection
from django.db.models import F, Q

from o2c import clock
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import Conflict
from orders.models import Entitlement, ProvisioningAttempt
from orders.provisioning.client import Answer, Call, Client
from orders.services.common import BATCH

LEASE = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how far apart a call is repeated: seconds after attempt 1, 2, …; the last goes on."""

    attempts: int = 8
    seconds: tuple[int, ...] = (5, 15, 60, 300, 900, 3600)

    def wait(self, attempt: int) -> dt.timedelta:
        return dt.timedelta(seconds=self.seconds[min(attempt, len(self.seconds)) - 1])


@dataclass(frozen=True, slots=True)
class Progress:
    """What one run did."""

    called: int = 0
    confirmed: int = 0
    postponed: int = 0
    failed: int = 0

    def __add__(self, other: Progress) -> Progress:
        return Progress(
            self.called + other.called,
            self.confirmed + other.confirmed,
            self.postponed + other.postponed,
            self.failed + other.failed,
        )


def run_due(
    client: Client,
    *,
    actor: Actor,
    only: Iterable[int] | None = None,
    batch: int = 200,
    threads: int = 8,
    patience: Patience | None = None,
    now: dt.datetime | None = None,
) -> Progress:
    """Call the service for everything that is due, batch by batch, until nothing is.

    `only` restricts it to these entitlements. `now` is the instant that decides what is due (default: the
    clock); what is postponed in this run is not taken up again in it. Raises Conflict inside a transaction.
    """
    if connection.in_atomic_block:
        raise Conflict("The provisioning service is never called inside a database transaction")
    instant = now or clock.now()
    patience = patience or Patience()
    wanted = None if only is None else list(only)
    total = Progress()
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="provisioning") as pool:
        while calls := claim(batch, actor=actor, now=instant, only=wanted):
            answers = list(pool.map(client.send, calls))
            total += record(
                list(zip(calls, answers, strict=True)), actor=actor, now=instant, patience=patience
            )
    return total


def claim(limit: int, *, actor: Actor, now: dt.datetime, only: Sequence[int] | None = None) -> list[Call]:
    """Take up to `limit` entitlements that are due, or whose claim ran out; other workers pass over them."""
    with acting(actor, reason="claim for provisioning"):
        require(actor, "orders.entitlement.provision")
        due = Q(state="pending") & (Q(next_attempt_at__isnull=True) | Q(next_attempt_at__lte=now))
        lost = Q(state="provisioning", claimed_until__lte=now)
        rows = Entitlement.objects.select_for_update(of=("self",), skip_locked=True).filter(due | lost)
        if only is not None:
            rows = rows.filter(pk__in=only)
        claimed = list(rows.select_related("customer", "sku", "line__order").order_by("pk")[:limit])
        for row in claimed:
            row.claim()
            row.attempts += 1
        Entitlement.objects.filter(pk__in=[row.pk for row in claimed]).update(
            state=Entitlement.State.PROVISIONING, attempts=F("attempts") + 1, claimed_until=now + LEASE
        )
        return [_call(row) for row in claimed]


def _call(row: Entitlement) -> Call:
    return Call(
        entitlement=row.pk,
        revision=row.revision,
        attempt=row.attempts,
        reference=f"entitlement-{row.pk}",
        key=f"entitlement-{row.pk}-r{row.revision}",
        body={
            "action": row.action,
            "customer": row.customer.number,
            "sku": row.sku.code,
            "quantity": f"{row.quantity.normalize():f}",
            "starts_on": row.starts_on.isoformat(),
            "ends_on": row.ends_on.isoformat() if row.ends_on else None,
            "order": row.line.order.number,
            "revision": row.revision,
        },
    )


def record(
    answered: Sequence[tuple[Call, Answer]], *, actor: Actor, now: dt.datetime, patience: Patience
) -> Progress:
    """Write every attempt down, and move the entitlements whose revision is still the one that was sent."""
    with acting(actor, reason="provisioning answered"):
        rows = {
            row.pk: row
            for row in Entitlement.objects.select_for_update(of=("self",))
            .filter(pk__in=[call.entitlement for call, _ in answered])
            .order_by("pk")
        }
        ProvisioningAttempt.objects.bulk_create(
            [_attempt(rows[call.entitlement], call, answer, now) for call, answer in answered],
            batch_size=BATCH,
        )
        moved = []
        progress = Progress(called=len(answered))
        for call, answer in answered:
            row = rows[call.entitlement]
            if row.revision == call.revision and row.state == Entitlement.State.PROVISIONING:
                progress += _apply(row, call, answer, now, patience)
                moved.append(row)
            elif answer.external_ref and not row.external_ref:
                row.external_ref = answer.external_ref  # superseded meanwhile, but the service knows it now
                moved.append(row)
        names = ["state", "external_ref", "next_attempt_at", "claimed_until", "last_error"]
        Entitlement.objects.bulk_update(moved, names, batch_size=BATCH)
        return progress


def _apply(row: Entitlement, call: Call, answer: Answer, now: dt.datetime, patience: Patience) -> Progress:
    row.claimed_until = None
    row.last_error = answer.error
    if answer.outcome == "ok":
        row.external_ref = answer.external_ref
        row.next_attempt_at = None
        if row.action == Entitlement.Action.REVOKE:
            row.revoked()
        else:
            row.granted()
        return Progress(confirmed=1)
    if answer.outcome == "permanent" or call.attempt >= patience.attempts:
        row.give_up()
        return Progress(failed=1)
    named = dt.timedelta(seconds=answer.retry_after or 0)
    row.next_attempt_at = now + max(patience.wait(call.attempt), named)
    row.postpone()
    return Progress(postponed=1)


def _attempt(row: Entitlement, call: Call, answer: Answer, now: dt.datetime) -> ProvisioningAttempt:
    return ProvisioningAttempt(
        entitlement=row,
        revision=call.revision,
        attempt=call.attempt,
        action=call.body["action"],
        idempotency_key=call.key,
        request=call.body,
        outcome=answer.outcome,
        status_code=answer.status,
        response=answer.body,
        error=answer.error,
        started_at=now,
        duration_ms=answer.duration_ms,
    )
