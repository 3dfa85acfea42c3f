"""What is owed as of any day, by age. Ties to account 1100 (1105 for what a marketplace collects)."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection

from billing.domain.ageing import Ageing, Item, age
from billing.models import Invoice

ZERO = Decimal(0)

# Open on the day = open now + what was applied after the day. `applied` has the sign of the total.
OPEN_ITEMS = """
WITH later AS (
  SELECT id, sum(amount) AS amount FROM (
    SELECT invoice_id AS id, amount FROM billing_application WHERE applied_on > %(as_of)s
    UNION ALL
    SELECT credit_memo_id, -amount FROM billing_application
    WHERE applied_on > %(as_of)s AND credit_memo_id IS NOT NULL) moved
  GROUP BY id
), disputed AS (
  SELECT invoice_id, sum(amount) AS amount FROM billing_dispute
  WHERE opened_on <= %(as_of)s AND (resolved_on IS NULL OR resolved_on > %(as_of)s) GROUP BY invoice_id
)
SELECT i.id, i.number, i.kind, i.entity_id, i.customer_id, i.currency, i.issue_date, i.due_date, i.total,
       i.total - i.applied + coalesce(l.amount, 0) AS open,
       least(coalesce(d.amount, 0), greatest(i.total - i.applied + coalesce(l.amount, 0), 0)) AS disputed
FROM billing_invoice i
LEFT JOIN later l ON l.id = i.id LEFT JOIN disputed d ON d.invoice_id = i.id
WHERE i.state = 'posted' AND i.issue_date <= %(as_of)s
  AND (i.applied <> i.total OR l.amount IS NOT NULL) AND i.total - i.applied + coalesce(l.amount, 0) <> 0
  AND i.channel = %(channel)s
  AND (%(entity)s::bigint IS NULL OR i.entity_id = %(entity)s)
  AND (%(customer)s::bigint IS NULL OR i.customer_id = %(customer)s)
ORDER BY i.due_date, i.id
"""

UNAPPLIED = """
SELECT r.entity_id, r.customer_id, r.currency, sum(r.amount - r.applied + coalesce(l.amount, 0)) AS left_over
FROM billing_receipt r
LEFT JOIN (SELECT receipt_id, sum(amount) AS amount FROM billing_application
           WHERE applied_on > %(as_of)s AND receipt_id IS NOT NULL GROUP BY receipt_id) l
  ON l.receipt_id = r.id
WHERE r.received_on <= %(as_of)s AND (r.state = 'recorded' OR r.reversed_on > %(as_of)s)
  AND (%(entity)s::bigint IS NULL OR r.entity_id = %(entity)s)
  AND (%(customer)s::bigint IS NULL OR r.customer_id = %(customer)s)
GROUP BY 1, 2, 3 HAVING sum(r.amount - r.applied + coalesce(l.amount, 0)) <> 0
"""


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """A document that was open on the day; `open` is negative for an unused credit memo."""

    id: int
    number: str
    kind: str
    entity_id: int
    customer_id: int
    currency: str
    issue_date: dt.date
    due_date: dt.date
    total: Decimal
    open: Decimal
    disputed: Decimal


Key = tuple[int, int | None, str]
"""Entity, customer (None: payer not identified), currency."""


def _filters(as_of: dt.date, entity_id: int | None, customer_id: int | None, channel: str) -> dict[str, Any]:
    return {"as_of": as_of, "entity": entity_id, "customer": customer_id, "channel": channel}


def open_documents(
    as_of: dt.date,
    *,
    entity_id: int | None = None,
    customer_id: int | None = None,
    channel: str = Invoice.Channel.DIRECT,
) -> list[OpenDocument]:
    """Everything open at the end of `as_of`, oldest due first."""
    with connection.cursor() as cursor:
        cursor.execute(OPEN_ITEMS, _filters(as_of, entity_id, customer_id, channel))
        return [OpenDocument(*row) for row in cursor.fetchall()]


def unapplied(
    as_of: dt.date, *, entity_id: int | None = None, customer_id: int | None = None
) -> dict[Key, Decimal]:
    """Cash on account at the end of `as_of`."""
    with connection.cursor() as cursor:
        cursor.execute(UNAPPLIED, _filters(as_of, entity_id, customer_id, ""))
        return {(row[0], row[1], row[2]): row[3] for row in cursor.fetchall()}


def by_customer(
    as_of: dt.date,
    *,
    entity_id: int | None = None,
    customer_id: int | None = None,
    channel: str = Invoice.Channel.DIRECT,
) -> dict[Key, Ageing]:
    """Ageing per entity, customer and currency, with unapplied cash beside it."""
    items: dict[Key, list[Item]] = defaultdict(list)
    for document in open_documents(as_of, entity_id=entity_id, customer_id=customer_id, channel=channel):
        key = (document.entity_id, document.customer_id, document.currency)
        items[key].append(Item(document.due_date, document.open, document.disputed))
    cash: dict[Key, Decimal] = {}
    if channel == Invoice.Channel.DIRECT:
        cash = unapplied(as_of, entity_id=entity_id, customer_id=customer_id)
    return {
        key: age(items.get(key, []), as_of, cash.get(key, ZERO)) for key in sorted({*items, *cash}, key=str)
    }


def summed(ageings: Iterable[tuple[str, Ageing]]) -> dict[str, Ageing]:
    """Added up per currency: pairs of (currency, ageing)."""
    found: dict[str, Ageing] = {}
    for currency, one in ageings:
        known = found.setdefault(currency, age([], dt.date.min))
        found[currency] = Ageing(
            {name: known.buckets[name] + amount for name, amount in one.buckets.items()},
            known.disputed + one.disputed,
            known.unapplied + one.unapplied,
        )
    return found


def total(as_of: dt.date, *, entity_id: int | None = None) -> dict[str, Ageing]:
    """Ageing of the whole receivable per currency."""
    rows = by_customer(as_of, entity_id=entity_id)
    return summed((key[2], one) for key, one in rows.items())
