"""Runs the SQL of the second calculator over some orders, in the caller's transaction.

The statements stand in `sql/`, in the order of their numbers, and work on temporary tables, so that every
intermediate result can be asked for when a difference is to be explained. Their number does not depend on how
many orders there are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

from django.db import connection

from o2c.money import minor_units

FILES = Path(__file__).parent / "sql"
TABLES = (
    "asked", "order", "digits", "line", "length", "stretch", "agreed", "base", "leaf", "tier", "billed",
    "drafted", "slot", "cut", "piece", "portion", "span", "share", "event", "measure", "level", "whose",
    "running", "counted", "rated", "dimensions", "charged", "input", "factor", "step", "amount", "odd",
    "due", "beside", "horizon", "commitment", "counts", "promise", "true_up", "instalment", "grant",
    "used", "part", "held", "matching", "offer", "drawn", "entry",
)  # fmt: skip
OPEN = f"""
DROP TABLE IF EXISTS {", ".join(f"pg_temp.recalc_{name}" for name in TABLES)};
CREATE TEMPORARY TABLE recalc_asked (run_id bigint, through date, everything boolean, early boolean)
  ON COMMIT DROP;
CREATE TEMPORARY TABLE recalc_order (order_id bigint PRIMARY KEY) ON COMMIT DROP;
CREATE TEMPORARY TABLE recalc_digits (currency text PRIMARY KEY, digits int) ON COMMIT DROP
"""
FILL = """
WITH asked AS (
  INSERT INTO recalc_asked VALUES (%(run)s, %(through)s, %(everything)s, %(early)s)
)
INSERT INTO recalc_order SELECT DISTINCT id FROM unnest(%(orders)s::bigint[]) AS o(id) RETURNING
  (SELECT currency FROM orders_order WHERE id = order_id)
"""
DIGITS = "INSERT INTO recalc_digits SELECT * FROM unnest(%s::text[], %s::int[])"

DIFFERENT = """
SELECT b.line_id, b.segment_id, b.kind, b.period_from, b.slot_id, b.expected, b.billed, b.due, b.drafted,
       b.invoice_line_id, v.invoice_id, l.order_id, l.order_number, l.position, l.currency
FROM recalc_beside b JOIN recalc_line l USING (line_id)
LEFT JOIN billing_invoiceline v ON v.id = b.invoice_line_id
WHERE b.due <> b.drafted
ORDER BY l.order_number, l.position, b.period_from, b.segment_id
"""
# What credit pays of it, or the contract lets go, is taken as it was drafted; COVERS holds it to the usage.
TOTALS = """
SELECT currency, sum(due), sum(keys) FROM (
  SELECT l.currency, b.due, 1 AS keys FROM recalc_beside b JOIN recalc_line l USING (line_id)
  UNION ALL
  SELECT l.currency, v.net, 0
  FROM recalc_asked a JOIN billing_invoice i ON i.run_id = a.run_id AND i.state = 'draft'
  JOIN billing_invoiceline v ON v.invoice_id = i.id AND v.kind IN ('drawdown', 'waiver')
  JOIN recalc_line l ON l.line_id = v.order_line_id
) t GROUP BY currency ORDER BY currency
"""
# Usage charges of which more is taken off than they come to, or to which something is added.
COVERS = """
SELECT l.line_id, l.order_id, l.order_number, l.position,
       'usage from ' || period_from || ' comes to ' || usage || ', and ' || -covered || ' is taken off'
FROM (
  SELECT line_id, segment_id, period_from, coalesce(sum(amount) FILTER (WHERE kind = 'usage'), 0) AS usage,
         coalesce(sum(amount) FILTER (WHERE kind <> 'usage'), 0) AS covered, bool_or(drafted) AS drafted
  FROM (
    SELECT v.order_line_id AS line_id, v.segment_id, (v.proposal->>'period_from')::date AS period_from,
           v.kind, v.net AS amount, v.kind <> 'usage' AS drafted
    FROM recalc_asked a JOIN billing_invoice i ON i.run_id = a.run_id AND i.state = 'draft'
    JOIN billing_invoiceline v ON v.invoice_id = i.id AND v.kind IN ('usage', 'drawdown', 'waiver')
    UNION ALL
    SELECT c.line_id, c.segment_id, c.period_from, c.kind, c.amount, false
    FROM billing_charge c JOIN recalc_line l USING (line_id) WHERE c.kind IN ('usage', 'drawdown', 'waiver')
  ) r GROUP BY line_id, segment_id, period_from
) s JOIN recalc_line l USING (line_id)
WHERE drafted AND (covered > 0 OR -covered > greatest(usage, 0))
ORDER BY l.order_number, l.position
"""
ODD = """
SELECT o.line_id, l.order_id, l.order_number, l.position, string_agg(o.what, '; ' ORDER BY o.what)
FROM recalc_odd o JOIN recalc_line l USING (line_id)
GROUP BY o.line_id, l.order_id, l.order_number, l.position ORDER BY l.order_number, l.position
"""


DIVERGING = """
SELECT d.line_id, d.segment_id, d.kind, d.period_from, l.currency, d.billed, d.expected
FROM recalc_due d JOIN recalc_line l USING (line_id)
WHERE d.corrects AND d.due <> 0 AND NOT EXISTS (SELECT 1 FROM recalc_odd o WHERE o.line_id = d.line_id)
  -- More usage of a period that was billed early waits for the period's end.
  AND (d.kind <> 'usage' OR d.slot_id IS NULL OR d.due <= 0
       OR d.due_on < (SELECT through FROM recalc_asked))
