"""A bill run from plan to release. Posting: `posting.py`; what it drafts: `drafting.py`.

Calculation goes chunk by chunk of customers, each chunk one transaction, so that it can go on after a
crash; it writes drafts only. What is due comes from the charge engine as expected minus billed, so a
second run over the same facts drafts nothing.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import Prefetch

from billing.models import BillRun, BillRunChunk, BillRunFinding, Invoice
from billing.selectors import runs as run_selectors
from billing.services import covering, drafting, findings, grants, posting, rating, recalculating
from billing.services.tax import Taxation
from o2c import clock, locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.errors import Conflict, DomainError
from o2c.ledger.models import LegalEntity
from orders.models import Customer, Order, OrderLine

CHUNK = 200
BREAKER_FLOOR = 50
BREAKER_SHARE = 5  # one in five
ZERO = Decimal(0)
Progress = Callable[[int, int], None]

post = posting.post


def plan(
    *,
    entity_id: int | None,
    through: dt.date,
    issue_on: dt.date | None = None,
    currency: str = "",
    customer_ids: Sequence[int] | None = None,
    chunk: int = CHUNK,
    kind: str = BillRun.Kind.REGULAR,
    actor: Actor,
    reason: str = "",
) -> BillRun:
    """Fix the population: the customers with anything that could be due before `through` (exclusive).

    `issue_on` dates the invoices and their journals; by default the last day billed. Raises Conflict
    while another unfinished run covers some of the same population.
    """
    with acting(actor, reason=reason):
        require(actor, "billing.run.plan")
        with connection.cursor() as cursor:
            # Two planners take turns: the second one sees the first one's run.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('billing.run.plan', 0))")
            cursor.execute("SELECT nextval(pg_get_serial_sequence('billing_billrun', 'id'))")
            pk = int(cursor.fetchone()[0])
        run = BillRun(
            pk=pk,
            number=f"RUN-{pk:06d}",
            kind=kind,
            entity_id=entity_id,
            currency=currency,
            through=through,
            issue_on=issue_on or through - dt.timedelta(days=1),
            planned_by_id=actor.user_id,
        )
        customers = run_selectors.customers_in_scope(run)
        if customer_ids is not None:
            customers = [pk for pk in customers if pk in set(customer_ids)]
        rival = run_selectors.rival(run, customers)
        if rival is not None:
            raise Conflict(
                f"{rival.number} covers some of the same and is {rival.get_state_display().lower()}",
                remedy="Post or cancel it first",
                code="run_overlaps",
            )
        run.save(force_insert=True)
        BillRunChunk.objects.bulk_create(
            BillRunChunk(run=run, sequence=n, customer_ids=customers[start : start + chunk])
            for n, start in enumerate(range(0, len(customers), chunk), start=1)
        )
        return run


def calculate(run_id: int, *, actor: Actor, reason: str = "", progress: Progress | None = None) -> BillRun:
    """Draft the documents of everything due, with findings; resumes where an earlier attempt stopped.

    Raises Conflict when the run is not planned, or when so many contracts cannot be charged that
    something general must be wrong (the breaker).
    """
    with acting(actor, reason=reason):
        require(actor, "billing.run.calculate", record=f"run {run_id}")
        run = locks.row(BillRun, run_id)
        if run.state != BillRun.State.PLANNED:
            raise Conflict(f"It is {run.get_state_display().lower()}, not planned", record=run.number)
        chunks = list(run.chunks.values_list("pk", "calculated_at").order_by("sequence"))
    for done, (chunk_id, calculated_at) in enumerate(chunks, start=1):
        if calculated_at is None:
            _calculate_chunk(run_id, chunk_id, actor, reason)
        if progress is not None:
            progress(done, len(chunks))
    with acting(actor, reason=reason or "Calculate bill run"):
        run = locks.row(BillRun, run_id)
        BillRunFinding.objects.bulk_create(
            findings.finding(run, code, message, **where)
            for code, message, where in rating.usage_findings(run.entity_id, run.through)
        )
        run.calculated_by_id, run.calculated_at = actor.user_id, clock.now()
        run.totals = run_selectors.conservation(run)
        run.digest = run_selectors.digest(run)
        run.calculate()
        run.save()
        return run


def _calculate_chunk(run_id: int, chunk_id: int, actor: Actor, reason: str) -> None:
    with acting(actor, reason=reason or "Calculate bill run"):
        run = locks.row(BillRun, run_id)
        chunk = locks.row(BillRunChunk, chunk_id)
        if chunk.calculated_at is not None:
            return
        outcome = _draft(run, chunk.customer_ids)
        chunk.expected, chunk.drafted = outcome.expected, outcome.drafted
        chunk.recalculated, chunk.differences = outcome.recalculated, outcome.differences
        chunk.calculated_at = clock.now()
        chunk.save()
        _break_when_hopeless(run)


@dataclass(slots=True)
class _Outcome:
    expected: dict[str, str]
    drafted: dict[str, str]
    recalculated: dict[str, str]
    differences: int


def _draft(run: BillRun, customer_ids: Sequence[int]) -> _Outcome:
    """Draft the documents of these customers. A fixed number of statements."""
    orders = _orders(run, customer_ids)
    grants.sync(orders.values(), None if run.kind == BillRun.Kind.THRESHOLD else run.through)
    due, refused = _due(orders, run)
    due = covering.cover(due)
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for one in due:
        expected[one.charge.currency] += one.charge.amount
    taxation = Taxation([run.issue_on])
    entities = {entity.pk: entity for entity in LegalEntity.objects.all()}
    drafts = [
        drafting.draft(run, key, lines, taxation, entities[key.entity_id])
        for key, lines in drafting.group(due).items()
    ]
    drafting.save(drafts)
    drafted: dict[str, Decimal] = defaultdict(Decimal)
    for draft in drafts:
        drafted[draft.invoice.currency] += draft.invoice.net
    rows = findings.of_drafts(run, drafts)
    rows += [findings.cannot_rate(run, order.customer, message) for order, message in refused]
    checked = recalculating.check(run, orders, {order.pk for order, _ in refused})
    BillRunFinding.objects.bulk_create([*rows, *checked.findings])
    return _Outcome(_text(expected), _text(drafted), _text(checked.totals), checked.differences)


def _text(amounts: dict[str, Decimal]) -> dict[str, str]:
    return {currency: str(amount) for currency, amount in sorted(amounts.items())}


def _orders(run: BillRun, customer_ids: Sequence[int]) -> dict[int, Order]:
    lines = OrderLine.objects.select_related("sku").order_by("position")
    customers = Prefetch("customer", Customer.objects.prefetch_related("tax_registrations"))
    orders = run_selectors.orders_in_scope(run).filter(customer_id__in=customer_ids)
    return {
        order.pk: order
        for order in orders.prefetch_related(customers, Prefetch("lines", lines)).order_by("number")
    }


def _due(orders: dict[int, Order], run: BillRun) -> tuple[list[drafting.DueLine], list[tuple[Order, str]]]:
    """What the engine says is due, and the orders that it could not charge, with why.

    A correction waits, like a charge, for the first day that it changes: a reduction agreed for next
    month is not credited before the charge that replaces what it takes away.
    """
    lines = {line.pk: line for order in orders.values() for line in order.lines.all()}
    due: list[drafting.DueLine] = []
    refused: list[tuple[Order, str]] = []
    rate = rating.early if run.kind == BillRun.Kind.THRESHOLD else rating.due
    for order_id, outcome in rate(sorted(orders), run.through).items():
        order = orders[order_id]
        if isinstance(outcome, DomainError):
            refused.append((order, f"{order.number}: {outcome}"))
            continue
        due += [
            drafting.DueLine(charge, order, lines[charge.line])
            for charge in outcome
            if charge.revision == 0 or charge.service_from < run.through
        ]
    return due, refused


def _break_when_hopeless(run: BillRun) -> None:
    """The breaker: stop when one contract in five cannot be charged, and not few of them."""
    failed = run.findings.filter(code="cannot_rate").count()
    seen = Invoice.objects.filter(run=run).count() + failed
    if failed >= BREAKER_FLOOR and failed * BREAKER_SHARE >= seen:
        raise Conflict(
            f"{failed} of {seen} contracts cannot be charged; the run stopped itself",
            record=run.number,
            remedy="Look for one cause: a price import, a meter, a catalogue change",
            code="run_breaker",
        )


DISCARD = (
    "DELETE FROM billing_billrunfinding WHERE run_id = %s",
    "DELETE FROM billing_invoiceline l USING billing_invoice i"
    " WHERE l.invoice_id = i.id AND i.run_id = %s AND i.state = 'draft'",
    "DELETE FROM billing_invoice WHERE run_id = %s AND state = 'draft'",
    "UPDATE billing_billrunchunk SET calculated_at = NULL, expected = '{}', drafted = '{}',"
    " recalculated = '{}', differences = NULL WHERE run_id = %s",
)


def _discard(run: BillRun) -> None:
    """Throw the drafts away: nothing was issued, nothing counts as billed."""
    with connection.cursor() as cursor:
        for statement in DISCARD:
            cursor.execute(statement, [run.pk])
    run.totals, run.digest = {}, ""


def reopen(run_id: int, *, actor: Actor, reason: str = "") -> BillRun:
    """Discard the drafts, so that the run can be calculated again."""
    with acting(actor, reason=reason):
        require(actor, "billing.run.recalculate", record=f"run {run_id}")
        run = locks.row(BillRun, run_id)
        run.reopen()
        _discard(run)
        run.calculated_by = run.calculated_at = None
        run.save()
        return run


def release(run_id: int, *, actor: Actor, reason: str = "") -> BillRun:
    """Say, as a second person, that the drafts may become invoices.

    Raises Conflict when the same person calculated it (the table refuses that too), when findings are
    open, or when the drafts are not those that were calculated.
    """
    with acting(actor, reason=reason):
        require(actor, "billing.run.release", record=f"run {run_id}")
        run = locks.row(BillRun, run_id)
        if run.calculated_by_id == actor.user_id or run.planned_by_id == actor.user_id:
            raise Conflict(
                "Who planned or calculated a run does not release it",
                record=run.number,
                remedy="Ask a second person who holds billing.run.release",
                code="same_person",
            )
        if run.state == BillRun.State.CALCULATED:
            run_selectors.require_digest(run)
        run.released_by_id, run.released_at = actor.user_id, clock.now()
        run.release()
        approvals.gate("billing.run.release", [run_id])
        run.save()
        return run


def cancel(run_id: int, *, actor: Actor, reason: str = "") -> BillRun:
    """Give the run up. Its drafts are deleted; the run stays, with its number and its history."""
    with acting(actor, reason=reason):
        require(actor, "billing.run.cancel", record=f"run {run_id}")
        run = locks.row(BillRun, run_id)
        _discard(run)
        run.cancel()
        run.save()
        return run


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would do: totals per currency, findings by code, and the digest the real one must have."""

    totals: dict[str, dict[str, Any]]
    findings: dict[str, int]
    digest: str


class _Undo(Exception):
    """Not an error: how a preview leaves its transaction."""


def preview(
    *,
    entity_id: int | None,
    through: dt.date,
    issue_on: dt.date | None = None,
    currency: str = "",
    customer_ids: Sequence[int] | None = None,
    actor: Actor,
) -> Preview:
    """Plan and calculate through the production path, then roll everything back."""
    seen: list[Preview] = []
    try:
        with transaction.atomic():
            run = plan(
                entity_id=entity_id,
                through=through,
                issue_on=issue_on,
                currency=currency,
                customer_ids=customer_ids,
                actor=actor,
                reason="Preview",
            )
            run = calculate(run.pk, actor=actor, reason="Preview")
            codes: dict[str, int] = defaultdict(int)
            for code in run.findings.values_list("code", flat=True):
                codes[code] += 1
            seen.append(Preview(run.totals, dict(codes), run.digest))
            raise _Undo
    except _Undo:
        return seen[0]
