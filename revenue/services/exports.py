"""Exporting journals to the general ledger: every journal in one batch, every batch one file."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from django.db import connection
from django.db.models import Max

from o2c import locks
from o2c.access import require
from o2c.access.services import reads
from o2c.actor import Actor, acting
from o2c.documents import store
from o2c.errors import Conflict, InvalidInput, NotFound
from o2c.ledger.models import AccountingPeriod, Journal
from o2c.money.arithmetic import round_half_up
from revenue import events
from revenue.models import GlExport, GlExportLine
from revenue.services.export_formats import FORMATS, Batch

ZERO = Decimal(0)
RATE_PLACES = 12

# One line a day, rule, currency, account, product segment and side.
LINES = """
SELECT j.posting_date, j.rule, j.currency, a.code, coalesce(s.gl_segment, ''),
       sum(l.debit), sum(l.credit), sum(l.functional_debit), sum(l.functional_credit)
FROM ledger_journal j JOIN ledger_journalline l ON l.journal_id = j.id
JOIN ledger_account a ON a.id = l.account_id
LEFT JOIN orders_orderline o ON l.reference = 'order_line:' || o.id
LEFT JOIN orders_sku s ON s.id = o.sku_id AND a.kind = 'revenue'
WHERE j.id = ANY(%(ids)s)
GROUP BY 1, 2, 3, 4, 5, l.debit > 0 OR l.functional_debit > 0
ORDER BY 1, 2, 3, 4, 5, 6 DESC
"""

EXPORTED = """
INSERT INTO revenue_glexportjournal (export_id, journal_id) SELECT %s, unnest(%s::bigint[])
"""


def build(
    period_id: int, *, actor: Actor, reason: str = "", format: str = GlExport.Format.NETSUITE
) -> GlExport:
    """Write the file of every journal of the period that no earlier export took.

    Raises Conflict when there is none, InvalidInput for an unknown format.
    """
    with acting(actor, reason=reason):
        require(actor, "revenue.export.build", record=f"period {period_id}")
        if format not in FORMATS:
            raise InvalidInput(f"{format!r} is not a format", remedy=f"Choose one of {', '.join(FORMATS)}")
        period = AccountingPeriod.objects.select_related("entity").filter(pk=period_id).first()
        if period is None:
            raise NotFound("There is no such accounting period", record=f"period {period_id}")
        _alone(period_id)
        journals = list(
            Journal.objects.filter(period=period, gl_export__isnull=True)
            .order_by("pk")
            .values_list("pk", flat=True)
        )
        if not journals:
            raise Conflict(
                "Every journal of the period is exported", record=str(period), code="nothing_to_export"
            )
        export = _write(period, format, journals)
        reads.record(reads.FILE, f"journals: {export.external_id}", len(journals), actor=actor)
        return export


def _alone(period_id: int) -> None:
    """One export of a period at a time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('revenue.export', %s))", [period_id])


def _write(period: AccountingPeriod, format: str, journals: Sequence[int]) -> GlExport:
    last = GlExport.objects.filter(period=period).aggregate(last=Max("sequence"))["last"]
    sequence = (last or 0) + 1
    external_id = f"{period.entity.code}-{period.name}-{sequence:02d}"
    lines = _lines(external_id, journals)
    content = FORMATS[format](Batch(external_id, period.entity, period.name), lines)
    document = store.put(content, "text/csv", f"{external_id}-{format}.csv")
    export = GlExport.objects.create(
        external_id=external_id,
        entity=period.entity,
        period=period,
        sequence=sequence,
        format=format,
        journals=len(journals),
        lines=len(lines),
        total_debit=sum((line.functional_debit for line in lines), ZERO),
        total_credit=sum((line.functional_credit for line in lines), ZERO),
        sha256=document.sha256,
        document=document,
    )
    for line in lines:
        line.export = export
    GlExportLine.objects.bulk_create(lines, batch_size=5000)
    with connection.cursor() as cursor:
        cursor.execute(EXPORTED, [export.pk, list(journals)])
    events.export_built(export.pk)
    return export


def _lines(external_id: str, journals: Sequence[int]) -> list[GlExportLine]:
    with connection.cursor() as cursor:
        cursor.execute(LINES, {"ids": list(journals)})
        rows = cursor.fetchall()
    groups: dict[tuple[object, ...], str] = {}
    lines = []
    for position, (day, rule, currency, account, segment, debit, credit, fd, fc) in enumerate(rows, 1):
        group = groups.setdefault((day, rule, currency), f"{external_id}-{len(groups) + 1:04d}")
        amount, worth = debit - credit, fd - fc
        rate = round_half_up(Fraction(worth) / Fraction(amount), RATE_PLACES) if amount else None
        lines.append(
            GlExportLine(
                position=position,
                group=group,
                posting_date=day,
                rule=rule,
                account=account,
                segment=segment,
                currency=currency,
                debit=debit,
                credit=credit,
                functional_debit=fd,
                functional_credit=fc,
                rate=rate if rate is not None and rate > 0 else None,
            )
        )
    return lines


def mark_sent(pk: int, *, actor: Actor, reason: str = "") -> GlExport:
    """The file was handed over; a rejected one is handed over again, unchanged."""
    with acting(actor, reason=reason):
        export = locks.row(GlExport, pk)
        require(actor, "revenue.export.send", record=str(export))
        export.mark_sent()
        export.rejection = ""
        export.save()
        return export


def acknowledge(
    pk: int, *, lines: int, total_debit: Decimal, actor: Actor, gl_reference: str = "", reason: str = ""
) -> GlExport:
    """The ledger says what it took. Raises Conflict unless that is the whole file, to the cent."""
    with acting(actor, reason=reason):
        export = locks.row(GlExport, pk)
        require(actor, "revenue.export.acknowledge", record=str(export))
        if (lines, total_debit) != (export.lines, export.total_debit):
            raise Conflict(
                f"The ledger took {lines} lines of {total_debit};"
                f" {export.lines} of {export.total_debit} were sent",
                record=str(export),
                remedy="A batch is taken whole or not at all: have it rejected and send it again",
                code="totals_differ",
            )
        export.acknowledge()
        export.acknowledged_lines, export.acknowledged_debit = lines, total_debit
        export.gl_reference = gl_reference
        export.save()
        return export


def reject(pk: int, *, actor: Actor, reason: str = "") -> GlExport:
    """The ledger refused the file; `reason` is what it said."""
    with acting(actor, reason=reason):
        export = locks.row(GlExport, pk)
        require(actor, "revenue.export.acknowledge", record=str(export))
        if not reason.strip():
            raise InvalidInput("Say what the ledger answered", record=str(export))
        export.reject()
        export.rejection = reason.strip()
        export.save()
        return export
