"""What credit earns: as it is drawn, when it lapses, and what promotional credit takes off usage."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal as D

from billing.services import findings, grants, runs, thresholds
from o2c.access.system import system_actor
from o2c.ledger.models import JournalLine
from orders.models import Customer
from tests.database import immediately
from tests.factories.billing import billing_team
from tests.factories.grants import commit_order, use
from tests.factories.revenue import Books, close_month, deliver, invoice, recognise
from tests.revenue.test_changes import amend

SEP = dt.date(2026, 9, 1)


def balance(account: str) -> D:
    rows = JournalLine.objects.filter(account__code=account).values_list("debit", "credit")
    return sum((debit - credit for debit, credit in rows), D(0))


def test_the_accrual_before_the_invoice_is_the_drawdown_on_it(books: Books, customer: Customer) -> None:
    """900.00 for 1,000.00: 600.00 drawn earns 540.00; September's 700.00 earns 360.00 and 300.00."""
    commit_order(billing_team(), customer, {})
    deliver()  # opens the credit
    invoice(books, "2026-08-02")
    use(customer, "600.00", "2026-08-10")

    recognise(books, "2026-08")

    assert (balance("2110"), balance("4000"), balance("1110")) == (D("-360.00"), D("-540.00"), D(0))
    invoice(books, "2026-09-01", "2026-08-31")
    recognise(books, "2026-08")
    assert (balance("2110"), balance("4000"), balance("1110")) == (D("-360.00"), D("-540.00"), D(0))

    use(customer, "700.00", "2026-09-10")
    recognise(books, "2026-09")
    assert (balance("2110"), balance("4000"), balance("1110")) == (D(0), D("-1200.00"), D("300.00"))
    invoice(books, "2026-10-01", "2026-09-30")
    recognise(books, "2026-09")
    assert (balance("2110"), balance("4000"), balance("1110")) == (D(0), D("-1200.00"), D(0))


def test_a_month_with_credit_closes_with_every_tie_out_agreeing(books: Books, customer: Customer) -> None:
    commit_order(billing_team(), customer, {"expires_after_months": "1"})
    use(customer, "600.00", "2026-08-10")
    invoice(books, "2026-09-01", "2026-08-31")

    close = close_month(books, "2026-08")

    assert (balance("2110"), balance("4000"), balance("4010")) == (D(0), D("-540.00"), D("-360.00"))
    assert not close.tie_outs.exclude(difference=0).exists()


def test_promotional_credit_lowers_what_usage_earns(books: Books, customer: Customer) -> None:
    team = billing_team()
    commit_order(team, customer)
    deliver()
    grants.promote(
        customer_id=customer.pk, amount=D("50.00"), starts_on=dt.date(2026, 8, 1),
        actor=team.approver, reason="Welcome",
    )  # fmt: skip
    use(customer, "80.00", "2026-08-10")

    recognise(books, "2026-08")
    assert (balance("4000"), balance("1110")) == (D("-30.00"), D("30.00"))
    invoice(books, "2026-09-01", "2026-08-31")
    recognise(books, "2026-08")
    assert (balance("4000"), balance("1110")) == (D("-30.00"), D(0))


def test_what_is_carried_over_lapses_with_the_new_credit(books: Books, customer: Customer) -> None:
    """Of 400.00 left in August half lives to September: 180.00 of breakage now, 180.00 then."""
    terms = {"expires_after_months": "1", "rollover_percent": "50", "rollover_months": "1"}
    commit_order(billing_team(), customer, terms)
    use(customer, "600.00", "2026-08-10")
    invoice(books, "2026-09-01", "2026-08-31")

    recognise(books, "2026-08")
    assert (balance("2110"), balance("4000"), balance("4010")) == (D("-180.00"), D("-540.00"), D("-180.00"))
    recognise(books, "2026-09")
    assert (balance("2110"), balance("4000"), balance("4010")) == (D(0), D("-540.00"), D("-360.00"))


