"""Entitlements follow active lines: the difference between what lines say and what was granted, written down.

Nothing here talks to the provisioning service; see orders/provisioning for that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from o2c import locks
from o2c.access import require
from o2c.actor import Actor, acting
from orders.domain import grants
from orders.domain.grants import Grant
from orders.domain.timeline import Span
from orders.models import Entitlement, OrderLine, Segment
from orders.selectors.facts import span_of
from orders.services.common import BATCH, move

WRITTEN = [
    "quantity",
    "ends_on",
    "action",
    "revision",
    "attempts",
    "next_attempt_at",
    "claimed_until",
    "last_error",
    "state",
]


def sync(order_ids: Iterable[int], *, actor: Actor, reason: str = "") -> list[int]:
    """Bring the entitlements of these orders in step with their lines; a second run changes nothing.

    Orders that never became active give none. A change raises the revision and lets the entitlement wait for
    the provisioning service again; what was never told to the service is revoked on the spot. Answers the
    primary keys that now wait. Six statements for any number of orders, two more per thousand changed rows.
    """
    with acting(actor, reason=reason):
        require(actor, "orders.entitlement.provision")
        lines = list(
            OrderLine.objects.filter(
                order__in=list(order_ids), order__activated_on__isnull=False, sku__provisioned=True
            )
            .select_related("order")
            .order_by("pk")
        )
        existing: dict[int, list[Entitlement]] = defaultdict(list)
        rows = Entitlement.objects.select_for_update(of=("self",)).filter(
            line__in=[line.pk for line in lines]
        )
        for row in rows.order_by("pk"):
            existing[row.line_id].append(row)
        spans = _spans([line.pk for line in lines])
        created: list[Entitlement] = []
        touched: list[Entitlement] = []
        gone: list[Entitlement] = []
        for line in lines:
            made, altered, dropped = _follow(line, grants.expected(spans[line.pk]), existing[line.pk])
            created += made
            touched += altered
            gone += dropped
        Entitlement.objects.bulk_create(created, batch_size=BATCH)
        Entitlement.objects.bulk_update(touched, WRITTEN, batch_size=BATCH)
        move(gone, "revoked", action=Entitlement.Action.REVOKE)
        return [row.pk for row in (*created, *touched)]


def retry(pk: int, *, actor: Actor, reason: str = "") -> Entitlement:
    """Let one failed entitlement wait for the provisioning service again."""
    return retry_many([pk], actor=actor, reason=reason)[0]


def retry_many(pks: Sequence[int], *, actor: Actor, reason: str = "") -> list[Entitlement]:
    """Let failed entitlements wait again, with the same revision: the service knows what it has done."""
    with acting(actor, reason=reason):
        rows = locks.rows(Entitlement, pks)
        require(actor, "orders.entitlement.retry", record=str(rows[0]) if rows else "")
        move(rows, "retry", attempts=0, next_attempt_at=None, claimed_until=None)
        return rows


def _spans(line_ids: Sequence[int]) -> dict[int, list[Span]]:
    spans: dict[int, list[Span]] = defaultdict(list)
    for segment in Segment.objects.in_force().filter(line__in=line_ids).order_by("line_id", "starts_on"):
        spans[segment.line_id].append(span_of(segment))
    return spans


def _follow(
    line: OrderLine, wanted: Sequence[Grant], rows: Sequence[Entitlement]
) -> tuple[list[Entitlement], list[Entitlement], list[Entitlement]]:
    """What to insert, what to update, and what to revoke without asking, for one line."""
    by_key = {row.pk: row for row in rows}
    granting = {row.pk: _grant(row) for row in rows if row.action == Entitlement.Action.GRANT}
    revoked = {row.starts_on: row.pk for row in rows if row.action == Entitlement.Action.REVOKE}
    found = grants.difference(wanted, granting, revoked)
    created = [
        Entitlement(
            line=line,
            customer_id=line.order.customer_id,
            sku_id=line.sku_id,
            quantity=grant.quantity,
            starts_on=grant.starts_on,
            ends_on=grant.ends_on,
        )
        for grant in found.create
    ]
    touched = [_ask_again(by_key[key], grant) for key, grant in found.change]
    gone = []
    for key in found.revoke:
        row = by_key[key]
        if row.state in (Entitlement.State.PENDING, Entitlement.State.FAILED) and _never_told(row):
            gone.append(row)
        else:
            touched.append(_ask_again(row, None))
    return created, touched, gone


def _grant(row: Entitlement) -> Grant:
    return Grant(row.starts_on, row.ends_on, row.quantity)


def _never_told(row: Entitlement) -> bool:
    """No call was ever made: an attempt that timed out may have reached the service."""
    return row.revision == 1 and row.attempts == 0 and row.external_ref == ""


def _ask_again(row: Entitlement, grant: Grant | None) -> Entitlement:
    """The next revision of the row: another grant, or its revocation."""
    if row.state != Entitlement.State.PENDING:
        row.changed()
    if grant is None:
        row.action = Entitlement.Action.REVOKE
    else:
        row.action = Entitlement.Action.GRANT
        row.quantity, row.ends_on = grant.quantity, grant.ends_on
    row.revision += 1
    row.attempts = 0
    row.next_attempt_at = None
    row.claimed_until = None
    row.last_error = ""
    return row
