"""Amendments and credits: what they do to revenue, and when it is posted."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.db.models import Sum

from billing.models import Invoice
from billing.services import credit_memos
from o2c.controls import approvals
from o2c.ledger.models import JournalLine
from orders.services import amendments, catalogue
from revenue.models import ContractVersion, Recognition, RevenueContract, ScheduleSlice
from tests.factories.billing import billing_team
from tests.factories.orders import applied_amendment, line, make_order
from tests.factories.revenue import close_month, deliver, invoice, recognise, use
from tests.revenue.test_recognition import balance, revenue_by_month

pytestmark = pytest.mark.django_db

YEARLY = {"billing_frequency": "year"}


def amend(books, order, kind, effective_on, changes, *, as_of=None, drain=True):
    day = date.fromisoformat(effective_on)
    drafted = amendments.draft(
        order.pk, kind=kind, effective_on=day, changes=changes, actor=books.team, as_of=as_of or day,
        reason="Agreed with the customer",
    )  # fmt: skip
    applied_amendment(drafted, books.team, as_of=as_of or day)
    if drain:
        deliver()
    return drafted


def planned(contract):
    rows = ScheduleSlice.objects.filter(version__contract=contract, version__number=contract.version)
    months = rows.order_by("month").values("month").annotate(total=Sum("amount"))
    return {f"{r['month']:%Y-%m}": r["total"] for r in months}


def test_seats_added_at_the_list_price_earn_from_their_day_on(books, customer):
    order = make_order(books.team, customer, [line("SEATS", 10)], state="active")
    deliver()
    before = planned(RevenueContract.objects.get())

    amend(books, order, "quantity", "2027-02-01", {"lines": [{"line": order.lines.get().pk, "delta": "5"}]})

    contract = RevenueContract.objects.get()
    after = planned(contract)
    assert contract.transaction_price == D("4800.00") + 6 * D("200.00")
    assert {m: a for m, a in after.items() if m < "2027-02"} == {
        m: a for m, a in before.items() if m < "2027-02"
    }
    assert contract.versions.get(number=2).allocations.get().treatment == "separate"


def test_two_changes_that_arrive_together_are_two_versions(books, customer):
    """Both amendments are applied before revenue hears of the first: each still counts from its own day."""
    order = make_order(books.team, customer, [line("SEATS", 10)], state="active")
    deliver()
    seats = order.lines.get().pk
    amend(books, order, "quantity", "2026-11-01", {"lines": [{"line": seats, "quantity": "20"}]}, drain=False)
    amend(books, order, "quantity", "2027-02-01", {"lines": [{"line": seats, "quantity": "30"}]}, drain=False)

    deliver()

    versions = ContractVersion.objects.order_by("number")
    assert [v.transaction_price for v in versions] == [D("4800.00"), D("8400.00"), D("10800.00")]
    assert [str(v.effective_on) for v in versions] == ["2026-08-01", "2026-11-01", "2027-02-01"]
    assert sum(planned(RevenueContract.objects.get()).values()) == D("10800.00")


def test_a_lower_price_is_spread_over_what_remains(books, customer):
    order = make_order(books.team, customer, [line("SEATS", 10)], state="active")
    deliver()
    before = planned(RevenueContract.objects.get())

    amend(
        books, order, "price", "2027-02-01",
        {"lines": [{"line": order.lines.get().pk, "discount_percent": "50"}]},
    )  # fmt: skip

    contract = RevenueContract.objects.get()
    after = planned(contract)
    assert contract.transaction_price == D("3600.00")
    assert after["2027-01"] == before["2027-01"]
    assert after["2027-03"] < before["2027-03"]
    assert contract.versions.get(number=2).allocations.get().treatment == "prospective"


def test_cancelling_ends_the_schedule_and_keeps_what_was_served(books, customer):
    """CB-PRORATED: a year billed ahead, cancelled after six months; the credit is for what is not served."""
    order = make_order(books.team, customer, [line("SEATS", 10)], state="active", terms=YEARLY)
    invoice(books, "2026-08-02")

    amend(books, order, "cancel", "2027-02-01", {"mode": "now"})
    invoice(books, "2027-02-02")

    contract = RevenueContract.objects.get()
    assert contract.transaction_price == D("2400.00")  # six months at 400.00
    assert max(month for month, amount in planned(contract).items() if amount) == "2027-02"
    for month in ("2026-08", "2026-09", "2026-10", "2026-11", "2026-12", "2027-01", "2027-02"):
        recognise(books, month)
    earned = revenue_by_month()
    assert sum(v for m, v in earned.items() if m < "2027-02") == D("2419.73")  # 4,800.00 x 184/365, by day
    assert earned["2027-02"] == D("-19.73")  # half a year of days is more than six of twelve months
    assert balance("2100") == D("0.00")


def test_a_backdated_cancellation_never_touches_a_closed_month(books, customer):
    order = make_order(books.team, customer, [line("SEATS", 10)], state="active")
    invoice(books, "2026-09-01")
    close_month(books, "2026-08")
    closed = list(Recognition.objects.filter(period__name="2026-08").values_list("pk", "amount"))

    amend(books, order, "cancel", "2026-08-16", {"mode": "backdated"}, as_of=date(2026, 9, 10))
    invoice(books, "2026-10-01")
    recognise(books, "2026-09")

    assert list(Recognition.objects.filter(period__name="2026-08").values_list("pk", "amount")) == closed
    back = Recognition.objects.get(period__name="2026-09")
    assert (f"{back.effective_month:%Y-%m}", back.amount) == ("2026-08", D("-214.12"))
    # 400.00 x 15/31 is what stays billed; that is what was earned
    assert sum(revenue_by_month().values()) == D("193.55")
    assert balance("2100") == D("0.00")


def test_a_renewal_leaves_the_first_term_alone(books, customer):
    order = make_order(books.team, customer, [line("SEATS", 10)], state="active")
    deliver()
    before = planned(RevenueContract.objects.get())

    amend(
        books, order, "renew", "2027-08-01", {"term_months": 12, "uplift_percent": "10"},
        as_of=date(2027, 3, 1),
    )  # fmt: skip

    contract = RevenueContract.objects.get()
    after = planned(contract)
    assert contract.transaction_price == D("4800.00") + D("5280.00")
    assert {m: after[m] for m in before} == before
    assert contract.ends_on == date(2028, 8, 1)


def test_a_line_that_is_added_is_an_obligation_of_its_own(books, customer):
    order = make_order(books.team, customer, [line("SEATS", 10)], state="active")
    deliver()

    amend(books, order, "add_line", "2027-02-01", {"lines": [{"sku": "PLATFORM", "quantity": "1"}]})

    contract = RevenueContract.objects.get()
    added = contract.obligations.get(order_line__sku__code="PLATFORM")
    assert (added.starts_on, added.allocated) == (date(2027, 2, 1), D("3000.00"))


def credit(books, invoice_row, amount, on, reason_code="price_correction"):
    team = billing_team()
    memo = credit_memos.draft(
        invoice_row.pk, reason_code=reason_code, issue_date=date.fromisoformat(on),
        lines={invoice_row.lines.get().pk: D(amount)}, actor=team.ops, reason="Agreed",
    )  # fmt: skip
    if -memo.total > 5000:  # the policy that ships: above it a request decides, and posts
        request = approvals.submit("billing.credit.post", memo.pk, actor=team.ops, reason="Agreed")
        approvals.approve(request.pk, actor=team.approver, reason="Agreed")
    else:
        credit_memos.post(memo.pk, actor=team.approver)
    deliver()
    return memo


def test_a_correcting_credit_lowers_the_price_over_its_service(books, customer):
    """ST-CN-POST in kind: 4,800 billed ahead, August closed; 480.00 credited in September."""
    make_order(books.team, customer, [line("SEATS", 10)], state="active", terms=YEARLY)
    invoice(books, "2026-08-02")
    close_month(books, "2026-08")

    credit(books, Invoice.objects.get(), "480.00", "2026-09-15")
    recognise(books, "2026-09")

    taken = Recognition.objects.filter(kind="credit").order_by("effective_month")
    assert [(f"{r.effective_month:%Y-%m}", r.amount) for r in taken] == [
        ("2026-08", D("-40.77")), ("2026-09", D("-39.45")),
    ]  # fmt: skip
    assert balance("4920") == D("80.22")
    assert RevenueContract.objects.get().transaction_price == D("4320.00")
    assert RevenueContract.objects.get().versions.count() == 2


def test_a_full_credit_leaves_nothing_to_earn(books, customer):
    """A credit note for all of it: nothing stays deferred, nothing stays revenue."""
    make_order(books.team, customer, [line("SEATS", 10)], state="active", terms=YEARLY)
    invoice(books, "2026-08-02")
    recognise(books, "2026-08")
    credit(books, Invoice.objects.get(), "4800.00", "2026-09-15")

    for month in [f"2026-{m:02d}" for m in range(8, 13)] + [f"2027-{m:02d}" for m in range(1, 8)]:
        recognise(books, month)

    assert balance("2100") == D("0.00")
    assert balance("4005") + balance("4920") == D("0.00")


def test_a_concession_is_no_change_of_the_price(books, customer):
    make_order(books.team, customer, [line("SEATS", 10)], state="active", terms=YEARLY)
    invoice(books, "2026-08-02")

    credit(books, Invoice.objects.get(), "100.00", "2026-08-15", reason_code="goodwill")

    assert RevenueContract.objects.get().versions.count() == 1


def test_a_prepayment_is_earned_as_usage_draws_it_down(books, customer):
    """9,000.00 for credits of 10,000.00; 1,000.00 of usage at list price earns 900.00 of it."""
    catalogue.save_sku(
        "TOKENS", product="AI", meter="tokens", name="Tokens", kind="usage", unit="token",
        revenue_treatment="prepaid_drawdown", gl_segment="100", actor=books.team,
    )  # fmt: skip
    make_order(books.team, customer, [line("COMMIT"), line("TOKENS")], state="active")
    invoice(books, "2026-08-02")
    use(books, customer, "400000000", "2026-08-10")  # 1,000.00

    recognise(books, "2026-08")

    assert balance("2110") == D("-8100.00")
    assert revenue_by_month() == {"2026-08": D("900.00")}
    assert JournalLine.objects.filter(account__code="4000").get().credit == D("900.00")
