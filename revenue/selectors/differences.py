"""Planned less posted, for obligations with a schedule: one query a chunk of contracts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection

PLANNED_LESS_POSTED = """
WITH plan AS (
  SELECT s.obligation_id, s.kind, s.month, s.amount, v.id AS version_id
  FROM revenue_revenuecontract c
  JOIN revenue_contractversion v ON v.contract_id = c.id AND v.number = c.version
  JOIN revenue_scheduleslice s ON s.version_id = v.id
  WHERE c.id = ANY(%(contracts)s) AND s.month <= %(through)s AND s.month > %(after)s
), posted AS (
  SELECT r.obligation_id, r.kind, r.effective_month AS month, sum(r.amount) AS amount
  FROM revenue_recognition r JOIN revenue_obligation o ON o.id = r.obligation_id
  WHERE r.contract_id = ANY(%(contracts)s)
    AND r.effective_month <= %(through)s AND r.effective_month > %(after)s
    AND (r.kind = 'credit' OR (r.kind = 'revenue' AND o.basis = 'fixed'))
  GROUP BY 1, 2, 3
)
SELECT obligation_id, kind, month, plan.version_id, coalesce(plan.amount, 0) - coalesce(posted.amount, 0)
FROM plan FULL JOIN posted USING (obligation_id, kind, month)
WHERE coalesce(plan.amount, 0) <> coalesce(posted.amount, 0)
ORDER BY obligation_id, month, kind
"""

POSTED_AS_CHARGED = """
SELECT r.obligation_id, r.kind, r.effective_month, sum(r.amount)
FROM revenue_recognition r JOIN revenue_obligation o ON o.id = r.obligation_id
WHERE r.contract_id = ANY(%(contracts)s) AND o.basis <> 'fixed' AND r.kind IN ('revenue', 'breakage')
GROUP BY 1, 2, 3
"""

REVISIONS = """
SELECT obligation_id, kind, effective_month, count(*) FROM revenue_recognition
WHERE contract_id = ANY(%(contracts)s) AND period_id = %(period)s GROUP BY 1, 2, 3
"""

EVER = dt.date(1, 1, 1)
Key = tuple[int, str, dt.date]


@dataclass(frozen=True, slots=True)
class Difference:
    """What one obligation lacks (or has too much, negative) in one month."""

    obligation: int
    kind: str
    month: dt.date
    version: int | None
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Window:
    """Months that a run brings to plan: after `after` (None: ever), up to and including `through`."""

    after: dt.date | None
    through: dt.date

    def contains(self, month: dt.date) -> bool:
        return month <= self.through and (self.after is None or month > self.after)


def scheduled(contracts: Sequence[int], window: Window) -> list[Difference]:
    """Months of the window in which a schedule, or a credit, is not what was posted."""
    rows = _rows(
        PLANNED_LESS_POSTED,
        {"contracts": list(contracts), "through": window.through, "after": window.after or EVER},
    )
    return [Difference(*row) for row in rows]


def posted_as_charged(contracts: Sequence[int]) -> dict[Key, Decimal]:
    """What was posted for obligations without a schedule, by obligation, kind and month; all months."""
    rows = _rows(POSTED_AS_CHARGED, {"contracts": list(contracts)})
    return {(obligation, kind, month): amount for obligation, kind, month, amount in rows}


def revisions(contracts: Sequence[int], period_id: int) -> dict[Key, int]:
    """How many slices each key has in this period already."""
    rows = _rows(REVISIONS, {"contracts": list(contracts), "period": period_id})
    return {(obligation, kind, month): count for obligation, kind, month, count in rows}


def _rows(query: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()
