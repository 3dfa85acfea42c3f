"""The PDF of invoices, credit memos and statements: what a customer reads, the same bytes every time."""

from __future__ import annotations

import datetime as dt
import hashlib
from decimal import Decimal

import pytest

from billing.models import Invoice
from billing.services import credit_memos, documents, invoices
from o2c.access.system import system_actor
from o2c.actor import acting
from o2c.documents import store
from o2c.documents.models import Document
from o2c.errors import Conflict, InvalidInput
from o2c.ledger.models import LegalEntity
from orders.models import Customer
from tests import pdf
from tests.factories.billing import DAY, Team, bill, post_invoice, receive
from tests.factories.orders import line, make_customer, make_order

AUGUST = dt.date(2026, 9, 1)


def text_of(document: Document) -> str:
    return pdf.text(bytes(Document.objects.get(pk=document.pk).content))


def test_an_invoice_says_everything_a_customer_needs(team: Team, customer: Customer) -> None:
    make_order(
        team.orders,
        customer,
        [line("SEATS", 10), line("ONBOARDING")],
        state="active",
        terms={"po_number": "PO-4711", "payment_terms_days": 45},
    )
    bill(team, AUGUST)
    invoice = Invoice.objects.get()

    text = text_of(documents.render(invoice.pk, actor=system_actor()))

    for expected in (
        "Invoice",
        "US-INV-2026-000001",
        "Acme AI Inc.",
        "Globex Inc.",
        "742 Evergreen Terrace",
        "EIN 123456789",
        "August 31, 2026",
        "October 15, 2026",
        "Net 45 days",
        "PO-4711",
        "USD\xa03,157.38 due October 15, 2026",
        f"Order {invoice.order.number}" if invoice.order else "",
        "40.00",
        "8.875\xa0%",
        "400.00",
        "2,500.00",
        "257.38",
        "First Bank",
        "000123",
        "Page 1 of 1",
    ):
        assert expected in text, f"{expected!r} is not in:\n{text}"
    assert "Aug 1, 2026\n \N{EN DASH}\nAug 31, 2026" in text


def test_the_same_document_has_the_same_bytes(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")

    document = documents.render(invoice.pk, actor=system_actor())

    again = documents.content_of(Invoice.objects.get(pk=invoice.pk))
    assert hashlib.sha256(again).hexdigest() == document.sha256
    assert documents.render(invoice.pk, actor=system_actor()).pk == document.pk
    assert Document.objects.count() == 1


def test_a_draft_has_no_pdf(team: Team, customer: Customer) -> None:
    draft = invoices.draft(
        customer_id=customer.pk,
        lines=[invoices.ManualLine("x", Decimal("1.00"))],
        issue_date=DAY,
        actor=team.ops,
    )

    with pytest.raises(Conflict, match="Post it first"):
        documents.render(draft.pk, actor=system_actor())


def test_headings_repeat_and_pages_are_counted(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, *["10.00"] * 60)

    document = documents.render(invoice.pk, actor=system_actor())

    found = pdf.pages(bytes(Document.objects.get(pk=document.pk).content))
    assert len(found) >= 3
    for number, page in enumerate(found, start=1):
        assert f"Page {number} of {len(found)}" in page
    assert all("DESCRIPTION" in page for page in found[:-1])
    assert "Work 60" in "".join(found)


def test_reverse_charge_is_said_and_both_tax_numbers_are_there(
    team: Team, entities: dict[str, LegalEntity]
) -> None:
    with acting(team.orders):
        LegalEntity.objects.filter(code="IE").update(tax_id="IE6433435F")
    buyer = make_customer(team.orders, "Köhler & Söhne", entity="IE", country="DE", tax_id="DE136695976")
    invoice = post_invoice(team, buyer, "1234.50")

    text = text_of(documents.render(invoice.pk, actor=system_actor()))

    for expected in ("Köhler & Söhne", "VAT IE6433435F", "VAT DE136695976", "Article 196", "EUR\xa01,234.50"):
        assert expected in text, text


def test_a_currency_has_its_own_digits(team: Team, entities: dict[str, LegalEntity]) -> None:
    from o2c.ledger.models import ExchangeRate

    buyer = make_customer(team.orders, "Sakura", country="JP", region="", currency="JPY", tax_id="")
    with acting(team.orders):
        ExchangeRate.objects.create(
            from_currency="JPY", to_currency="USD", valid_on=dt.date(2026, 1, 1), rate="0.0066", source="test"
        )
    invoice = post_invoice(team, buyer, "123456")

    text = text_of(documents.render(invoice.pk, actor=system_actor()))

    assert "JPY\xa0123,456 due" in text
    assert "123,456.00" not in text


def test_a_credit_memo_names_its_invoice_and_asks_for_no_payment(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")
    draft = credit_memos.draft(
        invoice.pk, reason_code="billing_error", issue_date=DAY, actor=team.ops, reason="Billed twice"
    )
    memo = credit_memos.post(draft.pk, actor=team.approver)

    text = text_of(documents.render(memo.pk, actor=system_actor()))

    for expected in (
        "Credit memo",
        "US-CM-2026-000001",
        "Credits invoice",
        invoice.number or "",
        "Billed twice",
        "USD\xa0108.88 credited",
        "\N{MINUS SIGN}100.00",
    ):
        assert expected in text, text
    assert "How to pay" not in text


def test_a_statement_brings_the_balance_forward(team: Team, customer: Customer) -> None:
    post_invoice(team, customer, "100.00", issued=dt.date(2026, 7, 31))
    post_invoice(team, customer, "200.00", issued=dt.date(2026, 8, 31))
    receive(team, customer, "50.00", on=dt.date(2026, 9, 5), reference="part")

    document = documents.statement(
        customer.pk,
        customer.entity_id,
        "USD",
        since=dt.date(2026, 8, 1),
        as_of=dt.date(2026, 9, 30),
        actor=team.ops,
    )

    text = text_of(document)
    for expected in (
        "Statement of account",
        "Balance brought forward\n108.88",
        "US-INV-2026-000002",
        "Payment received, part",
        "\N{MINUS SIGN}50.00",
        "276.63",  # 108.88 + 217.75 - 50.00
        "Payments on account, not yet applied: 50.00",
    ):
        assert expected in text, text


def test_bytes_are_stored_once_and_are_what_their_hash_says(team: Team) -> None:
    with acting(team.ops):
        first = store.put(b"%PDF-hello", "application/pdf", "a.pdf")
        second = store.put(b"%PDF-hello", "application/pdf", "b.pdf")
        assert first.pk == second.pk
        with pytest.raises(InvalidInput):
            store.put(b"", "application/pdf", "empty.pdf")
    from django.db import IntegrityError

    with pytest.raises(IntegrityError, match="hash_is_of_content"), acting(team.ops):
        Document.objects.create(
            sha256="0" * 64, name="x", media_type="text/plain", size=1, content=b"something else"
        )
