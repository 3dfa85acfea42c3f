"""Recognising the revenue of a period: what should have been recognised less what has been.

A run takes an entity's contracts in chunks; a chunk costs a fixed number of statements whatever its
size. Running again finds nothing left to do. Two runs at the same time wait for each other contract by
contract, and the second finds the first one's work done.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection
from django.db.models import Max

from o2c import locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import ClosedPeriod, NotFound
from o2c.ledger.models import AccountingPeriod
from revenue import events
from revenue.models import RecognitionRun, RevenueContract
from revenue.selectors.differences import Window
from revenue.services import open_items
from revenue.services.recognition_chunk import Context, recognise

CHUNK = 500
Progress = Callable[[int, int], None]


def run(
    entity_id: int,
    period: str,
    *,
    actor: Actor,
    reason: str = "",
    progress: Progress | None = None,
    chunk: int = CHUNK,
) -> RecognitionRun:
    """Recognise the revenue of `entity_id` for the month `period` ("2026-08").

    Months of earlier periods that are closed are caught up here, under their own month; months of
    earlier periods that are still open are left to them. Posts on the last day of the period.

    Raises NotFound for a period that was never opened, ClosedPeriod for one that is closed, InvalidInput
    when an exchange rate is missing.
    """
    with acting(actor, reason=reason or f"Recognise {period}"):
        require(actor, "revenue.recognition.run", record=period)
        context = begin(entity_id, period)
    contracts = list(
        RevenueContract.objects.filter(entity_id=entity_id, starts_on__lt=context.period.ends_on)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    for start in range(0, len(contracts), chunk):
        with acting(actor, reason=reason or f"Recognise {period}"):
            ids = contracts[start : start + chunk]
            recognise(locks.rows(RevenueContract, ids), context)
        if progress is not None:
            progress(min(start + chunk, len(contracts)), len(contracts))
    with acting(actor, reason=reason or f"Recognise {period}"):
        open_items.remeasure(context)
        events.period_event(events.RECOGNISED, context.period.pk, run_id=context.run.pk)
    return context.run


def begin(entity_id: int, name: str) -> Context:
    """A run that has recognised nothing yet. Raises as `run` does; runs of an entity wait for each other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('revenue.run', %s))", [entity_id])
    period = AccountingPeriod.objects.select_related("entity").filter(entity=entity_id, name=name).first()
    if period is None:
        raise NotFound(f"There is no accounting period {name}", remedy="Open the period first")
    if period.state == AccountingPeriod.State.CLOSED:
        raise ClosedPeriod(
            "Its revenue is settled", record=str(period), remedy="Run the open period: it catches up"
        )
    if not AccountingPeriod.objects.filter(entity=entity_id, starts_on=period.ends_on).exists():
        raise NotFound(
            f"There is no accounting period from {period.ends_on} on",
            record=str(period),
            remedy="Open the next period: contract assets are reversed on its first day",
        )
    earlier_open = (
        AccountingPeriod.objects.filter(entity=entity_id, starts_on__lt=period.starts_on)
        .exclude(state=AccountingPeriod.State.CLOSED)
        .aggregate(last=Max("starts_on"))["last"]
    )
    last = RecognitionRun.objects.filter(period=period).aggregate(last=Max("number"))["last"]
    run = RecognitionRun.objects.create(
        entity_id=entity_id, period=period, number=(last or 0) + 1, catches_up_from=earlier_open
    )
    return Context(run=run, period=period, window=Window(earlier_open, period.starts_on))
