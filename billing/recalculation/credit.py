"""Which grant pays what of the usage that a run drafted: drafted beside recalculated, key by key.

The tables stand in `sql/90_credit.sql`. A charge of which credit pays something else than the rule says is a
difference like any other, though its amount may be right.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db import connection

from billing.recalculation.calculator import Different
from billing.recalculation.workings import Comparison, Step

# Keys with their entries as [drafted, part, reverses, grant, amount], parts of the drafts and what is due.
KEYS = """
WITH said AS (
  SELECT line_id, segment_id, period_from,
         coalesce(sum(amount) FILTER (WHERE drafted), 0) AS drafted,
         coalesce(sum(amount) FILTER (WHERE NOT drafted), 0) AS own,
         jsonb_agg(jsonb_build_array(drafted, starts, reverses, grant_id, amount::text)
                   ORDER BY starts, reverses, grant_id) AS entries
  FROM recalc_entry GROUP BY line_id, segment_id, period_from
), lines AS (
  SELECT v.order_line_id AS line_id, v.segment_id, (v.proposal->>'period_from')::date AS period_from,
         sum(v.net) AS net, min(v.id) AS id, min(v.invoice_id) AS invoice_id
  FROM recalc_asked a JOIN billing_invoice i ON i.run_id = a.run_id AND i.state = 'draft'
  JOIN billing_invoiceline v ON v.invoice_id = i.id AND v.kind = 'drawdown'
  JOIN recalc_line l ON l.line_id = v.order_line_id
  GROUP BY 1, 2, 3
), parts AS (
  SELECT line_id, segment_id, period_from, sum(now - before) AS grown FROM recalc_part
  GROUP BY line_id, segment_id, period_from
), waived AS (
  SELECT v.order_line_id AS line_id, v.segment_id, (v.proposal->>'period_from')::date AS period_from,
         sum(v.net) AS net
  FROM recalc_asked a JOIN billing_invoice i ON i.run_id = a.run_id AND i.state = 'draft'
  JOIN billing_invoiceline v ON v.invoice_id = i.id AND v.kind = 'waiver'
  GROUP BY 1, 2, 3
), keys AS (
  SELECT line_id, segment_id, period_from FROM said UNION SELECT line_id, segment_id, period_from FROM lines
  UNION SELECT line_id, segment_id, period_from FROM recalc_used
)
SELECT k.line_id, k.segment_id, k.period_from, coalesce(n.net, 0), coalesce(s.drafted, 0), coalesce(s.own, 0),
       coalesce(s.entries, '[]'), coalesce(p.grown, 0), coalesce(u.due, 0) + coalesce(w.net, 0),
       coalesce(n.id, u.invoice_line_id), coalesce(n.invoice_id, v.invoice_id), l.order_id, l.order_number,
       l.position, l.currency
FROM keys k JOIN recalc_line l USING (line_id)
LEFT JOIN said s USING (line_id, segment_id, period_from)
LEFT JOIN lines n USING (line_id, segment_id, period_from)
LEFT JOIN parts p USING (line_id, segment_id, period_from)
LEFT JOIN waived w USING (line_id, segment_id, period_from)
LEFT JOIN recalc_used u USING (line_id, segment_id, period_from)
LEFT JOIN billing_invoiceline v ON v.id = u.invoice_line_id
WHERE NOT EXISTS (SELECT 1 FROM recalc_odd o WHERE o.line_id = k.line_id)
ORDER BY l.order_number, l.position, k.period_from, k.segment_id
"""
Entry = tuple[str, int | None, int, str]


def differences() -> list[Comparison]:
    """What credit pays otherwise than recalculated, in its transaction. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(KEYS)
        found = [_compared(row) for row in cursor.fetchall()]
    return [one for one in found if one is not None]


def _compared(row: tuple[Any, ...]) -> Comparison | None:
    line, segment, start, net, drafted, own, entries, grown, due, line_id, invoice, *where = row
    listed = json.loads(entries) if isinstance(entries, str) else entries
    theirs = [tuple(entry[1:]) for entry in listed if entry[0]]
    ours = [tuple(entry[1:]) for entry in listed if not entry[0]]
    steps = [
        _amounts("Parts of the usage", grown, due),
        _said("Given back to grants", _only(theirs, back=True), _only(ours, back=True)),
        _said("Drawn from grants", _only(theirs, back=False), _only(ours, back=False)),
        _amounts("Paid by credit", net, own),
    ]
    if all(step.same for step in steps) and net == drafted:
        return None
    key = (line, segment, "drawdown", start)
    return Comparison(_different(key, own, net, line_id, invoice, where), steps)


def _different(
    key: tuple[int, int, str, dt.date],
    own: Decimal,
    net: Decimal,
    line_id: int | None,
    invoice: int | None,
    where: Sequence[Any],
) -> Different:
    order_id, number, position, currency = where
    return Different(
        *key, None, own, Decimal(0), own, net, line_id, invoice, order_id, number, position, currency
    )


def _only(entries: Sequence[Any], *, back: bool) -> list[Entry]:
    return [entry for entry in entries if (entry[1] is not None) == back]


def _said(name: str, theirs: Sequence[Entry], ours: Sequence[Entry]) -> Step:
    same = [_exact(entry) for entry in theirs] == [_exact(entry) for entry in ours]
    return Step(name, _text(theirs), _text(ours), same)


def _exact(entry: Entry) -> tuple[str, int | None, int, Decimal]:
    return (*entry[:3], Decimal(entry[3]))


def _text(entries: Sequence[Entry]) -> str:
    """ "grant 3: 600.00 from 2026-08-01; grant 5: 400.00 from 2026-08-01", amounts as a person says them."""
    return (
        "; ".join(f"grant {grant}: {abs(Decimal(amount)):f} from {day}" for day, _, grant, amount in entries)
        or "-"
    )


def _amounts(name: str, drafted: Decimal, own: Decimal) -> Step:
    return Step(name, f"{drafted:f}", f"{own:f}", drafted == own)
