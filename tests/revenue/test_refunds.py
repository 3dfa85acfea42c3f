"""Refunds over a month end in a foreign currency: what is not paid stands at the closing rate."""

import datetime as dt
from decimal import Decimal as D

import pytest

from revenue.selectors import checklist
from revenue.tieouts.registry import checklist as queries
from tests.factories.billing import billing_team
from tests.factories.orders import make_customer
from tests.factories.refunds import draft, fail, overpaid, pay, release
from tests.factories.revenue import make_rates, recognise
from tests.revenue.test_currency import worth
from tests.revenue.test_recognition import balance

pytestmark = pytest.mark.django_db


def ties_out(books, month: str) -> list[str]:
    wanted = [q for q in queries() if q.code.startswith(("cash.", "balance.open_items", "books.clearing"))]
    return [a.code for a in checklist.evaluate(books.period(month), wanted) if a.differing]


@pytest.fixture
def european(books):
    """A customer of the US entity who pays in euro."""
    rates = {"2026-08-01": "1.10", "2026-08-31": "1.15", "2026-09-30": "1.20"}
    make_rates("EUR", "USD", rates)
    return make_customer(books.team, "Europa", entity="US", currency="EUR")


@pytest.mark.parametrize("paid", [True, False], ids=["paid", "sent back"])
def test_refunds_payable_are_remeasured_and_paid_at_the_rate_of_the_day(books, european, paid):
    team = billing_team()
    receipt = overpaid(team, european, "1000.00", on=dt.date(2026, 8, 3))  # 1,100.00 USD
    refund = release(team, draft(team, receipt, "500.00", on=dt.date(2026, 8, 20)))
    recognise(books, "2026-08")

    assert worth("2140", until="2026-09-01") == D("-575.00")  # 500 at 1.15
    assert worth("2130", until="2026-09-01") == D("-575.00")
    assert worth("2140") == D("-550.00")  # taken back on the first
    assert ties_out(books, "2026-08") == []

    last = dt.date(2026, 9, 30)
    if paid:
        pay(refund, on=last)
        assert (balance("2140"), worth("2140")) == (D(0), D(0))
        assert worth("1000") == D("500.00")  # 1,100 in, 600 out at 1.20
        assert worth("7100") == D("50.00")  # owed 550, paid 600
    else:
        fail(refund, on=last)
        assert (balance("2140"), worth("2140")) == (D(0), D(0))
        assert worth("2130") == D("-1100.00")
    recognise(books, "2026-09")
    assert ties_out(books, "2026-09") == []
