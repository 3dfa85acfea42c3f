"""Posting a bill run against bare SQL that inserts the same rows, with the same keys and indexes.

    python -m bench.bill_run [invoices] [lines]

A run of drafts is laid out by SQL, then posted through `billing.services.runs.post`: numbers, state,
history by trigger, charges with both guards, journals balanced and checked, events and deliveries, digest
and conservation totals. The same rows are then inserted by bare SQL into clones of the tables, with their
primary keys, unique keys, exclusion constraints, checks, foreign keys and indexes, and no trigger.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from dataclasses import dataclass
from typing import Any

from bench.database import fill_defaults, scratch

DAY = dt.date(2026, 8, 31)

CUSTOMERS = """
INSERT INTO orders_customer (number, name, legal_name, entity_id, currency, country, region, tax_id,
  tax_exempt, payment_terms_days, bill_to_name, bill_to_line1, bill_to_line2, bill_to_city, bill_to_region,
  bill_to_postal_code, bill_to_country, billing_email, time_zone, consolidate_invoices, state)
SELECT 'B-' || n, 'Customer ' || n, 'Customer ' || n || ' Inc.', %(entity)s, 'USD', 'US', 'NY', '', false, 30,
  '', '1 Main St', '', 'Albany', 'NY', '12207', 'US', 'ap' || n || '@example.com', 'UTC', false, 'active'
FROM generate_series(1, %(count)s / 5) n
"""
ORDERS = """
INSERT INTO orders_order (number, customer_id, entity_id, currency, title, state, starts_on, time_zone,
  billing_frequency, anchor, proration, po_number, payment_terms_days, channel, late_usage_policy, auto_renew,
  renewal_uplift_percent, consolidation_key, commitments, invoice_thresholds)
SELECT 'BO-' || n, c.id, %(entity)s, 'USD', '', 'draft', '2026-08-01', 'UTC', 'month', 'anniversary',
  'actual_days', 'PO-' || n, 30, 'direct', 'bill_next', false, 0, '', '[]', '[]'
FROM generate_series(1, %(count)s) n JOIN orders_customer c ON c.number = 'B-' || (1 + n %% (%(count)s / 5))
"""
LINES = """
INSERT INTO orders_orderline (order_id, position, sku_id, description, timing, frequency, usage_key,
  source_line_id)
SELECT o.id, p, %(sku)s, '', 'advance', '', '', ''
FROM orders_order o, generate_series(1, %(lines)s) p WHERE o.number LIKE 'BO-%%'
"""
SEGMENTS = """
INSERT INTO orders_segment (line_id, sequence, starts_on, quantity, price_id, discount_percent)
SELECT l.id, 1, '2026-08-01', 1, %(price)s, 0
FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id WHERE o.number LIKE 'BO-%%'
"""
INVOICES = """
INSERT INTO billing_invoice (kind, entity_id, customer_id, order_id, currency, state, issue_date, due_date,
  run_id, po_number, terms_days, bill_to, seller, tax_treatment, tax_note, net, tax, total, applied, channel,
  reason_code, reason)
SELECT 'invoice', o.entity_id, o.customer_id, o.id, 'USD', 'draft', %(day)s, %(day)s + 30, %(run)s,
  o.po_number, 30,
  jsonb_build_object('number', c.number, 'legal_name', c.legal_name, 'name', c.legal_name, 'line1',
    c.bill_to_line1, 'line2', '', 'city', 'Albany', 'region', 'NY', 'postal_code', '12207', 'country', 'US',
    'tax_id', '', 'email', c.billing_email),
  jsonb_build_object('code', 'US', 'name', 'Acme', 'legal_name', 'Acme AI Inc.',
    'line1', '1 Main St', 'line2', '',
    'city', 'Austin', 'region', 'TX', 'postal_code', '78701', 'country', 'US', 'tax_id', '12-3456789',
    'registration', '', 'email', 'ar@acme.example', 'bank_name', 'First Bank', 'bank_account', '000123',
    'bank_routing', '', 'swift', ''),
  'standard', '', 40 * %(lines)s, round(40 * %(lines)s * 0.08875, 2),
  40 * %(lines)s + round(40 * %(lines)s * 0.08875, 2), 0, 'direct', '', ''
