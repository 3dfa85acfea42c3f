"""Lines that cover no day any more: what they were billed is credited, and both calculators say so."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from billing.models import Invoice
from orders.models import Customer
from orders.services import amendments
from tests.factories.billing import Team, bill
from tests.factories.orders import line, make_order

AUGUST = dt.date(2026, 9, 1)


def test_an_order_cancelled_from_its_first_day_is_credited_whole(team: Team, customer: Customer) -> None:
    order = make_order(team.orders, customer, [line("SEATS", 10)], state="active", terms={"po_number": "PO"})
    bill(team, AUGUST)
    today = dt.date(2026, 9, 5)
    drafted = amendments.draft(
        order.pk, kind="cancel", effective_on=dt.date(2026, 8, 1), changes={"mode": "backdated"},
        as_of=today, actor=team.orders, reason="Never used",
    )  # fmt: skip
    amendments.apply(drafted.pk, actor=team.orders, as_of=today)

    run = bill(team, AUGUST)

    assert run.totals["USD"]["recalculated"] == run.totals["USD"]["expected"] == "-400.00"
    assert Invoice.objects.get(kind="credit_memo").net == Decimal("-400.00")
