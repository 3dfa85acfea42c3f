"""Who owes us what is overdue, how old it is, and what was done about it: the collectors' work list."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Max

from billing.models import DunningNotice
from billing.selectors import ageing
from billing.selectors.ageing import OpenDocument

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Overdue:
    """One debt: what a customer owes an entity in a currency past its due date, undisputed.

    `amount` is after cash on account and unused credit, which reduce the oldest debt. `level` is the
    highest reminder given since the oldest of it fell due, 0 for none.
    """

    customer_id: int
    entity_id: int
    currency: str
    amount: Decimal
    disputed: Decimal
    oldest_due: dt.date
    days: int
    level: int
    items: tuple[OpenDocument, ...]


def overdue(as_of: dt.date, *, entity_id: int | None = None, customer_id: int | None = None) -> list[Overdue]:
    """Every overdue debt that is worth a reminder, the largest times oldest first. Three queries."""
    documents: dict[tuple[int, int, str], list[OpenDocument]] = defaultdict(list)
    for document in ageing.open_documents(as_of, entity_id=entity_id, customer_id=customer_id):
        documents[document.entity_id, document.customer_id, document.currency].append(document)
    cash = ageing.unapplied(as_of, entity_id=entity_id, customer_id=customer_id)
    levels = _levels(as_of)
    found = []
    for key, rows in documents.items():
        debt = _debt(key, rows, cash.get(key, ZERO), as_of, levels)
        if debt is not None:
            found.append(debt)
    return sorted(found, key=lambda debt: (-debt.amount * debt.days, debt.customer_id))


def _debt(
    key: tuple[int, int, str],
    rows: list[OpenDocument],
    cash: Decimal,
    as_of: dt.date,
    levels: dict[tuple[int, int, str, dt.date], int],
) -> Overdue | None:
    late = [row for row in rows if row.open > row.disputed and row.due_date < as_of]
    credit = cash - sum((row.open for row in rows if row.open < 0), ZERO)
    amount = sum((row.open - row.disputed for row in late), ZERO) - credit
    if amount <= 0:
        return None
    while late and credit >= late[0].open - late[0].disputed:  # the oldest is covered already
        credit -= late[0].open - late[0].disputed
        late.pop(0)
    oldest = late[0].due_date
    entity, customer, currency = key
    return Overdue(
        customer_id=customer,
        entity_id=entity,
        currency=currency,
        amount=amount,
        disputed=sum((row.disputed for row in rows), ZERO),
        oldest_due=oldest,
        days=(as_of - oldest).days,
        level=levels.get((customer, entity, currency, oldest), 0),
        items=tuple(late),
    )


def _levels(as_of: dt.date) -> dict[tuple[int, int, str, dt.date], int]:
    rows = (
        DunningNotice.objects.filter(noticed_on__lte=as_of)
        .values("customer_id", "entity_id", "currency", "oldest_due")
        .annotate(highest=Max("level"))
        .order_by()
    )
    return {
        (row["customer_id"], row["entity_id"], row["currency"], row["oldest_due"]): row["highest"]
        for row in rows
    }
