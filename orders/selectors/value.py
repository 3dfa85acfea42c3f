"""What orders are worth: their committed value over the term (TCV), per order and per line."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from orders.domain import effects
from orders.domain.effects import OrderFacts
from orders.models import Order
from orders.selectors.facts import order_facts, quote_facts


def value_of(facts: OrderFacts) -> Decimal:
    """The committed value of one order: fixed charges over the term, of an open-ended one over its first
    year.
    """
    horizon = effects.horizon_of(facts)
    return sum((effects.value(line, facts, horizon) for line in facts.lines), Decimal(0))


def order_values(pks: Iterable[int]) -> dict[int, Decimal]:
    """Committed value by order, in the currency of each. Four queries."""
    return {pk: value_of(facts) for pk, facts in order_facts(pks).items()}


def quote_values(pks: Iterable[int]) -> dict[int, Decimal]:
    """Committed value by quote, in the currency of each. Two queries."""
    return {pk: value_of(facts) for pk, facts in quote_facts(pks).items()}


def line_values(pk: int) -> dict[int, Decimal]:
    """Committed value by line of one order."""
    facts = order_facts([pk])[pk]
    horizon = effects.horizon_of(facts)
    return {line.key: effects.value(line, facts, horizon) for line in facts.lines if line.key is not None}


def active_value(currency: str | None = None) -> dict[str, Decimal]:
    """Committed value of all active orders, by currency."""
    rows = Order.objects.filter(state=Order.State.ACTIVE)
    if currency:
        rows = rows.filter(currency=currency)
    currencies = dict(rows.values_list("pk", "currency"))
    total: dict[str, Decimal] = defaultdict(Decimal)
    for pk, value in order_values(currencies).items():
        total[currencies[pk]] += value
    return dict(total)


def annual_run_rate(day: dt.date) -> dict[str, Decimal]:
    """Recurring value of one year at what is in force on `day`, by currency: the ARR of the order book."""
    total: dict[str, Decimal] = defaultdict(Decimal)
    rows = Order.objects.filter(state=Order.State.ACTIVE, starts_on__lte=day)
    for facts in order_facts(rows.values_list("pk", flat=True)).values():
        for line in facts.lines:
            total[facts.currency] += effects.yearly(line, facts, day)
    return dict(total)
