"""What a bill run comes to: its digest, its conservation totals, its population."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from billing.models import BillRun, Invoice
from o2c.errors import Conflict
from o2c.money import minor_units
from orders.models import Customer, Order

ZERO = Decimal(0)

# Business values only, no ids and no state: a preview, the drafts and the posted documents of the same
# facts have the same digest.
DIGEST = """
SELECT encode(sha256(convert_to(coalesce(string_agg(line, E'\\n' ORDER BY line), ''), 'UTF8')), 'hex')
FROM (
  SELECT concat_ws('|', c.number, i.kind, i.currency, i.issue_date, i.due_date, i.po_number, i.channel,
                   i.net, i.tax, i.total, l.position, l.order_line_id, l.kind, l.service_from, l.service_to,
                   l.quantity, l.net, l.tax_rate, l.tax, l.treatment, l.proposal->>'revision') AS line
  FROM billing_invoice i JOIN billing_invoiceline l ON l.invoice_id = i.id
  JOIN orders_customer c ON c.id = i.customer_id
  WHERE i.run_id = %s
) lines
"""

TOTALS = """
WITH engine AS (
  SELECT key AS currency, sum(value::numeric) AS expected
  FROM billing_billrunchunk, jsonb_each_text(expected) WHERE run_id = %(run)s GROUP BY key
), again AS (
  SELECT key AS currency, sum(value::numeric) AS recalculated
  FROM billing_billrunchunk, jsonb_each_text(recalculated) WHERE run_id = %(run)s GROUP BY key
), documents AS (
  SELECT i.currency, count(*) AS documents, sum(i.net) AS net, sum(i.tax) AS tax, sum(i.total) AS total,
         count(*) FILTER (WHERE i.state <> 'draft') AS posted_documents,
         coalesce(sum(i.net) FILTER (WHERE i.state <> 'draft'), 0) AS posted
  FROM billing_invoice i WHERE i.run_id = %(run)s GROUP BY i.currency
), lines AS (
  SELECT i.currency, count(*) AS lines, sum(l.net) AS drafted
  FROM billing_invoiceline l JOIN billing_invoice i ON i.id = l.invoice_id
  WHERE i.run_id = %(run)s GROUP BY i.currency
), charges AS (
  SELECT i.currency, sum(c.amount) AS charged FROM billing_charge c
  JOIN billing_invoiceline l ON l.id = c.invoice_line_id JOIN billing_invoice i ON i.id = l.invoice_id
  WHERE i.run_id = %(run)s GROUP BY i.currency
), journals AS (
  SELECT i.currency, sum(j.net) AS booked FROM billing_invoice i JOIN LATERAL (
    SELECT sum(jl.credit - jl.debit) AS net FROM ledger_journal h
    JOIN ledger_journalline jl ON jl.journal_id = h.id JOIN ledger_account a ON a.id = jl.account_id
    WHERE h.event_key = 'billing.invoice:' || i.id AND h.rule = 'invoice.posted'
      AND a.code NOT IN ('1100', '1105', '2150')) j ON true
  WHERE i.run_id = %(run)s AND i.state <> 'draft' GROUP BY i.currency
)
SELECT currency, coalesce(expected, 0), coalesce(recalculated, 0), coalesce(drafted, 0),
       coalesce(posted, 0), coalesce(charged, 0), coalesce(booked, 0), coalesce(documents, 0),
       coalesce(posted_documents, 0), coalesce(lines, 0), coalesce(tax, 0), coalesce(total, 0)
FROM engine FULL JOIN again USING (currency) FULL JOIN documents USING (currency)
FULL JOIN lines USING (currency)
FULL JOIN charges USING (currency) FULL JOIN journals USING (currency)
ORDER BY currency
"""
FIGURES = ("expected", "recalculated", "drafted", "posted", "charged", "booked")
COUNTS = ("documents", "posted_documents", "lines")


def digest(run: BillRun) -> str:
    """SHA-256 of everything that the run's documents say."""
    with connection.cursor() as cursor:
        cursor.execute(DIGEST, [run.pk])
        return str(cursor.fetchone()[0])


