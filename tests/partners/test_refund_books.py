"""How the books follow a refund: by our credit memo, once, and by nothing else."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.db import IntegrityError

from billing.models import Invoice
from billing.services import credit_memos, invoices
from o2c.actor import acting
from o2c.ledger.models import Journal
from partners.models import Break, MarketplaceRefund
from partners.services import refund_files, refunds, settlement
from tests.factories.billing import billing_team
from tests.factories.partners import Shop, bill_month, hour, use
from tests.partners.test_month import balance
from tests.partners.test_refunds import abe, billed, draft, given, pat, run, submitted

pytestmark = pytest.mark.django_db

D = Decimal


@pytest.fixture
def invoice(shop: Shop) -> Invoice:
    """1,000 for August, in our books and at AWS."""
    use(shop, hour(10, 8), "400000000")
    ours = bill_month(shop, 8)
    billed(shop, str(ours.net))
    return ours


def memo(invoice: Invoice, net: str) -> Invoice:
    return credit_memos.draft(
        invoice.pk, reason_code="billing_error", issue_date=dt.date(2026, 9, 20),
        lines={invoice.lines.get().pk: D(net)}, actor=billing_team().ops, reason="Refunded by AWS",
    )  # fmt: skip


def test_the_credit_memo_of_our_invoice_books_the_refund_once(shop: Shop, invoice: Invoice) -> None:
    owed = balance("1105")
    row = submitted(shop, "100.00")
    given(shop, "100.00")
    settlement.post(shop.channel, as_of=dt.date(2026, 9, 21), actor=shop.team)
    assert balance("1105") == owed  # neither the request nor the feed's line posts

    drafted = memo(invoice, "100.00")
    assert run(shop, 21) == {"REFUND_UNBOOKED": D("100.00")}
    invoices.post(drafted.pk, actor=billing_team().approver)
    assert run(shop, 22) == {}
    row.refresh_from_db()
    assert row.credit_memo_id == drafted.pk
    assert balance("1105") == owed - D("100.00")
    assert not Break.objects.filter(type="BOOKS").exists()
    assert not Journal.objects.filter(source__contains="refund").exists()

    # Another refund of the same amount needs a credit memo of its own.
    given(shop, "100.00", "R2", at="2026-09-23")
    assert run(shop, 24) == {"REFUND_UNKNOWN": D("100.00"), "REFUND_UNBOOKED": D("100.00")}


def test_one_credit_memo_books_no_two_refunds(shop: Shop, invoice: Invoice) -> None:
    billed(shop, "400.00", number=2, invoice="2500000002")
    first = submitted(shop, "100.00")
    second = refunds.approve(draft(shop, "100.00", invoice_ref="2500000002").pk, actor=abe())
    refund_files.submit_many([second.pk], actor=pat(), as_of=hour(10, 12, month=9))
    given(shop, "100.00")
    given(shop, "100.00", "R2", "A2")
    invoices.post(memo(invoice, "100.00").pk, actor=billing_team().approver)
    assert run(shop, 21) == {"REFUND_UNBOOKED": D("100.00")}
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.credit_memo is not None, second.state, second.credit_memo) == (True, "confirmed", None)
    with pytest.raises(IntegrityError, match="credit_memo_id"), acting(shop.team, reason="by hand"):
        MarketplaceRefund.objects.filter(pk=second.pk).update(credit_memo=first.credit_memo_id)
