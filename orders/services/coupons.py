"""Coupons: made, agreed to by somebody else, redeemed on a line within their limits."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from django.db.models import Max

from o2c import clock, locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.errors import Conflict, InvalidInput, NotFound
from o2c.money import minor_units
from orders.models import Coupon, Order, OrderLine, Redemption, Sku
from orders.services.common import Problems


def create(
    *,
    code: str,
    method: str,
    value: Decimal,
    currency: str = "",
    name: str = "",
    sku: str = "",
    periods: int | None = None,
    redeem_from: dt.date | None = None,
    redeem_until: dt.date | None = None,
    max_redemptions: int | None = None,
    actor: Actor,
    reason: str = "",
) -> Coupon:
    """Make a coupon; it is redeemed once somebody else has agreed to it. What it takes off never changes
    afterwards. Raises InvalidInput by field.
    """
    with acting(actor, reason=reason):
        require(actor, "orders.coupon.maintain", record=code)
        found = Problems()
        scope = Sku.objects.filter(code=sku).first() if sku else None
        if sku and scope is None:
            found.add("sku", f"there is no SKU {sku!r}")
        if Coupon.objects.filter(code=code).exists():
            found.add("code", f"{code} exists already")
        if method not in Coupon.Method.values:
            found.add("method", f"{method!r} is not one of {', '.join(Coupon.Method.values)}")
        if not value > 0 or (method == Coupon.Method.PERCENT_OFF and value > 100):
            found.add("value", "a coupon takes something off, and at most 100 %")
        if (method == Coupon.Method.AMOUNT_OFF) != bool(currency):
            found.add("currency", "an amount has a currency, a percentage has none")
        elif currency and value != round(value, minor_units(currency)):
            found.add("value", f"{value} can't be paid in {currency}")
        if periods is not None and periods < 1:
            found.add("periods", "must be at least one, or empty for ever")
        found.raise_if_any("The coupon", record=code, code="coupon_invalid")
        return Coupon.objects.create(
            code=code,
            name=name,
            method=method,
            value=value,
            currency=currency,
            sku=scope,
            periods=periods,
            redeem_from=redeem_from,
            redeem_until=redeem_until,
            max_redemptions=max_redemptions,
            active=False,
        )


def activate(pk: int, *, actor: Actor, reason: str = "") -> Coupon:
    """Let it be redeemed. Raises Conflict when its policy wants somebody else to agree first."""
    with acting(actor, reason=reason):
        coupon: Coupon = locks.row(Coupon, pk)
        require(actor, "orders.coupon.maintain", record=str(coupon))
        if coupon.active:
            raise Conflict("It can be redeemed already", record=str(coupon))
        approvals.gate("orders.coupon.activate", [pk])
        coupon.active = True
        coupon.save(update_fields=["active"])
        return coupon


def ask(pk: int, *, actor: Actor, reason: str = "") -> Request:
    """Ask for a coupon to be put in force; it is when its approvers agree."""
    return approvals.submit("orders.coupon.activate", pk, actor=actor, reason=reason)


def close(pk: int, *, actor: Actor, reason: str = "") -> Coupon:
    """Nobody redeems it any more; where it was redeemed it goes on."""
    with acting(actor, reason=reason):
        coupon = locks.row(Coupon, pk)
        require(actor, "orders.coupon.maintain", record=str(coupon))
        coupon.active = False
        coupon.save(update_fields=["active"])
        return coupon


def redeem(
    pk: int,
    *,
    code: str,
    line: int,
    redeemed_on: dt.date | None = None,
    actor: Actor,
    reason: str = "",
) -> Redemption:
    """Redeem a coupon on a line of an order; it holds from the next billing period that begins.

    Raises Conflict when the coupon is over, used up, or not for this line.
    """
    with acting(actor, reason=reason):
        order = locks.row(Order, pk)
        require(actor, "orders.coupon.redeem", record=str(order))
        coupon = Coupon.objects.select_for_update(of=("self",)).filter(code=code).first()
        if coupon is None:
            raise NotFound(f"There is no coupon {code!r}", record=str(order))
        row = OrderLine.objects.select_related("sku").filter(pk=line, order=order).first()
        if row is None:
            raise NotFound(f"The order has no line with id {line}", record=str(order))
        day = redeemed_on or clock.today(order.time_zone)
        last = coupon.redemptions.aggregate(Max("sequence"))["sequence__max"] or 0
        if why := _refusal(coupon, order, row, day, last):
            raise Conflict(f"{code}: {why}", record=f"{order}, line {row.position}", code="coupon_refused")
        if row.schedule:
            raise InvalidInput(f"Line {row.position} is billed by a schedule", record=str(order))
        return Redemption.objects.create(coupon=coupon, sequence=last + 1, line=row, redeemed_on=day)


def _refusal(coupon: Coupon, order: Order, line: OrderLine, day: dt.date, redeemed: int) -> str:
    """Why the coupon can't be redeemed; empty when it can."""
    if not coupon.active:
        return "is not in force"
    if coupon.redeem_from is not None and day < coupon.redeem_from:
        return f"can be redeemed from {coupon.redeem_from} on"
    if coupon.redeem_until is not None and day > coupon.redeem_until:
        return f"could be redeemed until {coupon.redeem_until}"
    if coupon.max_redemptions is not None and redeemed >= coupon.max_redemptions:
        return f"was redeemed {redeemed} times, which is its limit"
    if coupon.currency and coupon.currency != order.currency:
        return f"is in {coupon.currency}, the order in {order.currency}"
    if coupon.sku_id is not None and coupon.sku_id != line.sku_id:
        return f"is not for {line.sku.code}"
    if line.sku.kind == Sku.Kind.PREPAID:
        return f"is not for a prepayment, and {line.sku.code} is one"
    if order.state in (Order.State.COMPLETED, Order.State.CANCELLED):
        return f"the order is {order.state}"
    if coupon.redemptions.filter(line=line).exists():
        return "was redeemed on this line already"
    return ""
