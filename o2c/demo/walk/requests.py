"""What waits for approval on the morning after: a credit and a quote beyond one signature."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from billing.models import Invoice, InvoiceLine
from billing.services import credit_memos
from o2c import clock
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.demo.walk.cast import Cast
from orders.models import Customer
from orders.services import quotes
from orders.services.inputs import LineInput, QuoteInput


def ask(cast: Cast, today: dt.date) -> None:
    """A credit and a quote with a high discount, asked once; nobody has decided yet."""
    if Request.objects.exists():
        return
    memo = _large_credit(cast, today)
    if memo is not None:
        why = "Billed at list price; the order form says otherwise"
        approvals.submit("billing.credit.post", memo.pk, actor=cast.bea, reason=why)
    _quote(cast, today)


def _large_credit(cast: Cast, today: dt.date) -> Invoice | None:
    """A draft credit of half a large line, beyond what a second signature alone may post."""
    line = (
        InvoiceLine.objects.filter(
            invoice__state=Invoice.State.POSTED,
            invoice__kind=Invoice.Kind.INVOICE,
            invoice__channel=Invoice.Channel.DIRECT,
            invoice__corrects__isnull=True,
            credited_by__isnull=True,
            net__gte=12_000,
        )
        .order_by("net", "pk")
        .first()
    )
    if line is None:
        return None
    return credit_memos.draft(
        line.invoice_id,
        reason_code="billing_error",
        issue_date=today,
        lines={line.pk: Decimal(int(line.net / 2))},
        actor=cast.bea,
        reason="The order form says otherwise",
    )


def _quote(cast: Cast, today: dt.date) -> None:
    customer = Customer.objects.filter(state="active", currency="USD").order_by("pk").first()
    if customer is None:
        return
    data = QuoteInput(
        customer=customer.pk,
        valid_until=max(today, clock.today()) + dt.timedelta(days=30),
        starts_on=today,
        term_months=24,
        title=f"{customer.name} expansion",
        lines=(
            LineInput(
                "SEAT-TEAM", quantity=Decimal(200), discount_percent=Decimal(35),
                override_reason="Displaces a competitor; two-year commitment",
            ),
        ),
    )  # fmt: skip
    quote = quotes.create_draft(data, actor=cast.dana, reason="Expansion")
    quotes.submit(quote.pk, actor=cast.dana)
    approvals.submit(
        "orders.quote.approve", quote.pk, actor=cast.dana, reason="Displaces a competitor at the same seats"
    )
