"""Recognising the revenue of a month: amounts, journals, catch-up, balances."""

from decimal import Decimal as D

import pytest
from django.db.models import F, Sum

from o2c.errors import ClosedPeriod, NotAuthorised, NotFound
from o2c.ledger.models import Journal, JournalLine
from revenue.models import Recognition
from revenue.services import recognition
from tests.factories.orders import line, make_order
from tests.factories.revenue import close_month, deliver, invoice, recognise, use

pytestmark = pytest.mark.django_db


def balance(account, *, until=None, functional=False):
    """Balance of an account, debit positive."""
    debit, credit = ("functional_debit", "functional_credit") if functional else ("debit", "credit")
    lines = JournalLine.objects.filter(account__code=account)
    if until:
        lines = lines.filter(journal__posting_date__lt=until)
    return lines.aggregate(amount=Sum(F(debit) - F(credit)))["amount"] or D(0)


def revenue_by_month():
    rows = (
        Recognition.objects.values("effective_month")
        .annotate(amount=Sum("amount"))
        .order_by("effective_month")
    )
    return {f"{r['effective_month']:%Y-%m}": r["amount"] for r in rows}


def test_an_annual_invoice_is_earned_by_day(books, customer):
    """4,800.00 billed ahead; August earns 31/365 of it and the rest stays a liability."""
    make_order(books.team, customer, [line("SEATS", 10)], state="active", terms={"billing_frequency": "year"})
    invoice(books, "2026-08-02")

    recognise(books, "2026-08")

    assert revenue_by_month() == {"2026-08": D("407.67")}
    assert balance("4005") == D("-407.67")
    assert balance("2100") == D("-4392.33")
    journal = Journal.objects.get(rule="revenue.recognised")
    assert (str(journal.posting_date), str(journal.effective_date)) == ("2026-08-31", "2026-08-31")
    order_line = customer.orders.get().lines.get()
    assert set(journal.lines.values_list("reference", flat=True)) == {f"order_line:{order_line.pk}"}


def test_a_second_run_changes_nothing(books, customer):
    make_order(books.team, customer, [line("SEATS", 10), line("TOKENS")], state="active")
    use(books, customer, "4000000", "2026-08-10")
    invoice(books, "2026-09-01")
    recognise(books, "2026-08")
    before = Recognition.objects.count(), Journal.objects.count()

    second = recognise(books, "2026-08")

    assert (Recognition.objects.count(), Journal.objects.count()) == before
    assert second.number == 2


def test_usage_is_earned_when_used_and_invoiced_later(books, customer):
    """4,000,000 tokens at 0.0000025 in August: 10.00 unbilled, then invoiced on 1 September."""
    make_order(books.team, customer, [line("TOKENS")], state="active")
    use(books, customer, "4000000", "2026-08-10")
    deliver()

    recognise(books, "2026-08")

    assert balance("1110") == D("10.00")
    assert balance("4000") == D("-10.00")

    invoice(books, "2026-09-01", issue_on="2026-09-01")
    assert balance("1110") == D("0.00")
    recognise(books, "2026-09")
    assert balance("4000") == D("-10.00")


def test_late_usage_of_a_closed_month_is_caught_up_under_its_own(books, customer):
    """USAGE-LATE: 12.00 of August arrives after August is closed; September takes it, as August's."""
    make_order(books.team, customer, [line("TOKENS")], state="active")
    use(books, customer, "4000000", "2026-08-10")
    invoice(books, "2026-09-01")
    close_month(books, "2026-08")
    use(books, customer, "4800000", "2026-08-30")

    recognise(books, "2026-09")

    late = Recognition.objects.get(period__name="2026-09")
    assert (f"{late.effective_month:%Y-%m}", late.amount) == ("2026-08", D("12.00"))
    assert Journal.objects.get(event_key=late.event_key).memo == "Revenue 2026-08, caught up"
    assert revenue_by_month() == {"2026-08": D("22.00")}


