"""Overrides for a customer or an order: drafted by one person, activated by another, ended on a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from o2c import locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.errors import Conflict, InvalidInput, NotAuthorised, NotFound
from o2c.money import minor_units
from orders.domain import price_spec
from orders.models import Customer, Order, PriceAdjustment, Product, Sku
from orders.services.common import Problems, move, responsible

# Prices that count from the beginning of a line, or have no amount of their own, can't begin in its middle.
NOT_A_REPLACEMENT = frozenset({"ramp", "prepaid", "of"})
# Prices that can stand beside that of the rest: no amount, floor or ceiling of a whole period.
OF_SINGLE_VALUES = frozenset({"per_unit", "graduated", "volume", "package", "percentage"})


def draft(
    *,
    customer: int,
    method: str,
    starts_on: dt.date,
    order: int | None = None,
    sku: str = "",
    product: str = "",
    dimensions: Mapping[str, str] | None = None,
    value: Decimal | None = None,
    spec: Mapping[str, Any] | None = None,
    ends_on: dt.date | None = None,
    actor: Actor,
    reason: str = "",
) -> PriceAdjustment:
    """Write an override; it holds once somebody else has activated it.

    `order` narrows it to one order of the customer, `sku` or `product` (codes) to what it is about. Raises
    InvalidInput with every problem by its field.
    """
    with acting(actor, reason=reason):
        require(actor, "orders.adjustment.draft")
        buyer = Customer.objects.filter(pk=customer).first()
        if buyer is None:
            raise NotFound(f"There is no customer with id {customer}")
        found = Problems()
        row = PriceAdjustment(
            customer=buyer,
            order=_order(order, buyer, found),
            sku=Sku.objects.filter(code=sku).first() if sku else None,
            product=Product.objects.filter(code=product).first() if product else None,
            dimensions=dict(dimensions or {}),
            method=method,
            value=value,
            spec=dict(spec) if spec else None,
            currency=buyer.currency if method in ("replace", "amount_off") else "",
            starts_on=starts_on,
            ends_on=ends_on,
            reason=reason,
            drafted_by_id=responsible(actor),
        )
        _check(row, sku, product, found)
        found.raise_if_any(f"The override for {buyer}", code="adjustment_invalid")
        row.save(force_insert=True)
        return row


def activate(pk: int, *, actor: Actor, reason: str = "") -> PriceAdjustment:
    """Let it hold. Raises NotAuthorised for whoever drafted it, Conflict beside another of the same scope."""
    with acting(actor, reason=reason):
        row = locks.row(PriceAdjustment, pk)
        require(actor, "orders.adjustment.activate", record=str(row))
        if row.drafted_by_id in (actor.user_id, actor.on_behalf_of_id):
            raise NotAuthorised(
                "Nobody activates an override that they drafted",
                record=str(row),
                remedy="Ask somebody else who may activate overrides",
                code="maker_is_checker",
            )
        list(Customer.objects.select_for_update().filter(pk=row.customer_id))
        _alone(row)
        approvals.gate("orders.adjustment.activate", [pk])
        move([row], "activate", activated_by_id=responsible(actor))
        return row


def ask(pk: int, *, actor: Actor, reason: str = "") -> Request:
    """Ask for an override to be activated that takes off more than one person may agree to."""
    return approvals.submit("orders.adjustment.activate", pk, actor=actor, reason=reason)


def withdraw(pk: int, *, actor: Actor, reason: str = "") -> PriceAdjustment:
    """Give a draft up."""
    with acting(actor, reason=reason):
        row = locks.row(PriceAdjustment, pk)
        require(actor, "orders.adjustment.draft", record=str(row))
        move([row], "withdraw")
        return row


def end(pk: int, *, ends_on: dt.date, actor: Actor, reason: str = "") -> PriceAdjustment:
    """Let an active override hold no longer from `ends_on` on. Ended on its first day it never held."""
    with acting(actor, reason=reason):
        row = locks.row(PriceAdjustment, pk)
        require(actor, "orders.adjustment.activate", record=str(row))
        if row.state != PriceAdjustment.State.ACTIVE:
            raise Conflict(f"It is {row.state}", record=str(row), remedy="Withdraw a draft instead")
        if row.ends_on is not None and ends_on > row.ends_on:
            raise InvalidInput(
                f"It ends on {row.ends_on}: ending it makes it no longer",
                record=str(row),
                remedy="Draft another override for the days after",
                fields={"ends_on": ["is after its end"]},
            )
        if ends_on < row.starts_on:
            raise InvalidInput(
                f"{ends_on} is before its first day, {row.starts_on}",
                record=str(row),
                fields={"ends_on": ["is before the start"]},
            )
        row.ends_on = ends_on
        row.save(update_fields=["ends_on"])
        return row


def _order(pk: int | None, customer: Customer, found: Problems) -> Order | None:
    if pk is None:
        return None
    order = Order.objects.filter(pk=pk, customer=customer).first()
    if order is None:
        found.add("order", f"is no order of {customer}")
    return order


def _check(row: PriceAdjustment, sku: str, product: str, found: Problems) -> None:
    if row.method not in PriceAdjustment.Method.values:
        found.add("method", f"{row.method!r} is not one of {', '.join(PriceAdjustment.Method.values)}")
        return
    if not row.reason.strip():
        found.add("reason", "is missing: why does this customer pay something else?")
    for name, code, known in (("sku", sku, row.sku), ("product", product, row.product)):
        if code and known is None:
            found.add(name, f"there is no {name} {code!r}")
    if sku and product:
        found.add("product", "name a SKU or a product, not both")
    if row.sku is not None and row.sku.kind == Sku.Kind.PREPAID:
        found.add("sku", "a prepayment is what its credit is worth: negotiate it on the line")
    if row.ends_on is not None and row.ends_on <= row.starts_on:
        found.add("ends_on", "is not after the start")
    if row.method == PriceAdjustment.Method.REPLACE:
        _check_replacement(row, found)
    else:
        _check_value(row, found)
    _check_dimensions(row, found)


def _check_replacement(row: PriceAdjustment, found: Problems) -> None:
    if row.value is not None:
        found.add("value", "a replacement has a price and no value")
    if row.sku is None:
        found.add("sku", "another price is that of one SKU")
        return
    for place, texts in price_spec.examine(row.spec, kind=row.sku.kind).by_path.items():
        for text in texts:
            found.add(f"spec.{place}" if place else "spec", text)
    if row.spec and (row.spec.get("model") in NOT_A_REPLACEMENT or row.spec.get("over_term")):
        found.add("spec.model", "can't begin in the middle of a line; amend the line instead")
    if row.spec and row.dimensions and row.spec.get("model") not in OF_SINGLE_VALUES:
        found.add("spec.model", f"of single values is one of {', '.join(sorted(OF_SINGLE_VALUES))}")


def _check_value(row: PriceAdjustment, found: Problems) -> None:
    if row.spec is not None:
        found.add("spec", "only a replacement has a price")
    if row.value is None or row.value < 0:
        found.add("value", "must be a number that is not negative")
    elif row.method == PriceAdjustment.Method.PERCENT_OFF and not 0 < row.value <= 100:
        found.add("value", "a discount is above 0 and at most 100 %")
    elif row.method == PriceAdjustment.Method.AMOUNT_OFF:
        if row.value != round(row.value, minor_units(row.currency)):
            found.add("value", f"{row.value} can't be paid in {row.currency}")
        if row.sku is None:
            found.add("sku", "an amount is off the billing period of one SKU")


def _check_dimensions(row: PriceAdjustment, found: Problems) -> None:
    if not row.dimensions:
        return
    if row.method == PriceAdjustment.Method.AMOUNT_OFF:
        found.add("dimensions", "an amount is off the whole charge")
    meter = row.sku.meter if row.sku else None
    unknown = sorted(set(row.dimensions) - set(meter.dimensions if meter else ()))
    if meter is None:
        found.add("dimensions", "name the SKU whose usage has these values")
    elif unknown:
        found.add("dimensions", f"the meter {meter.code} has no {', '.join(unknown)}")
    if not all(isinstance(value, str) and value for value in row.dimensions.values()):
        found.add("dimensions", "every dimension has a text as its value")


def _alone(row: PriceAdjustment) -> None:
    """Two replacements of one scope on one day would have to be guessed at. Raises Conflict."""
    if row.method != PriceAdjustment.Method.REPLACE:
        return
    others = PriceAdjustment.objects.filter(
        customer=row.customer_id,
        order=row.order_id,
        sku=row.sku_id,
        dimensions=row.dimensions,
        method=row.method,
        state=PriceAdjustment.State.ACTIVE,
    ).exclude(pk=row.pk)
    far = dt.date.max
    for other in others:
        if row.starts_on < (other.ends_on or far) and other.starts_on < (row.ends_on or far):
            raise Conflict(
                f"{other} replaces the same price from {other.starts_on} to {other.ends_on or 'its end'}",
                record=str(row),
                remedy="End the other one first, or choose other dates",
                code="overlapping_overrides",
            )