FROM orders_order o JOIN orders_customer c ON c.id = o.customer_id WHERE o.number LIKE 'BO-%%'
"""
INVOICE_LINES = """
INSERT INTO billing_invoiceline (invoice_id, position, kind, order_line_id, segment_id, service_from,
  service_to, sku_code, description, quantity, unit, net, tax_category, tax_name, tax_rate, tax, treatment,
  deferred, trace, proposal)
SELECT i.id, l.position, 'recurring', l.id, s.id, '2026-08-01', '2026-09-01', 'SEATS', 'Seats', 1, 'seat',
  40, 'saas', 'Sales tax', 0.08875, CASE l.position WHEN 1 THEN i.tax ELSE 0 END, 'ratable_daily', true,
  '{"formula": "1 * 40 = 40, rounded 40.00", "exact": "40/1", "price": "SEATS USD v1",
    "period": ["2026-08-01", "2026-09-01"], "pieces": [{"from": "2026-08-01", "to": "2026-09-01",
    "model": "per_unit", "share": "1/1", "steps": [{"label": "per unit", "units": "1",
    "unit_amount": "40", "amount": "40"}]}]}',
  jsonb_build_object('period_from', '2026-08-01', 'period_to', '2026-09-01', 'service_from', '2026-08-01',
    'service_to', '2026-09-01', 'covers_from', '2026-08-01', 'covers_to', '2026-09-01', 'due_on',
    '2026-08-01', 'revision', 0, 'corrects', NULL)
