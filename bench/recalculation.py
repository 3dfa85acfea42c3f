"""Calculating a bill run, and the second calculator's share of it.

    python -m bench.recalculation [invoices] [lines]

Orders with recurring lines are laid out by SQL, a run over them is planned and calculated through
`billing.services.runs`, and the time inside `billing.services.recalculating` is taken apart from the rest.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from typing import Any

from bench.bill_run import CUSTOMERS, LINES, ORDERS, SEGMENTS, Figure
from bench.database import fill_defaults, scratch


def lay_out(count: int, lines: int) -> tuple[Any, Any]:
    """`count` active orders of `lines` recurring lines; the entity and the people."""
    from django.db import connection

    from o2c.actor import acting
    from orders.models import Customer, Order, OrderLine, Price, Segment
    from tests.factories.billing import billing_team, books
    from tests.factories.orders import make_catalogue

    team = billing_team()
    entity = books(team)["US"]
    skus = make_catalogue(team.orders)
    price = Price.objects.get(sku=skus["SEATS"], currency="USD")
    values = {
        "entity": entity.pk,
        "count": count,
        "lines": lines,
        "sku": skus["SEATS"].pk,
        "price": price.pk,
    }
    with acting(team.orders, reason="bench"), connection.cursor() as cursor:
        fill_defaults(cursor, Customer, Order, OrderLine, Segment)
        for statement in (CUSTOMERS, ORDERS, LINES, SEGMENTS):
            cursor.execute(statement, values)
        cursor.execute("UPDATE orders_order SET activated_on = starts_on WHERE number LIKE 'BO-%%'")
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")
        cursor.execute("ANALYZE")
        cursor.execute("SET ROLE o2c_app")
    return entity, team


def measure(count: int = 5000, lines: int = 5) -> tuple[Figure, Figure]:
    """The calculation of a run, and the part of it that re-rates the drafts."""
    from billing.models import Invoice
    from billing.services import recalculating, runs

    entity, team = lay_out(count, lines)
    honest, spent = recalculating.check, [0.0]

    def timed(*arguments: Any) -> recalculating.Checked:
        started = time.perf_counter()
        checked = honest(*arguments)
        spent[0] += time.perf_counter() - started
        return checked

    recalculating.check = timed  # type: ignore[assignment]
    try:
        run = runs.plan(entity_id=entity.pk, through=dt.date(2026, 9, 1), actor=team.ops)
        started = time.perf_counter()
        run = runs.calculate(run.pk, actor=team.ops)
        seconds = time.perf_counter() - started
    finally:
        recalculating.check = honest
    assert Invoice.objects.filter(run=run).count() == count
    assert not run.chunks.exclude(differences=0).exists()
    what = f"{count:,} invoices x {lines} lines"
    return Figure(f"calculated, {what}", seconds, count), Figure("of it, recalculated", spent[0], count)


def main(arguments: list[str]) -> None:
    count, lines = (int(value) for value in (*arguments, *("5000", "5")[len(arguments) :]))
    with scratch("bench_recalculation"):
        calculated, again = measure(count, lines)
    print(calculated)
    print(again)
    print(f"share of the calculation: {100 * again.seconds / calculated.seconds:.0f} %")


if __name__ == "__main__":
    main(sys.argv[1:])
