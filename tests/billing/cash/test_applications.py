"""Receipts and what they settle, with the journals that they leave."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from billing.models import Application, Invoice, Receipt
from billing.services import applications, receipts
from o2c.actor import acting
from o2c.errors import Conflict, InvalidInput, NotAuthorised
from o2c.ledger.models import JournalLine, LegalEntity
from orders.models import Customer
from tests.factories.billing import Team, post_invoice, receive
from tests.factories.orders import make_customer

ON = dt.date(2026, 9, 10)
D = Decimal


def balance(account: str, reference: str = "") -> tuple[Decimal, Decimal]:
    """(transaction, functional) balance of an account, debit positive."""
    lines = JournalLine.objects.filter(account__code=account)
    if reference:
        lines = lines.filter(reference=reference)
    rows = lines.values_list("debit", "credit", "functional_debit", "functional_credit")
    return sum((r[0] - r[1] for r in rows), Decimal(0)), sum((r[2] - r[3] for r in rows), Decimal(0))


def test_a_receipt_is_on_account_until_it_is_applied(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")
    assert invoice.total == Decimal("108.88")  # 8.875 % of 100.00 is 8.875, half up

    receipt = receive(team, customer, "108.88")
    assert balance("1000")[0] == Decimal("108.88")
    assert balance("2130")[0] == Decimal("-108.88")

    receipts.apply(receipt.pk, [(invoice.pk, Decimal("108.88"))], applied_on=ON, actor=team.cash)

    invoice.refresh_from_db()
    receipt.refresh_from_db()
    assert (invoice.applied, invoice.open_amount) == (Decimal("108.88"), Decimal("0.00"))
    assert receipt.unapplied_amount == 0
    assert balance("1100")[0] == 0
    assert balance("2130")[0] == 0


def test_a_part_payment_leaves_the_rest_open(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")
    receipt = receive(team, customer, "60.00")

    receipts.apply(receipt.pk, [(invoice.pk, Decimal("60.00"))], applied_on=ON, actor=team.cash)

    invoice.refresh_from_db()
    assert invoice.open_amount == Decimal("48.88")
    assert list(Invoice.objects.open()) == [invoice]
    assert balance("1100", f"billing.invoice:{invoice.pk}")[0] == Decimal("48.88")


def test_one_receipt_over_two_invoices_and_the_rest_on_account(team: Team, customer: Customer) -> None:
    first = post_invoice(team, customer, "100.00")
    second = post_invoice(team, customer, "200.00")
    receipt = receive(team, customer, "400.00")

    receipts.apply(
        receipt.pk,
        [(first.pk, first.total), (second.pk, second.total)],
        applied_on=ON,
        actor=team.cash,
    )

    receipt.refresh_from_db()
    assert receipt.unapplied_amount == Decimal("400.00") - Decimal("108.88") - Decimal("217.75")
    assert not Invoice.objects.open().exists()
    assert list(Receipt.objects.unapplied()) == [receipt]


def test_no_more_than_is_open_can_be_applied(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")
    receipt = receive(team, customer, "500.00")

    with pytest.raises(Conflict, match="108.88"):
        receipts.apply(receipt.pk, [(invoice.pk, Decimal("108.89"))], applied_on=ON, actor=team.cash)
    with pytest.raises(InvalidInput):
        receipts.apply(receipt.pk, [(invoice.pk, Decimal("0.001"))], applied_on=ON, actor=team.cash)


def test_the_database_refuses_to_over_apply(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")
    receipt = receive(team, customer, "500.00")

    with pytest.raises(DatabaseError, match="billing_invoice_not_over_applied"), acting(team.cash):
        Application.objects.create(
            kind="receipt", receipt=receipt, invoice=invoice, amount=Decimal("200"), applied_on=ON
        )


def test_nobody_can_set_what_is_applied(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")

    for statement in (
        "UPDATE billing_invoice SET applied = total WHERE id = %s",
        "UPDATE billing_invoice SET applied = 1 WHERE id = %s",
    ):
        with (
            pytest.raises(DatabaseError, match="sum of the applications"),
            acting(team.cash),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, [invoice.pk])


def test_unapplying_is_a_second_row_that_reverses_the_first(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")
    receipt = receive(team, customer, "108.88")
    (applied,) = receipts.apply(receipt.pk, [(invoice.pk, Decimal("108.88"))], applied_on=ON, actor=team.cash)

    undo = receipts.unapply(applied.pk, on=dt.date(2026, 9, 12), actor=team.cash, reason="Wrong customer")

    invoice.refresh_from_db()
    receipt.refresh_from_db()
    assert (undo.amount, undo.reverses_id) == (Decimal("-108.88"), applied.pk)
    assert invoice.open_amount == Decimal("108.88")
    assert receipt.unapplied_amount == Decimal("108.88")
    assert balance("1100")[0] == Decimal("108.88")
    with pytest.raises(Conflict, match="undone already"):
        receipts.unapply(applied.pk, on=ON, actor=team.cash)
    with pytest.raises(Conflict, match="undone already"):
        receipts.unapply(undo.pk, on=ON, actor=team.cash)


def test_an_application_is_never_changed_or_deleted(
    team: Team, customer: Customer, as_owner: Callable[[], AbstractContextManager[None]]
) -> None:
    invoice = post_invoice(team, customer, "100.00")
    receipt = receive(team, customer, "50.00")
    receipts.apply(receipt.pk, [(invoice.pk, Decimal("50.00"))], applied_on=ON, actor=team.cash)

    for statement in ("UPDATE billing_application SET amount = 1", "DELETE FROM billing_application"):
        with (
            pytest.raises(DatabaseError, match="permission denied"),
            acting(team.cash),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
        with (
            pytest.raises(DatabaseError, match="append-only"),
            acting(team.cash),
            as_owner(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


def test_a_short_payment_is_accepted_for_a_reason(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")
    receipt = receive(team, customer, "100.00")
    receipts.apply(receipt.pk, [(invoice.pk, Decimal("100.00"))], applied_on=ON, actor=team.cash)

    with pytest.raises(InvalidInput, match="not a reason"):
        applications.accept_short_payment(
            invoice.pk, Decimal("8.88"), reason_code="because", applied_on=ON, actor=team.cash
        )
    applications.accept_short_payment(
        invoice.pk, Decimal("8.88"), reason_code="bank_charges", applied_on=ON, actor=team.cash
    )

    invoice.refresh_from_db()
    assert invoice.open_amount == 0
    assert balance("6110")[0] == Decimal("8.88")
    assert balance("1100")[0] == 0


def test_a_write_off_is_the_controllers(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")

    with pytest.raises(NotAuthorised):
        applications.write_off(
            invoice.pk, Decimal("108.88"), reason_code="insolvency", applied_on=ON, actor=team.cash
        )
    applications.write_off(
        invoice.pk, Decimal("108.88"), reason_code="insolvency", applied_on=ON, actor=team.controller
    )

    assert balance("6100")[0] == Decimal("108.88")
    assert not Invoice.objects.open().exists()


def test_exchange_difference_is_realised_per_application_and_nothing_is_left(
    team: Team, entities: dict[str, LegalEntity]
) -> None:
    """A US company invoices EUR at 1.10 and is paid in two parts at 1.20: the gain is 0.10 a euro."""
    customer = make_customer(team.orders, "Initech", country="IE", region="", currency="EUR", tax_id="")
    invoice = post_invoice(team, customer, "1000.00")  # not taxed: a customer outside the US
    assert balance("1100") == (Decimal("1000"), Decimal("1100"))

    late = dt.date(2026, 9, 20)
    first = receive(team, customer, "333.33", on=late)
    second = receive(team, customer, "666.67", on=late)
    receipts.apply(first.pk, [(invoice.pk, Decimal("333.33"))], applied_on=late, actor=team.cash)
    receipts.apply(second.pk, [(invoice.pk, Decimal("666.67"))], applied_on=late, actor=team.cash)

    gains = list(Application.objects.order_by("pk").values_list("functional_difference", flat=True))
    assert gains == [Decimal("33.34"), Decimal("66.66")]  # 400.00 - 366.66, 800.00 - 733.34
    assert balance("1100") == (D(0), D(0))
    assert balance("2130") == (D(0), D(0))
    assert balance("7100") == (D(0), D("-100.00"))
    assert balance("1000") == (Decimal("1000"), Decimal("1200"))


def test_reversing_a_receipt_needs_it_unapplied(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")
    receipt = receive(team, customer, "50.00")
    (applied,) = receipts.apply(receipt.pk, [(invoice.pk, Decimal("50.00"))], applied_on=ON, actor=team.cash)

    with pytest.raises(Conflict, match="undo that first"):
        receipts.reverse(receipt.pk, actor=team.cash, reason="Returned by the bank")
    receipts.unapply(applied.pk, on=ON, actor=team.cash)
    receipts.reverse(receipt.pk, actor=team.cash, on=ON, reason="Returned by the bank")

    receipt.refresh_from_db()
    assert receipt.state == "reversed"
    assert balance("1000")[0] == 0
    assert balance("2130")[0] == 0
    with pytest.raises(DatabaseError), transaction.atomic(), acting(team.cash):
        Application.objects.create(
            kind="receipt", receipt=receipt, invoice=invoice, amount=Decimal("1"), applied_on=ON
        )


def test_an_unidentified_receipt_waits_for_its_payer(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")
    receipt = receive(team, None, "108.88")

    with pytest.raises(Conflict, match="not identified"):
        receipts.apply(receipt.pk, [(invoice.pk, Decimal("108.88"))], applied_on=ON, actor=team.cash)
    receipts.identify(receipt.pk, customer.pk, actor=team.cash)
    receipts.apply(receipt.pk, [(invoice.pk, Decimal("108.88"))], applied_on=ON, actor=team.cash)

    invoice.refresh_from_db()
    assert invoice.open_amount == 0


def test_a_receipt_settles_only_its_payers_invoices(team: Team, customer: Customer) -> None:
    other = make_customer(team.orders, "Hooli", region="NY")
    invoice = post_invoice(team, other, "100.00")
    receipt = receive(team, customer, "108.88")

    with pytest.raises(InvalidInput, match="same legal entity, customer"):
        receipts.apply(receipt.pk, [(invoice.pk, Decimal("108.88"))], applied_on=ON, actor=team.cash)


def test_the_banks_id_is_recorded_once(team: Team, customer: Customer) -> None:
    first = receive(team, customer, "10.00", external_id="BANK-1")
    again = receive(team, customer, "10.00", external_id="BANK-1")

    assert first.pk == again.pk
    assert first.number == "US-RCT-2026-000001"
    assert balance("1000")[0] == Decimal("10.00")
    with pytest.raises(Conflict, match="BANK-1"):
        receive(team, customer, "11.00", external_id="BANK-1")


def test_matching_posts_the_certain_and_proposes_the_rest(team: Team, customer: Customer) -> None:
    first = post_invoice(team, customer, "100.00")
    post_invoice(team, customer, "200.00")

    named = receive(team, customer, "108.88", reference=f"Payment for {first.number}")
    applied = receipts.apply_proposal(named.pk, applied_on=ON, actor=team.cash)
    assert [(row.invoice_id, row.matched_by) for row in applied] == [(first.pk, "reference")]

    by_amount = receive(team, customer, "217.75")
    assert receipts.apply_proposal(by_amount.pk, applied_on=ON, actor=team.cash) == []
    accepted = receipts.apply_proposal(by_amount.pk, applied_on=ON, actor=team.cash, only_certain=False)
    assert [row.matched_by for row in accepted] == ["amount"]


def test_cash_needs_its_duty(team: Team, customer: Customer) -> None:
    receipt = receive(team, customer, "10.00")
    invoice = post_invoice(team, customer, "100.00")

    with pytest.raises(NotAuthorised, match=r"billing\.receipt\.apply"):
        receipts.apply(receipt.pk, [(invoice.pk, Decimal("10.00"))], applied_on=ON, actor=team.ops)