def test_commitments_waivers_and_early_invoices_close_with_every_tie_out_agreeing(
    books: Books, customer: Customer
) -> None:
    """500.00 committed; 300.00 used, of which 200.00 billed early; then 20.00 late, not billed."""
    terms = {
        "commitments": [{"amount": "500.00", "per": "month"}],
        "invoice_thresholds": ["200.00"],
        "late_usage_policy": "absorb",
    }
    team = billing_team()
    commit_order(team, customer, terms=terms)
    deliver()
    use(customer, "200.00", "2026-08-06")
    (run,) = thresholds.bill(dt.date(2026, 8, 6), actor=system_actor())
    findings.acknowledge_all(run.pk, actor=team.ops, reason="Looked at")
    runs.release(run.pk, actor=team.approver)
    runs.post(run.pk, actor=team.ops)
    use(customer, "100.00", "2026-08-16")
    invoice(books, "2026-09-01", "2026-08-31")
    assert balance("1100") == D("541.25")  # 500.00 and tax of 8.25 %

    close = close_month(books, "2026-08")

    assert not close.tie_outs.exclude(difference=0).exists()
    assert (balance("4000"), balance("1110")) == (D("-500.00"), D(0))
    use(customer, "20.00", "2026-08-20", seen_on="2026-09-02")
    invoice(books, "2026-10-01", "2026-09-30")
    close = close_month(books, "2026-09")
    # The late 20.00 fill the commitment of August, so that 20.00 of its true-up go back: shown as catch-up.
    assert list(close.tie_outs.exclude(difference=0).values_list("code")) == [("contract.catch_up",)]
    assert balance("1110") == 0


LIVES_ON = {"expires_after_months": "12", "rollover_percent": "20", "rollover_months": "3"}


def test_credit_lives_on_with_the_order_that_is_renewed(books: Books, customer: Customer) -> None:
    """Sold with two months, good for twelve: what is left is no breakage while usage draws on it."""
    order = commit_order(billing_team(), customer, LIVES_ON, ends_on=dt.date(2026, 10, 1))
    immediately()  # what was agreed to is the order as it was signed, not as it was renewed
    deliver()
    invoice(books, "2026-08-02")
    use(customer, "600.00", "2026-08-10")
    invoice(books, "2026-09-01", "2026-08-31")
    close_month(books, "2026-08")
    amend(books, order, "renew", "2026-10-01", {"term_months": 12}, as_of=dt.date(2026, 9, 15))
    invoice(books, "2026-10-01", "2026-09-30")

    assert not close_month(books, "2026-09").tie_outs.exclude(difference=0).exists()
    assert (balance("2110"), balance("4000"), balance("4010")) == (D("-360.00"), D("-540.00"), D(0))
    use(customer, "100.00", "2026-10-10")
    invoice(books, "2026-11-01", "2026-10-31")
    assert not close_month(books, "2026-10").tie_outs.exclude(difference=0).exists()
    assert (balance("2110"), balance("4000"), balance("4010")) == (D("-270.00"), D("-630.00"), D(0))


def test_nothing_is_carried_over_the_end_of_the_order(books: Books, customer: Customer) -> None:
    """Nobody can draw on the rest: all of it is breakage of the order's last month."""
    commit_order(billing_team(), customer, LIVES_ON, ends_on=dt.date(2026, 10, 1))
    deliver()
    invoice(books, "2026-08-02")
    use(customer, "600.00", "2026-08-10")
    invoice(books, "2026-09-01", "2026-08-31")
    close_month(books, "2026-08")
    invoice(books, "2026-10-01", "2026-09-30")

    assert not close_month(books, "2026-09").tie_outs.exclude(difference=0).exists()
    assert (balance("2110"), balance("4000"), balance("4010")) == (D(0), D("-540.00"), D("-360.00"))
    assert not close_month(books, "2026-10").tie_outs.exclude(difference=0).exists()
