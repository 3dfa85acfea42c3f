"""Invoices by hand, credit memos, voids and disputes."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection

from billing.models import Charge, Invoice, InvoiceLine
from billing.services import credit_memos, disputes, invoices
from o2c.actor import acting
from o2c.errors import Conflict, InvalidInput, NotAuthorised
from o2c.ledger.models import JournalLine, LegalEntity
from orders.models import Customer
from tests.factories.billing import DAY, Team, bill, person, post_invoice, receive
from tests.factories.orders import line, make_customer, make_order

AUGUST = dt.date(2026, 9, 1)
ON = dt.date(2026, 9, 10)


def balance(account: str) -> Decimal:
    rows = JournalLine.objects.filter(account__code=account).values_list("debit", "credit")
    return sum((debit - credit for debit, credit in rows), Decimal(0))


def credit(team: Team, invoice: Invoice, reason_code: str = "billing_error", **values: Any) -> Invoice:
    """A posted credit memo: drafted by operations, posted by the approver."""
    draft = credit_memos.draft(
        invoice.pk, reason_code=reason_code, issue_date=ON, actor=team.ops, reason="Agreed", **values
    )
    return credit_memos.post(draft.pk, actor=team.approver)


def test_who_drafts_does_not_post(team: Team, customer: Customer) -> None:
    both = person("both", "billing_ops", "approver", excused=True)
    draft = invoices.draft(
        customer_id=customer.pk,
        lines=[invoices.ManualLine("Workshop", Decimal("500.00"))],
        issue_date=DAY,
        actor=both,
    )

    with pytest.raises(Conflict, match="does not post"):
        invoices.post(draft.pk, actor=both)
    with (
        pytest.raises(DatabaseError, match="posted_by_second_person"),
        acting(both),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "UPDATE billing_invoice SET state = 'posted', number = 'X', posted_at = now(),"
            " posted_by_id = drafted_by_id WHERE id = %s",
            [draft.pk],
        )
    assert invoices.post(draft.pk, actor=team.approver).number == "US-INV-2026-000001"


def test_a_document_needs_lines_money_and_a_tax_rate(
    team: Team, customer: Customer, entities: dict[str, LegalEntity]
) -> None:
    def draft(buyer: Customer, *lines: invoices.ManualLine) -> Invoice:
        return invoices.draft(customer_id=buyer.pk, lines=lines, issue_date=DAY, actor=team.ops)

    with pytest.raises(InvalidInput, match="at least one line"):
        draft(customer)
    with pytest.raises(InvalidInput, match="minor units"):
        draft(customer, invoices.ManualLine("x", Decimal("0.001")))
    nowhere = make_customer(team.orders, "Nowhere", region="WA")
    with pytest.raises(InvalidInput, match="No tax rate"):
        draft(nowhere, invoices.ManualLine("x", Decimal("1.00")))


@pytest.mark.parametrize(
    ("values", "tax", "treatment"),
    [
        ({"country": "IE", "tax_id": "IE6388047V"}, "23.00", "standard"),
        ({"country": "DE", "tax_id": "DE136695976"}, "0.00", "reverse_charge"),
        ({"country": "DE", "tax_id": ""}, "19.00", "standard"),
        ({"country": "GB", "tax_id": ""}, "0.00", "out_of_scope"),
        ({"country": "IE", "tax_id": "", "tax_exempt": True}, "0.00", "exempt"),
    ],
)
def test_tax_follows_seller_and_buyer(
    team: Team, entities: dict[str, LegalEntity], values: dict[str, object], tax: str, treatment: str
) -> None:
    buyer = make_customer(team.orders, "Buyer", entity="IE", **values)

    invoice = post_invoice(team, buyer, "100.00")

    assert (invoice.tax, invoice.tax_treatment) == (Decimal(tax), treatment)
    if treatment == "reverse_charge":
        assert "Article 196" in invoice.tax_note
        assert invoice.bill_to["tax_id"] == "DE136695976"


def test_a_document_keeps_what_it_said_when_the_customer_moves(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")

    with acting(team.orders):
        Customer.objects.filter(pk=customer.pk).update(bill_to_city="Shelbyville")

    invoice.refresh_from_db()
    assert invoice.bill_to["city"] == "Springfield"


def test_a_credit_memo_of_everything_settles_the_invoice(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00", "33.33")

    memo = credit(team, invoice)

    invoice.refresh_from_db()
    assert memo.number == "US-CM-2026-000001"
    assert memo.total == -invoice.total == Decimal("-145.16")
    assert (invoice.open_amount, memo.open_amount) == (Decimal(0), Decimal(0))
    assert balance("1100") == balance("2150") == balance("4008") == 0


def test_credits_in_parts_end_at_the_same_cent(team: Team, customer: Customer) -> None:
    """8.875 % on 100.00 is 8.88; a third of it is credited three times, the last takes the rest."""
    invoice = post_invoice(team, customer, "100.00")
    row = invoice.lines.get()

    taxes = [credit(team, invoice, lines={row.pk: Decimal(net)}).tax for net in ("33.33", "33.33", "33.34")]

    assert taxes == [Decimal("-2.96"), Decimal("-2.96"), Decimal("-2.96")]
    invoice.refresh_from_db()
    assert invoice.open_amount == 0
    with pytest.raises(Conflict, match="credited already"):
        credit(team, invoice)


def test_no_more_is_credited_than_was_billed(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")
    row = invoice.lines.get()
    credit_memos.draft(
        invoice.pk,
        reason_code="billing_error",
        issue_date=ON,
        lines={row.pk: Decimal("80.00")},
        actor=team.ops,
    )

    with pytest.raises(InvalidInput, match="20.00"):
        credit(team, invoice, lines={row.pk: Decimal("20.01")})
    with (
        pytest.raises(DatabaseError, match="more than that"),
        acting(team.ops),
    ):
        memo = Invoice.objects.get(kind="credit_memo")
        InvoiceLine.objects.create(
            invoice=memo, position=2, kind="credit", description="x", net=Decimal("-20.01"), credits=row
        )


def test_a_credit_after_payment_is_left_for_use(team: Team, customer: Customer) -> None:
    from billing.services import applications, receipts

    paid = post_invoice(team, customer, "100.00")
    receipt = receive(team, customer, "108.88")
    receipts.apply(receipt.pk, [(paid.pk, Decimal("108.88"))], applied_on=ON, actor=team.cash)
    memo = credit(team, paid)
    assert memo.open_amount == Decimal("-108.88")

    later = post_invoice(team, customer, "200.00", issued=ON)
    applications.apply_credit(memo.pk, [(later.pk, Decimal("108.88"))], applied_on=ON, actor=team.cash)

    memo.refresh_from_db()
    later.refresh_from_db()
    assert memo.open_amount == 0
    assert later.open_amount == Decimal("217.75") - Decimal("108.88")
    assert balance("1100") == later.open_amount


def test_a_concession_is_contra_revenue_and_a_correction_is_not(team: Team, customer: Customer) -> None:
    make_order(team.orders, customer, [line("SEATS", 10)], state="active")
    bill(team, AUGUST)
    invoice = Invoice.objects.get()
    row = invoice.lines.get()

    credit(team, invoice, "goodwill", lines={row.pk: Decimal("100.00")})
    assert balance("4920") == Decimal("100.00")
    assert balance("2100") == Decimal("-400.00")

    credit(team, invoice, "price_correction", lines={row.pk: Decimal("50.00")})
    assert balance("2100") == Decimal("-350.00")


def test_a_credit_does_not_make_the_next_run_bill_again(team: Team, customer: Customer) -> None:
    make_order(team.orders, customer, [line("SEATS", 10)], state="active")
    bill(team, AUGUST)
    credit(team, Invoice.objects.get())

    assert bill(team, AUGUST).totals == {}


def test_voiding_gives_the_charges_back_and_the_next_run_bills_them(team: Team, customer: Customer) -> None:
    make_order(team.orders, customer, [line("SEATS", 10)], state="active")
    bill(team, AUGUST)
    invoice = Invoice.objects.get()

    with pytest.raises(NotAuthorised):
        invoices.void(invoice.pk, actor=team.ops, reason="Wrong month")
    with pytest.raises(InvalidInput, match="Say why"):
        invoices.void(invoice.pk, actor=team.controller)
    invoices.void(invoice.pk, actor=team.controller, reason="Wrong month")

    invoice.refresh_from_db()
    assert (invoice.state, invoice.number) == ("void", "US-INV-2026-000001")
    assert balance("1100") == balance("2100") == balance("2150") == 0
    assert sum(Charge.objects.values_list("amount", flat=True)) == 0

    bill(team, AUGUST)
    again = Invoice.objects.get(state="posted")
    assert (again.number, again.net) == ("US-INV-2026-000002", Decimal("400.00"))


def test_what_is_paid_or_credited_is_not_voided(team: Team, customer: Customer) -> None:
    from billing.services import receipts

    paid = post_invoice(team, customer, "100.00")
    receipt = receive(team, customer, "10.00")
    receipts.apply(receipt.pk, [(paid.pk, Decimal("10.00"))], applied_on=ON, actor=team.cash)
    with pytest.raises(Conflict, match="applied"):
        invoices.void(paid.pk, actor=team.controller, reason="x")

    credited = post_invoice(team, customer, "100.00")
    credit(team, credited, lines={credited.lines.get().pk: Decimal("1.00")})
    with pytest.raises(Conflict):
        invoices.void(credited.pk, actor=team.controller, reason="x")


def test_an_accepted_dispute_drafts_the_credit_of_its_line(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00", "300.00")
    row = invoice.lines.get(position=2)
    dispute = disputes.open_dispute(
        invoice.pk,
        line_id=row.pk,
        reason_code="price",
        opened_on=ON,
        actor=team.cash,
        description="Agreed 200.00",
        amount=Decimal("108.88"),
    )

    with pytest.raises(Conflict, match="in dispute already"):
        disputes.open_dispute(invoice.pk, line_id=row.pk, reason_code="price", opened_on=ON, actor=team.cash)
    dispute = disputes.accept(dispute.pk, actor=team.ops, on=ON, reason="Sales confirmed")

    assert dispute.state == "accepted"
    memo = dispute.credit_memo
    assert memo is not None
    assert (memo.state, memo.net, memo.tax) == ("draft", Decimal("-100.00"), Decimal("-8.87"))
    assert memo.lines.get().credits == row


def test_a_rejected_dispute_leaves_the_invoice_as_it_is(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")
    dispute = disputes.open_dispute(invoice.pk, reason_code="service", opened_on=ON, actor=team.cash)

    disputes.reject(dispute.pk, actor=team.cash, on=ON, reason="Logs show the service")

    dispute.refresh_from_db()
    assert (dispute.state, dispute.amount) == ("rejected", Decimal("108.88"))
    assert not Invoice.objects.filter(kind="credit_memo").exists()


def test_a_draft_is_discarded_without_a_gap(team: Team, customer: Customer) -> None:
    draft = invoices.draft(
        customer_id=customer.pk,
        lines=[invoices.ManualLine("x", Decimal("1.00"))],
        issue_date=DAY,
        actor=team.ops,
    )
    invoices.discard(draft.pk, actor=team.ops)

    assert post_invoice(team, customer, "1.00").number == "US-INV-2026-000001"