def test_a_month_that_is_still_open_takes_its_own_revenue(books, customer):
    """BACKDATED, with August open: the run of September leaves August alone."""
    make_order(books.team, customer, [line("SEATS", 10)], state="active")
    deliver()

    recognise(books, "2026-09")
    assert revenue_by_month() == {"2026-09": D("394.52")}

    recognise(books, "2026-08")
    assert revenue_by_month() == {"2026-08": D("407.67"), "2026-09": D("394.52")}
    assert Recognition.objects.get(effective_month="2026-08-01").period.name == "2026-08"


def test_service_ahead_of_its_invoice_is_a_contract_asset_until_the_next_day(books, customer):
    """PRES-39: nothing billed at the end of August; the asset is gone on 1 September."""
    make_order(books.team, customer, [line("SEATS", 10)], state="active")
    deliver()

    recognise(books, "2026-08")

    assert balance("1120", until="2026-09-01") == D("407.67")
    assert balance("2100", until="2026-09-01") == D("0.00")
    assert balance("1120", until="2026-09-02") == D("0.00")
    assert balance("2100", until="2026-09-02") == D("407.67")


def test_running_again_after_an_invoice_takes_the_asset_back(books, customer):
    make_order(books.team, customer, [line("SEATS", 10)], state="active")
    deliver()
    recognise(books, "2026-08")
    invoice(books, "2026-08-31", issue_on="2026-08-31")  # 400.00 for August

    recognise(books, "2026-08")

    assert balance("1120", until="2026-09-01") == D("7.67")
    assert balance("2100", until="2026-09-01") == D("0.00")
    assert balance("1120") == D("0.00")


def test_what_is_billed_is_attributed_as_the_price_was_allocated(books, customer):
    """Onboarding given away: 1,643.84 of the seats' 4,800.00 is its price, and its balance ends at zero."""
    make_order(
        books.team,
        customer,
        [line("SEATS", 10), line("ONBOARDING", 1, discount_percent=D(100))],
        state="active",
        terms={"billing_frequency": "year"},
    )
    invoice(books, "2026-08-02")

    recognise(books, "2026-08")

    onboarding = customer.orders.get().lines.get(sku__code="ONBOARDING")
    lines = JournalLine.objects.filter(reference=f"order_line:{onboarding.pk}", account__code="2100")
    assert lines.aggregate(b=Sum(F("credit") - F("debit")))["b"] == D("0.00")
    assert balance("4008") == D("-1643.84")
    assert balance("4005") == D("-268.06")  # 3,156.16 x 31/365
    assert balance("1120") == D("0.00")


def test_every_obligation_ends_at_zero(books, customer):
    """A year of invoices and revenue: nothing left on any balance."""
    make_order(
        books.team,
        customer,
        [line("SEATS", 7), line("PLATFORM"), line("ONBOARDING", 1, discount_percent=D(50)), line("TOKENS")],
        state="active",
        terms={"billing_frequency": "quarter"},
    )
    use(books, customer, "4000000", "2026-08-10")
    for month in [f"2026-{m:02d}" for m in range(8, 13)] + [f"2027-{m:02d}" for m in range(1, 9)]:
        year, number = map(int, month.split("-"))
        following = f"{year + number // 12}-{number % 12 + 1:02d}-01"
        invoice(books, following)
        recognise(books, month)

    for account in ("1110", "1120", "2100"):
        assert balance(account) == D("0.00")
    # 7 x 40 x 12 + 500 x 12 + 2,500 / 2 + 10.00 of usage
    assert sum(revenue_by_month().values()) == D("3360.00") + D("6000.00") + D("1250.00") + D("10.00")


def test_who_may_run(books, customer):
    with pytest.raises(NotAuthorised):
        recognition.run(books.entity.pk, "2026-08", actor=books.controller)


def test_a_period_that_was_never_opened(books):
    with pytest.raises(NotFound, match="no accounting period"):
        recognition.run(books.entity.pk, "2031-01", actor=books.accountant)


def test_a_closed_period_is_not_run_again(books, customer):
    make_order(books.team, customer, [line("SEATS", 10)], state="active")
    invoice(books, "2026-09-01")
    close_month(books, "2026-08")

    with pytest.raises(ClosedPeriod):
        recognise(books, "2026-08")
