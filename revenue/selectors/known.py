"""What was known of an order, change by change: amendments in the order they were applied, and the
segments as each of them left them.

Segments are closed in place by an amendment; what they said before stands in their history.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

AMENDMENTS = """
SELECT a.order_id, a.id, a.kind, a.effective_on, min(h.history_id)
FROM orders_amendment a
JOIN orders_historicalamendment h ON h.id = a.id AND h.state = 'applied'
WHERE a.order_id = ANY(%s) AND a.state = 'applied'
GROUP BY a.id ORDER BY min(h.history_id)
"""

# Every wording a segment ever had after its order was drafted: who closed it last, and where it ended.
WORDINGS = """
SELECT l.order_id, h.id, h.opened_by_id, h.closed_by_id, h.ends_on
FROM orders_historicalsegment h JOIN orders_orderline l ON l.id = h.line_id
WHERE l.order_id = ANY(%s) AND h.history_type <> '-'
ORDER BY h.id, h.history_id
"""


@dataclass(frozen=True, slots=True)
class Applied:
    """An amendment that changed an order."""

    id: int
    kind: str
    effective_on: dt.date


@dataclass(frozen=True, slots=True)
class Wording:
    """What a segment said after `closed_by` (None: as it was opened)."""

    segment: int
    opened_by: int | None
    closed_by: int | None
    ends_on: dt.date | None


@dataclass(slots=True)
class Knowledge:
    """The applied amendments of one order in their order, and every wording of its segments."""

    amendments: list[Applied] = field(default_factory=list)
    wordings: list[Wording] = field(default_factory=list)

    def segments_after(self, amendments: Iterable[int]) -> Mapping[int, dt.date | None] | None:
        """Segment id -> end, once `amendments` were applied; None when nothing was ever amended."""
        if not self.amendments:
            return None
        known = set(amendments)
        ends: dict[int, dt.date | None] = {}
        for w in self.wordings:
            opened = w.opened_by is None or w.opened_by in known
            if opened and (w.closed_by is None or w.closed_by in known):
                ends[w.segment] = w.ends_on
        return ends


def load(order_ids: Sequence[int]) -> dict[int, Knowledge]:
    """The knowledge of these orders: two queries, the second only when something was amended."""
    found: dict[int, Knowledge] = defaultdict(Knowledge)
    for order_id, pk, kind, effective_on, _ in _rows(AMENDMENTS, list(order_ids)):
        found[order_id].amendments.append(Applied(pk, kind, effective_on))
    if found:
        for order_id, segment, opened_by, closed_by, ends_on in _rows(WORDINGS, list(found)):
            found[order_id].wordings.append(Wording(segment, opened_by, closed_by, ends_on))
    return found


def _rows(query: str, order_ids: list[int]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, [order_ids])
        return cursor.fetchall()