FROM billing_invoice i JOIN orders_orderline l ON l.order_id = i.order_id
JOIN orders_segment s ON s.line_id = l.id WHERE i.run_id = %(run)s
"""

# What posting writes. An invoice is updated by us and inserted by bare SQL.
WRITTEN = (
    "billing_invoice",
    "billing_historicalinvoice",
    "billing_charge",
    "ledger_journal",
    "ledger_journalline",
    "outbox_domainevent",
    "outbox_delivery",
)


@dataclass(frozen=True)
class Figure:
    """One measurement: what, seconds, how many of it."""

    what: str
    seconds: float
    count: int

    @property
    def rate(self) -> float:
        return self.count / self.seconds

    def __str__(self) -> str:
        return f"{self.what:<52} {self.seconds:7.2f} s {self.rate:10,.0f} a second"


def lay_out(count: int, lines: int) -> Any:
    """A released run of `count` drafts with `lines` lines each, and the people who made it."""
    from django.db import connection

    from billing.models import BillRun, BillRunChunk, Invoice, InvoiceLine
    from billing.selectors import runs as run_selectors
    from billing.services.runs import plan
    from o2c import clock
    from o2c.actor import acting
    from orders.models import Customer, Order, OrderLine, Price, Segment
    from tests.factories.billing import billing_team, books
    from tests.factories.orders import make_catalogue

    team = billing_team()
    entity = books(team)["US"]
    skus = make_catalogue(team.orders)
    price = Price.objects.get(sku=skus["SEATS"], currency="USD")
    run = plan(entity_id=entity.pk, through=dt.date(2026, 9, 1), issue_on=DAY, actor=team.ops)
    values = {
        "entity": entity.pk,
        "count": count,
        "lines": lines,
        "sku": skus["SEATS"].pk,
        "price": price.pk,
        "run": run.pk,
        "day": DAY,
    }
    with acting(team.orders, reason="bench"), connection.cursor() as cursor:
        fill_defaults(cursor, Customer, Order, OrderLine, Segment, Invoice, InvoiceLine)
        for statement in (CUSTOMERS, ORDERS, LINES, SEGMENTS, INVOICES, INVOICE_LINES):
            cursor.execute(statement, values)
    with acting(team.ops, reason="bench"):
        run = BillRun.objects.get(pk=run.pk)
        net = {"USD": str(40 * lines * count)}
        BillRunChunk.objects.create(run=run, sequence=1, expected=net, recalculated=net, differences=0)
        run.calculated_by_id, run.calculated_at = team.ops.user_id, clock.now()
        run.digest = run_selectors.digest(run)
        run.calculate()
        run.save()
    with acting(team.approver, reason="bench"):
        run.released_by_id, run.released_at = team.approver.user_id, clock.now()
        run.release()
        run.save()
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")
        cursor.execute("ANALYZE")
        cursor.execute("SET ROLE o2c_app")
    return run, team


def clones(cursor: Any) -> None:
    """Empty copies of the tables that posting writes, with every key, check and index, and no trigger."""
    for table in WRITTEN:
        cursor.execute(f"DROP TABLE IF EXISTS bare_{table} CASCADE")
        cursor.execute(f"CREATE TABLE bare_{table} (LIKE {table} INCLUDING ALL)")
    for table in WRITTEN:
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = %s::regclass AND contype = 'f'",
            [table],
        )
        for name, definition in cursor.fetchall():
            for other in WRITTEN:
                definition = definition.replace(f"REFERENCES {other}(", f"REFERENCES bare_{other}(")
            cursor.execute(f'ALTER TABLE bare_{table} ADD CONSTRAINT "bare_{name[:50]}" {definition}')


def _columns(cursor: Any, table: str) -> str:
    cursor.execute(
        "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
        [table],
    )
    return str(cursor.fetchone()[0])


def bare(run_id: int) -> tuple[float, dict[str, int]]:
    """Insert what the run wrote into the clones, in one transaction; seconds and rows by table."""
    from django.db import connection, transaction

    own = {
        "billing_invoice": "run_id = %(run)s",
        "billing_historicalinvoice": "run_id = %(run)s AND history_type = '~'",
        "billing_charge": "run_id = %(run)s",
    }
    rows: dict[str, int] = {}
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")
        clones(cursor)
        statements = []
        for table in WRITTEN:
            columns = _columns(cursor, table)
            where = f" WHERE {own[table]}" if table in own else ""
            cursor.execute(
                f"CREATE TEMP TABLE source_{table} AS SELECT {columns} FROM {table}{where}", {"run": run_id}
            )
            cursor.execute(f"ANALYZE source_{table}")
            statements.append(
                (table, f"INSERT INTO bare_{table} ({columns}) OVERRIDING SYSTEM VALUE"
                 f" SELECT {columns} FROM source_{table}")
            )  # fmt: skip
        started = time.perf_counter()
        with transaction.atomic():
            for table, statement in statements:
                cursor.execute(statement)
                rows[table] = cursor.rowcount
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # checked here, as the commit would
        seconds = time.perf_counter() - started
        for table in WRITTEN:
            cursor.execute(f"DROP TABLE bare_{table} CASCADE")
        cursor.execute("SET ROLE o2c_app")
    return seconds, rows


def measure(count: int = 5000, lines: int = 5) -> tuple[Figure, Figure, dict[str, int], int]:
    """Post a run of `count` invoices, then insert its rows by bare SQL; figures, rows, statements."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from billing.models import Invoice
    from billing.services import runs

    run, team = lay_out(count, lines)
    with CaptureQueriesContext(connection) as queries:
        started = time.perf_counter()
        runs.post(run.pk, actor=team.ops)
        seconds = time.perf_counter() - started
    assert Invoice.objects.filter(run=run, state="posted").count() == count
    bare_seconds, rows = bare(run.pk)
    posted = Figure(f"bill run, {count:,} invoices x {lines} lines posted", seconds, count)
    return posted, Figure("bare SQL, the same rows", bare_seconds, count), rows, len(queries)


def main(arguments: list[str]) -> None:
    count, lines = (int(value) for value in (*arguments, *("5000", "5")[len(arguments) :]))
    with scratch("bench_bill_run"):
        posted, plain, rows, statements = measure(count, lines)
    print(posted)
    print(plain)
    print(f"ratio {posted.seconds / plain.seconds:.2f}; {statements} statements; rows written:")
    for table, number in rows.items():
        print(f"  {table:<28} {number:>8,}")


if __name__ == "__main__":
    main(sys.argv[1:])