def require_digest(run: BillRun) -> None:
    """Raises Conflict when the documents are not those that were calculated."""
    if digest(run) != run.digest:
        raise Conflict(
            "Its documents are not those that were calculated and reviewed",
            record=run.number,
            remedy="Discard the drafts and calculate the run again",
            code="run_changed",
        )


def conservation(run: BillRun) -> dict[str, dict[str, Any]]:
    """Per currency: net expected, recalculated, drafted, posted, charged and booked; counts, tax, total."""
    with connection.cursor() as cursor:
        cursor.execute(TOTALS, {"run": run.pk})
        rows = cursor.fetchall()
    names = ("currency", *FIGURES, *COUNTS, "tax", "total")
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        values = dict(zip(names, row, strict=True))
        currency = values.pop("currency")
        found[currency] = {
            name: value if name in COUNTS else f"{value:.{minor_units(currency)}f}"
            for name, value in values.items()
        }
    return found


def require_conserved(run: BillRun) -> None:
    """Raises Conflict when a currency's totals differ or a document of the run is not posted."""
    for currency, values in run.totals.items():
        amounts = {name: Decimal(values[name]) for name in FIGURES}
        if len(set(amounts.values())) > 1 or values["documents"] != values["posted_documents"]:
            figures = ", ".join(f"{name} {amount}" for name, amount in amounts.items())
            raise Conflict(
                f"The totals in {currency} do not agree: {figures}",
                record=run.number,
                remedy="Stop here: compare the run's chunks with its documents and journals",
                code="run_not_conserved",
            )


def orders_in_scope(run: BillRun) -> QuerySet[Order]:
    """Every order that was ever activated, in the run's entity and currency, that began before its end."""
    orders = Order.objects.filter(activated_on__isnull=False, starts_on__lt=run.through)
    if run.entity_id:
        orders = orders.filter(entity_id=run.entity_id)
    if run.currency:
        orders = orders.filter(currency=run.currency)
    return orders


def customers_in_scope(run: BillRun) -> list[int]:
    """Customers with an order in scope, by id."""
    return list(
        Customer.objects.filter(pk__in=orders_in_scope(run).values("customer_id"))
        .order_by("pk")
        .values_list("pk", flat=True)
    )


def rival(run: BillRun, customer_ids: Sequence[int]) -> BillRun | None:
    """An unfinished run with some of the same customers in the same entity and currency."""
    open_runs = BillRun.objects.exclude(state__in=[BillRun.State.POSTED, BillRun.State.CANCELLED])
    if run.entity_id:
        open_runs = open_runs.filter(Q(entity_id=run.entity_id) | Q(entity__isnull=True))
    if run.currency:
        open_runs = open_runs.filter(currency__in=["", run.currency])
    wanted = set(customer_ids)
    for other in open_runs.prefetch_related("chunks").order_by("pk"):
        if any(wanted.intersection(chunk.customer_ids) for chunk in other.chunks.all()):
            return other
    return None


def billed_before(customer_ids: Sequence[int], run_id: int) -> set[tuple[int, str, str]]:
    """Who has a posted invoice already, by (customer, currency, channel)."""
    posted = Invoice.objects.filter(
        customer_id__in=customer_ids, state=Invoice.State.POSTED, kind=Invoice.Kind.INVOICE
    ).exclude(run_id=run_id)
    return set(posted.values_list("customer_id", "currency", "channel").distinct().order_by())


def last_daily(line_ids: Sequence[int]) -> dict[tuple[int, str], Fraction]:
    """What each order line was charged per day of service the last time, by (line, kind); exact.

    A service period in several segments counts as one; corrections do not count.
    """
    query = """
        WITH periods AS (
            SELECT line_id, kind, period_from, sum(amount) AS amount, sum(service_to - service_from) AS days,
                   row_number() OVER (PARTITION BY line_id, kind ORDER BY period_from DESC) AS age
            FROM billing_charge WHERE line_id = ANY(%s) AND revision = 0
            GROUP BY line_id, kind, period_from
        )
        SELECT line_id, kind, amount, days FROM periods WHERE age = 1
    """
    with connection.cursor() as cursor:
        cursor.execute(query, [list(line_ids)])
        return {(line, kind): Fraction(amount) / days for line, kind, amount, days in cursor.fetchall()}
