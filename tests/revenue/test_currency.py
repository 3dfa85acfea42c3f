"""Foreign currency: liabilities keep their rates, receivables follow the day's, nothing is stranded."""

from decimal import Decimal as D

import pytest
from django.db.models import F, Sum

from o2c.ledger.models import Journal, JournalLine
from revenue.models import Adjustment
from tests.factories.orders import line, make_customer, make_order
from tests.factories.revenue import deliver, invoice, make_rates, recognise, use
from tests.revenue.test_recognition import balance

pytestmark = pytest.mark.django_db


@pytest.fixture
def european(books):
    """A customer of the US entity who pays in euro."""
    make_rates(
        "EUR",
        "USD",
        {
            "2026-08-01": "1.10",
            "2026-08-31": "1.15",
            "2026-09-30": "1.20",
            "2026-10-31": "1.25",
            "2027-01-01": "1.30",
        },
    )
    return make_customer(books.team, "Europa", entity="US", currency="EUR")


def worth(account, until=None):
    return balance(account, functional=True, until=until)


def test_revenue_keeps_the_rate_of_the_invoice(books, european):
    """FX-AR-REMEASURE: 4,320.00 EUR invoiced at 1.10; August earns 366.90 EUR, 403.59 USD, not at 1.15."""
    make_order(books.team, european, [line("SEATS", 10)], state="active", terms={"billing_frequency": "year"})
    invoice(books, "2026-08-02")

    recognise(books, "2026-08")

    assert balance("4005") == D("-366.90")
    assert worth("4005") == D("-403.59")


def test_a_year_of_revenue_is_worth_its_invoice(books, european):
    make_order(books.team, european, [line("SEATS", 10)], state="active", terms={"billing_frequency": "year"})
    invoice(books, "2026-08-02")

    for month in [f"2026-{m:02d}" for m in range(8, 13)] + [f"2027-{m:02d}" for m in range(1, 9)]:
        recognise(books, month)

    assert (balance("2100"), worth("2100")) == (D("0.00"), D("0.00"))
    assert worth("4005") == D("-4752.00")  # 4,320.00 x 1.10
    assert worth("7100") == D("0.00")


def test_what_is_earned_ahead_takes_the_rate_of_the_day_and_the_invoice_settles_the_difference(
    books, european
):
    """FX-IFRIC22-4 in kind: August earned at 1.15 without an invoice, invoiced in September at 1.20."""
    make_order(
        books.team,
        european,
        [line("ONBOARDING")],
        state="active",
    )
    deliver()
    recognise(books, "2026-08")
    assert worth("1120", until="2026-09-01") == D("2645.00")  # 2,300.00 at 1.15

    invoice(books, "2026-08-02", issue_on="2026-09-30")  # posted at 1.20: 2,760.00
    recognise(books, "2026-09")

    assert (balance("2100"), worth("2100")) == (D("0.00"), D("0.00"))
    assert worth("4008") == D("-2645.00")
    assert worth("7100") == D("-115.00")
    assert Adjustment.objects.get(kind="settled").functional == D("-115.00")


def test_unbilled_receivables_follow_the_closing_rate(books, european):
    """FX-NS-CA in kind: 9.20 EUR of usage accrued at 1.15, worth 1.20 a month later."""
    make_order(books.team, european, [line("TOKENS")], state="active", terms={"billing_frequency": "quarter"})
    use(books, european, "4000000", "2026-08-10")
    deliver()
    recognise(books, "2026-08")
    assert (balance("1110"), worth("1110")) == (D("9.20"), D("10.58"))

    recognise(books, "2026-09")

    assert (balance("1110"), worth("1110")) == (D("9.20"), D("11.04"))
    assert worth("7110") == D("-0.46")
    assert worth("4000") == D("-10.58")

    invoice(books, "2026-11-01", issue_on="2026-10-31")  # at 1.25: 11.50
    recognise(books, "2026-10")
    assert (balance("1110"), worth("1110")) == (D("0.00"), D("0.00"))
    assert worth("7100") == D("-0.46")


def test_monthly_invoices_at_many_rates_leave_nothing_behind(books, european):
    make_order(
        books.team,
        european,
        [line("SEATS", 3), line("PLATFORM"), line("ONBOARDING", 1, discount_percent=D(40))],
        state="active",
    )
    for month in [f"2026-{m:02d}" for m in range(8, 13)] + [f"2027-{m:02d}" for m in range(1, 9)]:
        year, number = map(int, month.split("-"))
        invoice(books, f"{year + number // 12}-{number % 12 + 1:02d}-01")
        recognise(books, month)

    for account in ("1110", "1120", "2100"):
        per_line = (
            JournalLine.objects.filter(account__code=account)
            .values("reference")
            .annotate(
                amount=Sum(F("debit") - F("credit")),
                worth=Sum(F("functional_debit") - F("functional_credit")),
            )
        )
        assert all(row["amount"] == 0 and row["worth"] == 0 for row in per_line), (account, list(per_line))
    assert not Journal.objects.filter(rule="revenue.fx_remeasured").exists()


def test_open_items_stand_at_the_closing_rate_and_are_taken_back(books, european):
    """FX-AR-REMEASURE in kind: 4,320.00 EUR and 356.40 of tax, posted at 1.10, closing rate 1.15.

    The receivable gains 4,676.40 x 0.05, the tax owed loses 356.40 x 0.05; the contract liability stays.
    """
    make_order(books.team, european, [line("SEATS", 10)], state="active", terms={"billing_frequency": "year"})
    invoice(books, "2026-08-02")

    recognise(books, "2026-08")
    recognise(books, "2026-08")

    assert balance("1100") == D("4676.40")
    assert worth("1100", until="2026-09-01") == D("5377.86")
    assert worth("2150", until="2026-09-01") == D("-409.86")
    assert worth("7110", until="2026-09-01") == D("-216.00")
    assert (worth("1100"), worth("7110")) == (D("5144.04"), D("0.00"))  # on 1 September as it was posted
    assert Journal.objects.filter(rule="revenue.fx_open_items").count() == 2

    recognise(books, "2026-09")
    assert worth("1100", until="2026-10-01") == D("5611.68")  # at 1.20
    assert worth("7110", until="2026-10-01") == D("-432.00")


def test_what_is_posted_after_a_run_is_remeasured_by_the_next(books, european):
    make_order(books.team, european, [line("SEATS", 10)], state="active", terms={"billing_frequency": "year"})
    recognise(books, "2026-08")
    assert not Journal.objects.filter(rule="revenue.fx_open_items").exists()

    invoice(books, "2026-08-02")
    recognise(books, "2026-08")

    assert worth("1100", until="2026-09-01") == D("5377.86")
