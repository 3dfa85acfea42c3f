"""Amendments as a person asks for them on a page: a few fields each, drafted with their effect."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from o2c.actor import Actor
from o2c.errors import NotFound
from orders.models import Amendment, Customer, OrderLine, Segment
from orders.services import amendments
from orders.services.pricing import at_amount


def change_quantity(
    pk: int,
    *,
    line: int,
    quantity: Decimal,
    effective_on: dt.date,
    until: dt.date | None = None,
    actor: Actor,
    reason: str = "",
) -> Amendment:
    """Another quantity of a line from a date on, perhaps up to another."""
    asked: dict[str, Any] = {"lines": [{"line": line, "quantity": f"{quantity:f}"}]}
    if until is not None:
        asked["until"] = until.isoformat()
    return amendments.draft(
        pk, kind="quantity", effective_on=effective_on, changes=asked, actor=actor, reason=reason
    )


def change_price(
    pk: int,
    *,
    line: int,
    effective_on: dt.date,
    unit_amount: Decimal | None = None,
    discount_percent: Decimal | None = None,
    actor: Actor,
    reason: str = "",
) -> Amendment:
    """Another unit price or discount of a line from a date on."""
    item: dict[str, Any] = {"line": line}
    if unit_amount is not None:
        item["override"] = _override(line, effective_on, unit_amount)
    if discount_percent is not None:
        item["discount_percent"] = f"{discount_percent:f}"
    return amendments.draft(
        pk, kind="price", effective_on=effective_on, changes={"lines": [item]}, actor=actor, reason=reason
    )


def add_line(
    pk: int,
    *,
    sku: str,
    quantity: Decimal,
    effective_on: dt.date,
    discount_percent: Decimal | None = None,
    actor: Actor,
    reason: str = "",
) -> Amendment:
    """A further SKU from a date on, at the list price of that day."""
    item = {"sku": sku, "quantity": f"{quantity:f}", "discount_percent": f"{discount_percent or 0:f}"}
    return amendments.draft(
        pk, kind="add_line", effective_on=effective_on, changes={"lines": [item]}, actor=actor, reason=reason
    )


def cancel_from(
    pk: int,
    *,
    mode: str,
    effective_on: dt.date,
    line: int | None = None,
    actor: Actor,
    reason: str = "",
) -> Amendment:
    """Cancel the order or one line of it."""
    asked: dict[str, Any] = {"mode": mode}
    if line is not None:
        asked["lines"] = [line]
    return amendments.draft(
        pk, kind="cancel", effective_on=effective_on, changes=asked, actor=actor, reason=reason
    )


def renew(
    pk: int,
    *,
    term_months: int,
    uplift_percent: Decimal | None = None,
    reprice: str = "keep",
    actor: Actor,
    reason: str = "",
) -> Amendment:
    """Another term from where the order ends."""
    asked = {"term_months": term_months, "uplift_percent": f"{uplift_percent or 0:f}", "reprice": reprice}
    # The date is the order's end, whatever is said here.
    return amendments.draft(
        pk, kind="renew", effective_on=dt.date.min, changes=asked, actor=actor, reason=reason
    )


def change_plan(
    pk: int,
    *,
    line: int,
    sku: str,
    effective_on: dt.date,
    quantity: Decimal | None = None,
    discount_percent: Decimal | None = None,
    actor: Actor,
    reason: str = "",
) -> Amendment:
    """Another SKU in place of a line from a date on, at the list price of that day."""
    item: dict[str, Any] = {"line": line, "sku": sku, "discount_percent": f"{discount_percent or 0:f}"}
    if quantity is not None:
        item["quantity"] = f"{quantity:f}"
    return amendments.draft(
        pk, kind="plan", effective_on=effective_on, changes={"lines": [item]}, actor=actor, reason=reason
    )


def pause(
    pk: int,
    *,
    effective_on: dt.date,
    until: dt.date | None = None,
    line: int | None = None,
    actor: Actor,
    reason: str = "",
) -> Amendment:
    """Serve and charge nothing for a while."""
    asked: dict[str, Any] = {} if line is None else {"lines": [line]}
    if until is not None:
        asked["until"] = until.isoformat()
    return amendments.draft(
        pk, kind="pause", effective_on=effective_on, changes=asked, actor=actor, reason=reason
    )


def resume(
    pk: int, *, effective_on: dt.date, line: int | None = None, actor: Actor, reason: str = ""
) -> Amendment:
    """Serve and charge again what was paused."""
    asked: dict[str, Any] = {} if line is None else {"lines": [line]}
    return amendments.draft(
        pk, kind="resume", effective_on=effective_on, changes=asked, actor=actor, reason=reason
    )


def transfer(pk: int, *, customer: int, effective_on: dt.date, actor: Actor, reason: str = "") -> Amendment:
    """Another customer takes the order over from a date on."""
    number = Customer.objects.values_list("number", flat=True).get(pk=customer)
    return amendments.draft(
        pk,
        kind="transfer",
        effective_on=effective_on,
        changes={"customer": number},
        actor=actor,
        reason=reason,
    )


def undo(pk: int, *, amendment: int, actor: Actor, reason: str = "") -> Amendment:
    """Take an applied amendment back; `amendment` is its number."""
    # The date is that of the amendment, whatever is said here.
    return amendments.draft(
        pk,
        kind="undo",
        effective_on=dt.date.min,
        changes={"amendment": amendment},
        actor=actor,
        reason=reason,
    )


def _override(line: int, day: dt.date, amount: Decimal) -> dict[str, str]:
    row = OrderLine.objects.select_related("sku").filter(pk=line).first()
    if row is None:
        raise NotFound(f"There is no order line with id {line}")
    segment = Segment.objects.on(day).select_related("price").filter(line=line).first()
    spec = (segment.price_override or segment.price.spec) if segment else {"model": "per_unit"}
    return at_amount(spec["model"], row.sku.code, amount)
