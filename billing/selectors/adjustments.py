"""Overrides and coupons of order lines, as the charge engine takes them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from django.db.models import Q

from billing.domain import specs
from billing.domain.adjustments import Adjustment, Method
from billing.domain.grid import line_grid
from billing.domain.prices import Price, Unreadable
from billing.domain.timelines import ONCE, ONE_DAY, runs
from billing.domain.types import Kind, Line
from o2c.errors import InvalidInput
from orders.models import PriceAdjustment, Redemption

COLUMNS = (
    "id",
    "customer_id",
    "order_id",
    "product_id",
    "sku_id",
    "sku__code",
    "dimensions",
    "method",
    "value",
    "spec",
    "starts_on",
    "ends_on",
)


def agreed_with(orders: Mapping[int, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The active overrides of the customers of these orders, without those of their other orders."""
    customers = {row["customer_id"] for row in orders.values()}
    return list(
        PriceAdjustment.objects.filter(customer__in=customers, state=PriceAdjustment.State.ACTIVE)
        .filter(Q(order__isnull=True) | Q(order__in=list(orders)))
        .order_by("id")
        .values(*COLUMNS)
    )


def with_adjustments(
    lines: Mapping[int, list[Line]],
    orders: Mapping[int, Mapping[str, Any]],
    skus: Mapping[int, tuple[int, int]],
    agreed: Sequence[Mapping[str, Any]],
) -> dict[int, tuple[Line, ...]]:
    """The lines by order with what is agreed about them. One statement, for coupons.

    A prepayment is left alone: its amount is also what its credit is worth, so it is negotiated on the line;
    so is a line billed by a schedule, whose amounts are what was agreed.

    `skus` gives SKU and product of each line.
    """
    redeemed = _redemptions(line.id for own in lines.values() for line in own)
    if not agreed and not redeemed:
        return {pk: tuple(own) for pk, own in lines.items()}
    parsed = {row["id"]: _of(row) for row in agreed}
    return {
        pk: tuple(
            replace(
                line,
                adjustments=tuple(
                    [
                        parsed[r["id"]]
                        for r in agreed
                        if _holds(r, orders[pk]["customer_id"], pk, skus[line.id])
                    ]
                    + [_coupon(line, row) for row in redeemed.get(line.id, ())]
                ),
            )
            if line.kind is not Kind.PREPAID and not line.scheduled
            else line
            for line in own
        )
        for pk, own in lines.items()
    }


def _redemptions(line_ids: Iterable[int]) -> dict[int, list[Mapping[str, Any]]]:
    found: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    rows = Redemption.objects.filter(line__in=list(line_ids)).order_by("id")
    columns = ("line_id", "redeemed_on", "coupon__code", "coupon__method", "coupon__value", "coupon__periods")
    for row in rows.values(*columns):
        found[row["line_id"]].append(row)
    return found


def _holds(row: Mapping[str, Any], customer: int, order: int, sku: tuple[int, int]) -> bool:
    return (
        row["customer_id"] == customer
        and row["order_id"] in (None, order)
        and row["sku_id"] in (None, sku[0])
        and row["product_id"] in (None, sku[1])
    )


def _of(row: Mapping[str, Any]) -> Adjustment:
    name = f"Override {row['id']}"
    price = None
    if row["spec"]:
        try:
            price = specs.parse(row["spec"], record=name)
        except InvalidInput as error:
            price = Price(Unreadable(error))
    return Adjustment(
        name=name,
        method=Method(row["method"]),
        starts_on=row["starts_on"],
        ends_on=row["ends_on"],
        value=Fraction(row["value"] or 0),
        price=price,
        dimensions=tuple(sorted(row["dimensions"].items())),
        rank=1 if row["order_id"] is None else 2,
    )


def _coupon(line: Line, row: Mapping[str, Any]) -> Adjustment:
    """A coupon holds from the first billing period that begins on the day of redemption or later; a period in
    which the line itself begins is its first.
    """
    starts_on, ends_on = window(line, row["redeemed_on"], row["coupon__periods"])
    return Adjustment(
        name=row["coupon__code"],
        method=Method(row["coupon__method"]),
        starts_on=starts_on,
        ends_on=ends_on,
        value=Fraction(row["coupon__value"]),
    )


def window(line: Line, redeemed_on: dt.date, periods: int | None) -> tuple[dt.date, dt.date | None]:
    """The days on which a coupon holds that was redeemed for so many billing periods (None: for ever)."""
    begins = min((run.starts_on for run in runs(line)), default=redeemed_on)
    if line.kind in ONCE:
        return max(begins, redeemed_on), begins + ONE_DAY if redeemed_on <= begins else redeemed_on
    grid = line_grid(line)
    k = grid.index(max(begins, redeemed_on))
    starts_on = max(begins, grid.start(k))
    if starts_on < redeemed_on:
        k += 1
        starts_on = grid.start(k)
    return starts_on, None if periods is None else grid.start(k + periods)
