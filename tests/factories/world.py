"""A small company in which everything happened once: sold, used, billed, paid, recognised, closed.

For tests that walk over every page or every call and want rows behind each.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from billing.models import Invoice
from billing.services import applications, refunds
from orders.models import Order
from orders.salesforce.ids import eighteen
from tests.factories.billing import billing_team, receive
from tests.factories.orders import line, make_customer, make_order, orders_team
from tests.factories.partners import Shop, make_shop, partner_team
from tests.factories.partners import use as use_on_aws
from tests.factories.revenue import Books, close_month, deliver, invoice, make_books, use


@dataclass(frozen=True)
class World:
    """What a test has in hand; August 2026 is billed, partly paid and closed."""

    books: Books
    order: Order
    draft: Order
    invoice: Invoice
    shop: Shop


def make_world() -> World:
    """Through the services that the product's own screens call. Takes a few seconds."""
    books = make_books()
    orders_clerk = orders_team()
    customer = make_customer(orders_clerk, name="Globex", salesforce_id=eighteen("001Hs00003GlbxQ"))
    order = make_order(
        orders_clerk,
        customer,
        [line("SEATS", 20), line("TOKENS", timing="arrears"), line("ONBOARDING")],
        state="active",
        salesforce_opportunity_id=eighteen("006Hs00001DealA"),
    )
    draft = make_order(orders_clerk, customer, [line("SEATS", 5)])
    use(books, customer, "250000", "2026-08-12")
    shop = make_shop(partner_team())
    use_on_aws(shop, dt.datetime(2026, 8, 12, 9, tzinfo=dt.UTC), "40000")
    invoice(books, "2026-09-01")
    posted = Invoice.objects.filter(order=order).latest("pk")
    team = billing_team()
    receipt = receive(team, customer, "100.00", on=dt.date(2026, 8, 30), reference=posted.number or "")
    applications.apply(
        receipt.pk, [(posted.pk, Decimal("60.00"))], applied_on=dt.date(2026, 8, 30), actor=team.cash
    )
    for amount in ("10.00", "20.00"):
        refunds.draft(
            receipt_id=receipt.pk,
            amount=Decimal(amount),
            refund_on=dt.date(2026, 9, 20),
            reason_code="overpaid",
            payee=refunds.Payee(name="Globex Inc", account="US330001000000000001"),
            actor=team.ops,
        )
    deliver()
    close_month(books, "2026-08")
    return World(books, order, draft, posted, shop)