"""


@dataclass(frozen=True, slots=True)
class Different:
    """One key (line, segment, kind, period) for which the two calculators do not want the same.

    `due` is this calculator's expected minus billed, `drafted` the net of the draft lines. `slot_id` is None
    when this calculator expects no charge at all, `invoice_line_id` when nothing was drafted.
    """

    line_id: int
    segment_id: int
    kind: str
    period_from: dt.date
    slot_id: int | None
    expected: Decimal
    billed: Decimal
    due: Decimal
    drafted: Decimal
    invoice_line_id: int | None
    invoice_id: int | None
    order_id: int
    order_number: str
    position: int
    currency: str


@dataclass(frozen=True, slots=True)
class Odd:
    """An order line with something that this calculator cannot recompute, and what that is."""

    line_id: int
    order_id: int
    order_number: str
    position: int
    what: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Net due per currency, how many keys were compared, and everything that is wrong with the drafts."""

    totals: dict[str, Decimal]
    keys: int
    different: Sequence[Different]
    odd: Sequence[Odd]
    covers: Sequence[Odd]


@cache
def _statements() -> str:
    parts = sorted(path for path in FILES.glob("*.sql"))
    return ";\n".join(path.read_text(encoding="utf-8").strip().rstrip(";") for path in parts)


def prepare(
    order_ids: Iterable[int],
    *,
    through: dt.date,
    run_id: int | None = None,
    everything: bool = False,
    early: bool = False,
) -> None:
    """Fill the temporary tables for these orders, charges due before `through` (exclusive).

    `run_id` names the run whose drafts stand beside. With `everything`, usage of periods that are billed
    and not drafted again is metered again too; a bill run leaves that to the nightly comparison. `early` is
    for a run of early invoices: only what it drafted is looked at, up to its date.
    """
    ids = sorted(set(order_ids))
    with connection.cursor() as cursor:
        cursor.execute(OPEN)
        values = {
            "run": run_id,
            "through": through,
            "everything": everything,
            "early": early,
            "orders": ids,
        }
        cursor.execute(FILL, values)
        currencies = sorted({row[0] for row in cursor.fetchall() if row[0]})
        cursor.execute(DIGITS, [currencies, [minor_units(code) for code in currencies]])
        cursor.execute(_statements())


def recalculate(order_ids: Iterable[int], *, through: dt.date, run_id: int, early: bool = False) -> Outcome:
    """Re-rate what a run drafted for these orders; what the run did not draft must not be due either.

    Inside the caller's transaction; its temporary tables stay until it ends, for `workings`.
    """
    prepare(order_ids, through=through, run_id=run_id, early=early)
    with connection.cursor() as cursor:
        cursor.execute(TOTALS)
        totals = cursor.fetchall()
        cursor.execute(DIFFERENT)
        different = [Different(*row) for row in cursor.fetchall()]
        cursor.execute(ODD)
        odd = [Odd(*row) for row in cursor.fetchall()]
        cursor.execute(COVERS)
        covers = [Odd(*row) for row in cursor.fetchall()]
    keys = sum(int(row[2]) for row in totals)
    return Outcome({row[0]: row[1] for row in totals}, keys, different, odd, covers)


def diverging(
    order_ids: Iterable[int], through: dt.date
) -> tuple[list[tuple[int, int, str, dt.date, str, Decimal, Decimal]], set[int]]:
    """Billed periods that would be billed otherwise now, over every event and every billed period.

    Rows of line, segment, kind, first day of the period, currency, billed, expected; and the lines that
    this calculator cannot recompute, which have no rows.
    """
    prepare(order_ids, through=through, everything=True)
    with connection.cursor() as cursor:
        cursor.execute(DIVERGING)
        rows = cursor.fetchall()
        cursor.execute("SELECT line_id FROM recalc_odd")
        return rows, {row[0] for row in cursor.fetchall()}
