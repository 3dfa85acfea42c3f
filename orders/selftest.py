"""Specimens of orders for the self-test: each kind of record waiting, and one that is through."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from o2c import clock
from o2c.controls import approvals
from o2c.controls.selftest.world import REASON, Subject, World
from o2c.periods import add_months
from orders.models import Customer, Order, Quote
from orders.selectors.credit import standing_of
from orders.services import (
    adjustments,
    amendments,
    catalogue,
    coupons,
    credit,
    customers,
    orders,
    quotes,
)
from orders.services.inputs import CustomerInput, LineInput, OrderInput, PriceInput, QuoteInput, TermsInput

SKU = "ZT-SEATS"
IDLE = {
    "task orders.daily": "takes no argument; closes orders whose term is over, in the product's own name",
    "task orders.provision": "takes no argument; tells the provisioning service what orders say already",
}


def build(world: World) -> None:
    _catalogue(world)
    customer = _customer(world, "Self-test customer")
    world.records["customer"] = customer
    _trust(world, customer)
    _quotes(world, customer)
    _orders(world, customer)
    world.subjects["orders.customer.change_identity"] = Subject(
        customer.pk,
        world.person("master_data"),
        world.person("approver"),
        by_hand="UPDATE orders_customer SET billing_email = 'other@example.invalid' WHERE id = %s",
        edit="",  # who wrote the values before is not who changes them
        parameters={"billing_email": "other@example.invalid"},
    )
    _credit(world, _customer(world, "Self-test debtor"))
    _large(world, _customer(world, "Self-test large customer"))
    _discounts(world, customer)
    _backdated(world, customer)
    _masters(world, customer)


def _catalogue(world: World) -> None:
    maker, checker = world.person("billing_ops"), world.person("controller")
    catalogue.save_product("ZT", name="Self-test", actor=maker, reason=REASON)
    catalogue.save_sku(
        SKU, product="ZT", name="Self-test seats", kind="recurring", unit="seat", provisioned=False,
        actor=maker, reason=REASON,
    )  # fmt: skip
    catalogue.attribute_sku(
        SKU, revenue_treatment="ratable_daily", gl_segment="100", actor=world.person("revenue_policy"),
        reason=REASON,
    )  # fmt: skip
    spec = {"model": "per_unit", "unit_amount": "40.00"}
    drafts = [
        catalogue.draft_price(PriceInput(SKU, currency, spec, world.month), actor=maker, reason=REASON)
        for currency in ("USD", "EUR")
    ]
    catalogue.activate_price(drafts[0].pk, actor=checker, reason=REASON)


def _customer(world: World, name: str) -> Customer:
    customer = customers.upsert(
        CustomerInput(
            name=name, legal_name=name, entity="ZT", currency="USD", country="US", region="TX",
            bill_to_line1="-", bill_to_city="-", bill_to_postal_code="78701",
            billing_email="selftest@example.invalid", time_zone="UTC",
        ),
        actor=world.person("master_data"),
        reason=REASON,
    )  # fmt: skip
    exempt = approvals.submit(
        "orders.customer.change_terms", customer.pk, actor=world.person("master_data"), reason=REASON,
        parameters={"payment_terms_days": str(customer.payment_terms_days), "tax_exempt": "true"},
    )  # fmt: skip
    approvals.approve(exempt.pk, actor=world.person("approver"), reason=REASON)
    return Customer.objects.get(pk=customer.pk)


def _trust(world: World, customer: Customer) -> None:
    """A credit limit above what the self-test bills, as two people approve it, unless there is one."""
    analyst, review_on = world.person("credit"), clock.today() + dt.timedelta(days=300)
    amount, where = Decimal(200_000_000), standing_of(customer)
    if where.limit is None or where.limit >= amount:
        return
    limit = credit.ask_change(customer.pk, amount=amount, review_on=review_on, actor=analyst, reason=REASON)
    for who in ("approver", "controller"):
        approvals.approve(limit.pk, actor=world.person(who), reason=REASON)


def _quote(world: World, customer: Customer, discount: int) -> Quote:
    seller = world.person("deal_desk")
    line = LineInput(SKU, Decimal(10), discount_percent=Decimal(discount), override_reason=REASON)
    quote = quotes.create_draft(
        QuoteInput(
            customer=customer.pk,
            starts_on=add_months(world.month, 3),
            term_months=12,
            valid_until=clock.today() + dt.timedelta(days=30),
            lines=(line,),
        ),
        actor=seller,
        reason=REASON,
    )
    return quotes.submit(quote.pk, actor=seller, reason=REASON)


def _quotes(world: World, customer: Customer) -> None:
    approver = world.person("approver")
    quotes.approve(_quote(world, customer, 10).pk, actor=approver, reason=REASON)
    _quote(world, customer, 10)  # waits; within what a second person may approve
    wanting = _quote(world, customer, 30)
    world.subjects["orders.quote.approve"] = Subject(
        wanting.pk,
        world.person("deal_desk"),
        approver,
        by_hand="UPDATE orders_quote SET state = 'approved', approved_by_id = o2c_actor(),"
        " approved_at = statement_timestamp() WHERE id = %s",
    )


def _order(world: World, customer: Customer, seats: int = 10) -> Order:
    return orders.create_draft(
        OrderInput(
            customer=customer.pk,
            starts_on=world.month,
            ends_on=add_months(world.month, 12),
            lines=(LineInput(SKU, Decimal(seats)),),
            terms=TermsInput(time_zone="UTC"),
        ),
        actor=world.person("order_entry"),
        reason=REASON,
    )


def _orders(world: World, customer: Customer) -> None:
    clerk, manager = world.person("order_entry"), world.person("order_management")
    active = _order(world, customer)
    orders.sign(active.pk, signed_on=world.month, actor=clerk, reason=REASON)
    active = orders.activate(active.pk, as_of=world.month, actor=manager, reason=REASON)
    signed = _order(world, customer)
    orders.sign(signed.pk, signed_on=world.month, actor=clerk, reason=REASON)
    _order(world, customer)
    world.records |= {"order": active, "signed": signed}
    for months, applied in ((1, True), (4, False)):
        day = add_months(world.month, months)
        drafted = amendments.draft(
            active.pk,
            kind="quantity",
            effective_on=day,
            changes={"lines": [{"line": active.lines.get().pk, "quantity": str(11 + months)}]},
            as_of=day,
            actor=clerk,
            reason=REASON,
        )
        if applied:
            amendments.apply(drafted.pk, as_of=day, actor=manager, reason=REASON)


def _credit(world: World, debtor: Customer) -> None:
    """A customer with a small limit: one order let through, one that waits for an approver to agree."""
    analyst, clerk = world.person("credit"), world.person("order_entry")
    review_on = clock.today() + dt.timedelta(days=300)
    credit.change(debtor.pk, amount=Decimal(10_000), review_on=review_on, actor=analyst, reason=REASON)
    small, large = (_order(world, debtor, seats) for seats in (30, 100))  # 480 a seat
    for order in (small, large):
        orders.sign(order.pk, signed_on=world.month, actor=clerk, reason=REASON)
    credit.release(small.pk, actor=analyst, reason=REASON)
    orders.activate(small.pk, as_of=world.month, actor=world.person("order_management"), reason=REASON)
    world.subjects["orders.customer.change_credit"] = Subject(
        debtor.pk,
        analyst,
        world.person("approver"),
        by_hand="INSERT INTO orders_creditlimit (customer_id, currency, amount, held, reason, shipped)"
        " SELECT id, '', 500000, false, '-', false FROM orders_customer WHERE id = %s",
        edit="",  # a decision is one row
        parameters={"amount": Decimal(500_000), "review_on": review_on},
    )
    world.subjects["orders.order.release_credit"] = Subject(
        large.pk,
        analyst,
        world.person("approver"),
        by_hand="INSERT INTO orders_creditrelease (order_id, decision_id, exposure, covers, reason)"
        " SELECT o.id, (SELECT max(x.id) FROM orders_creditlimit x WHERE x.customer_id = o.customer_id), 0,"
        " 62400, '-' FROM orders_order o WHERE o.id = %s",
    )


def _large(world: World, customer: Customer) -> None:
    """An order whose bills and whose end need approval."""
    clerk, manager = world.person("order_entry"), world.person("order_management")
    _trust(world, customer)
    order = _order(world, customer, seats=300_000)
    orders.sign(order.pk, signed_on=world.month, actor=clerk, reason=REASON)
    order = orders.activate(order.pk, as_of=world.month, actor=manager, reason=REASON)
    world.records["large"] = order
    day = add_months(world.month, 6)
    end = amendments.draft(
        order.pk, kind="cancel", effective_on=day, changes={"mode": "now"}, as_of=day, actor=clerk,
        reason=REASON,
    )  # fmt: skip
    world.subjects["orders.amendment.cancel"] = Subject(
        end.pk,
        manager,
        world.person("approver"),
        by_hand="UPDATE orders_amendment SET state = 'applied', applied_by_id = o2c_actor(),"
        " applied_on = effective_on WHERE id = %s",
        others=(world.person("controller"),),
    )


def _discounts(world: World, customer: Customer) -> None:
    """An amendment, an override and a coupon that each give a third away."""
    clerk, manager, approver = (world.person(r) for r in ("order_entry", "order_management", "approver"))
    order: Order = world.records["order"]
    day = add_months(world.month, 5)
    cheaper = amendments.draft(
        order.pk, kind="price", effective_on=day, as_of=day, actor=clerk, reason=REASON,
        changes={"lines": [{"line": order.lines.get().pk, "discount_percent": "33"}]},
    )  # fmt: skip
    world.subjects["orders.amendment.apply"] = Subject(
        cheaper.pk,
        manager,
        approver,
        by_hand="UPDATE orders_amendment SET state = 'applied', applied_by_id = o2c_actor(),"
        " applied_on = effective_on WHERE id = %s",
    )
    desk = world.person("deal_desk")
    override = adjustments.draft(
        customer=customer.pk, method="percent_off", value=Decimal(33), starts_on=day, actor=desk,
        reason=REASON,
    )  # fmt: skip
    world.subjects["orders.adjustment.activate"] = Subject(
        override.pk,
        desk,
        approver,
        by_hand="UPDATE orders_priceadjustment SET state = 'active', activated_by_id = o2c_actor()"
        " WHERE id = %s",
        edit="UPDATE orders_priceadjustment SET value = 34 WHERE id = %s",
    )
    coupon = coupons.create(
        code="ZT-THIRD", method="percent_off", value=Decimal(33), actor=world.person("controller"),
        reason=REASON,
    )  # fmt: skip
    world.subjects["orders.coupon.activate"] = Subject(
        coupon.pk,
        world.person("controller"),
        approver,
        by_hand="UPDATE orders_coupon SET active = true WHERE id = %s",
        edit="UPDATE orders_coupon SET max_redemptions = 7 WHERE id = %s",
    )


def _backdated(world: World, customer: Customer) -> None:
    order = _order(world, customer)
    signed = add_months(world.month, 2)
    orders.sign(order.pk, signed_on=signed, actor=world.person("order_entry"), reason=REASON)
    world.subjects["orders.order.activate"] = Subject(
        order.pk,
        world.person("order_management"),
        world.person("approver"),
        by_hand="UPDATE orders_order SET state = 'active', activated_on = signed_on WHERE id = %s",
        parameters={"as_of": signed},
    )


def _masters(world: World, customer: Customer) -> None:
    """A list price that falls by a quarter, and a customer who is to pay later."""
    spec = {"model": "per_unit", "unit_amount": "30.00"}
    price = catalogue.draft_price(
        PriceInput(SKU, "USD", spec, add_months(world.month, 9)), actor=world.person("billing_ops"),
        reason=REASON,
    )  # fmt: skip
    world.subjects["orders.price.activate"] = Subject(
        price.pk,
        world.person("controller"),
        world.person("approver"),
        by_hand="UPDATE orders_price p SET effective_to = n.effective_from FROM orders_price n"
        " WHERE n.id = %s AND p.sku_id = n.sku_id AND p.currency = n.currency AND p.state = 'active';"
        " UPDATE orders_price SET state = 'active' WHERE id = %s",
        edit='UPDATE orders_price SET spec = spec || \'{"unit_amount": "29.00"}\' WHERE id = %s',
    )
    world.subjects["orders.customer.change_terms"] = Subject(
        customer.pk,
        world.person("master_data"),
        world.person("approver"),
        by_hand="UPDATE orders_customer SET payment_terms_days = 75 WHERE id = %s",
        parameters={"payment_terms_days": "75", "tax_exempt": "false"},
    )
