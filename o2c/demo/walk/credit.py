"""What customers may owe: limits before they buy, orders let through, and what waits on the morning after."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

from o2c import clock
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.demo.walk.cast import Cast
from o2c.errors import Conflict
from orders.domain.credit import problem
from orders.models import Customer, Order
from orders.salesforce.ids import eighteen
from orders.selectors.credit import standings
from orders.selectors.value import order_values
from orders.services import credit, orders
from orders.services.inputs import LineInput, OrderInput, TermsInput

STEP = 50_000
YEAR = dt.timedelta(days=365)
OVER, HELD = 99_004, 99_005
"""Numbers of the two signed deals that wait on credit hold."""


def limits(cast: Cast, drafts: Sequence[Order]) -> None:
    """A limit of half as much again for everybody who buys for more than the standard would carry."""
    values = order_values([order.pk for order in drafts])
    where = standings({order.customer_id for order in drafts})
    for order in drafts:
        wanted = values[order.pk] * 3 / 2
        limit = where[order.customer_id].limit
        if limit is not None and wanted > limit and problem_of(order):
            decide(cast, order.customer_id, amount=(wanted // STEP + 1) * STEP)


def problem_of(order: Order) -> bool:
    """Whether the order's credit holds it back now."""
    asked = credit.waiting(order)
    return asked is not None and problem(asked) is not None


def decide(cast: Cast, customer: int, *, amount: Decimal) -> None:
    """Cora decides, or asks where it takes others."""
    review_on = clock.today() + YEAR
    why = "Annual accounts and payment record reviewed"
    try:
        credit.change(customer, amount=amount, review_on=review_on, actor=cast.cora, reason=why)
    except Conflict as error:
        if error.code != "approval_required":
            raise
        _approve(
            cast, credit.ask_change(customer, amount=amount, review_on=review_on, actor=cast.cora, reason=why)
        )


def let_through(cast: Cast, order: Order) -> None:
    """Release an order that its credit holds back, by whoever it takes."""
    if not problem_of(order):
        return
    why = "Pays within terms; the account team has the payment plan in writing"
    try:
        credit.release(order.pk, actor=cast.cora, reason=why)
    except Conflict as error:
        if error.code != "approval_required":
            raise
        _approve(cast, credit.ask_release(order.pk, actor=cast.cora, reason=why))


def _approve(cast: Cast, asked: Request) -> None:
    for step in asked.steps.order_by("position"):
        approver = cast.carla if step.code == "controller" else cast.anton
        approvals.approve(asked.pk, actor=approver, reason="Credit file seen")


def on_hold(cast: Cast, buyers: Sequence[Customer], today: dt.date) -> None:
    """Two signed orders that wait: of a customer over its limit, and of one whose orders are held.

    Not of `buyers`, whose orders wait for something else.
    """
    if Order.objects.filter(salesforce_opportunity_id=_deal_id(HELD)).exists():
        return
    found = Customer.objects.filter(currency="USD", state=Customer.State.ACTIVE, orders__channel="direct")
    found = found.exclude(pk__in=[buyer.pk for buyer in buyers])
    where = standings(found.values_list("pk", flat=True))
    owing = sorted(where, key=lambda pk: (-where[pk].receivable, pk))[:2]
    if len(owing) < 2:
        return
    over, held = owing
    credit.change(
        over,
        amount=Decimal(where[over].exposure * 3 / 4 // 1000 * 1000),
        review_on=clock.today() + YEAR,
        actor=cast.cora,
        reason="Rating fell by two notches",
    )
    credit.hold(held, actor=cast.cora, reason="Two invoices are overdue and a payment plan was not kept")
    for customer, deal in ((over, OVER), (held, HELD)):
        _signed(cast, customer, deal, today)


def _deal_id(number: int) -> str:
    return eighteen(f"0065f00000{number:05d}")


def _signed(cast: Cast, customer: int, deal: int, today: dt.date) -> None:
    order = orders.create_draft(
        OrderInput(
            customer, today, (LineInput("SEAT-TEAM", Decimal(60)),), term_months=12,
            terms=TermsInput(anchor="calendar", po_number=f"PO-{deal}"), title="More seats",
            salesforce_opportunity_id=_deal_id(deal),
        ),
        actor=cast.olivia,
        reason="Order form received",
    )  # fmt: skip
    orders.sign(order.pk, signed_on=today, actor=cast.olivia, reason="Signed by both sides")
