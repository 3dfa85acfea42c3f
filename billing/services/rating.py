"""From the database to the charge engine and back: timelines, usage, what was billed, what is due.

Set-based: the number of statements is the same for one order and for a thousand. Nothing here writes.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from billing.domain import settlement, specs
from billing.domain.prices import Price, Unreadable
from billing.domain.types import (
    Aggregation,
    Anchor,
    Billed,
    ChargeLine,
    CountedDay,
    Frequency,
    Instalment,
    Kind,
    Line,
    Proration,
    Remainder,
    Segment,
    Timeline,
    Timing,
    Usage,
)
from billing.models import Charge
from billing.selectors import commitments, metered, unbilled
from billing.selectors.adjustments import agreed_with, with_adjustments
from billing.selectors.following import looked_up
from o2c.errors import DomainError, InvalidInput
from orders.domain import schedules
from orders.models import Order, OrderLine
from orders.models import Segment as SegmentRow
from orders.selectors.milestones import reached_on


def load_timelines(order_ids: Iterable[int], through: dt.date) -> dict[int, Timeline]:
    """The timelines of these orders, by order id. Five statements, one more where milestones are sold, one
    where a price follows another.

    Lines whose first segment begins on or after `through` are left out; `date.max` loads everything.
    A price that cannot be read fails when it is applied, so that only its own order fails.
    """
    ids = sorted(set(order_ids))
    orders = {row["id"]: row for row in Order.objects.filter(pk__in=ids).values(*ORDER_COLUMNS)}
    segments = _segments(ids, through)
    lines: dict[int, list[Line]] = defaultdict(list)
    skus: dict[int, tuple[int, int]] = {}
    rows = OrderLine.objects.filter(order_id__in=ids).order_by("order_id", "position").values(*LINE_COLUMNS)
    reached = reached_on([row["id"] for row in rows if schedules.has_milestones(row["schedule"])])
    for row in rows:
        if own := segments.get(row["id"]):
            instalments = _instalments(row, reached.get(row["id"], {}))
            lines[row["order_id"]].append(_line(row, orders[row["order_id"]], own, instalments))
            skus[row["id"]] = (row["sku_id"], row["sku__product_id"])
    agreed = agreed_with(orders)
    adjusted = with_adjustments(looked_up(lines, orders, agreed), orders, skus, agreed)
    return {
        pk: Timeline(
            pk,
            order["currency"],
            adjusted.get(pk, ()),
            order["time_zone"],
            commitments.of_order(order, adjusted.get(pk, ())),
        )
        for pk, order in orders.items()
    }


ORDER_COLUMNS = (
    "id",
    "currency",
    "customer_id",
    "time_zone",
    "starts_on",
    "ends_on",
    "billing_frequency",
    "anchor",
    "anchor_on",
    "proration",
    "counted_day",
    "remainder",
    "commitments",
)
LINE_COLUMNS = (
    "id",
    "order_id",
    "timing",
    "frequency",
    "schedule",
    "position",
    "sku_id",
    "sku__product_id",
    "sku__code",
    "sku__kind",
    "sku__meter__aggregation",
    "sku__meter__filters",
)
SEGMENT_COLUMNS = (
    "id",
    "line_id",
    "line__sku__kind",
    "starts_on",
    "ends_on",
    "quantity",
    "price_id",
    "price_override",
    "discount_percent",
    "price__spec",
    "price__period",
    "price__version",
    "price__currency",
    "price__sku__code",
)


def _segments(order_ids: Sequence[int], through: dt.date) -> dict[int, tuple[Segment, ...]]:
    parsed: dict[str, Price] = {}
    found: dict[int, list[Segment]] = defaultdict(list)
    rows = SegmentRow.objects.filter(line__order_id__in=order_ids, paused=False).order_by(
        "line_id", "starts_on", "sequence"
    )
    for row in rows.values(*SEGMENT_COLUMNS).iterator(chunk_size=5000):
        found[row["line_id"]].append(_segment(row, parsed))
    return {line: tuple(own) for line, own in found.items() if own[0].starts_on < through}


def _segment(row: Mapping[str, Any], parsed: dict[str, Price]) -> Segment:
    override = row["price_override"]
    key = json.dumps(override, sort_keys=True) if override else f"#{row['price_id']}"
    ref = f"{row['price__sku__code']} {row['price__currency']} v{row['price__version']}"
    price = parsed.get(key)
    if price is None:
        record = f"segment {row['id']}, price {ref}{' as overridden' if override else ''}"
        try:
            price = specs.parse(override or row["price__spec"], record=record)
        except InvalidInput as error:
            price = Price(Unreadable(error))
        parsed[key] = price
    recurring = row["line__sku__kind"] == Kind.RECURRING
    return Segment(
        id=row["id"],
        starts_on=row["starts_on"],
        ends_on=row["ends_on"],
        quantity=row["quantity"],
        price=price,
        price_ref=f"{ref}, overridden" if override else ref,
        price_id=row["price_id"],
        period=Frequency(row["price__period"]) if recurring else None,
        discount_percent=row["discount_percent"],
    )


def _line(
    row: Mapping[str, Any],
    order: Mapping[str, Any],
    segments: tuple[Segment, ...],
    instalments: tuple[Instalment, ...],
) -> Line:
    return Line(
        id=row["id"],
        kind=Kind(row["sku__kind"]),
        timing=Timing(row["timing"]),
        frequency=Frequency(row["frequency"] or order["billing_frequency"]),
        segments=segments,
        anchor=Anchor(order["anchor"]),
        anchor_on=order["anchor_on"]
        or (order["starts_on"] if order["anchor"] == Anchor.ANNIVERSARY else None),
        proration=Proration(order["proration"]),
        counted_day=CountedDay(order["counted_day"]),
        remainder=Remainder(order["remainder"]),
        instalments=instalments,
        aggregation=Aggregation(row["sku__meter__aggregation"] or Aggregation.SUM),
        filters=tuple(
            (name, frozenset(values)) for name, values in sorted((row["sku__meter__filters"] or {}).items())
        ),
        label=row["sku__code"],
    )


def _instalments(row: Mapping[str, Any], reached: Mapping[str, dt.date]) -> tuple[Instalment, ...]:
    """What the schedule of a line bills, with the milestones that were reached so far."""
    if not row["schedule"]:
        return ()
    dated = ((one, one.on or reached.get(one.name)) for one in schedules.read(row["schedule"]))
    return tuple(Instalment(one.name, one.amount, on) for one, on in dated if on is not None)


def load_usage(
    order_ids: Iterable[int], until: dt.date, timelines: Mapping[int, Timeline] | None = None
) -> Usage:
    """Usage of the orders' usage lines before `until`, by line id; added up as far as rating allows.

    Inside a point everything is of one billing period, one price and one calendar month, so that the points
    also tell the months apart. Two statements, five more when the timelines are not given.
    """
    if timelines is None:
        timelines = load_timelines(order_ids, until)
    return metered.points(timelines.values(), until)


def load_billed(order_ids: Iterable[int]) -> dict[int, list[Billed]]:
    """What was billed for these orders, by order id. One statement."""
    found: dict[int, list[Billed]] = defaultdict(list)
    rows = Charge.objects.filter(line__order_id__in=sorted(set(order_ids))).exclude(kind__in=Charge.COVERS)
    rows = rows.order_by("line_id", "revision")
    columns = ("line__order_id", *BILLED_COLUMNS)
    for order_id, *values in rows.values_list(*columns).iterator(chunk_size=5000):
        found[order_id].append(Billed(*values))
    return found


BILLED_COLUMNS = (
    "id",
    "line_id",
    "segment_id",
    "kind",
    "period_from",
    "period_to",
    "covers_from",
    "covers_to",
    "quantity",
    "amount",
    "currency",
    "revision",
    "due_on",
)


def due(order_ids: Iterable[int], through: dt.date) -> dict[int, list[ChargeLine] | DomainError]:
    """Expected minus billed for each order through `through` (exclusive), by order id.

    Seven statements, eight when some usage is not a plain sum.

    An order that cannot be calculated answers with its error; the others are not affected.
    """
    ids = sorted(set(order_ids))
    billed = load_billed(ids)
    ahead = [row.due_on for rows in billed.values() for row in rows if row.due_on is not None]
    horizon = max([through, *(day + settlement.ONE_DAY for day in ahead)])
    timelines = load_timelines(ids, dt.date.max)
    usage = load_usage(ids, horizon, timelines)
    found: dict[int, list[ChargeLine] | DomainError] = {}
    for pk, timeline in timelines.items():
        try:
            found[pk] = settlement.due(timeline, usage, billed.get(pk, []), through)
        except DomainError as error:
            found[pk] = error
    return found


def early(order_ids: Iterable[int], as_of: dt.date) -> dict[int, list[ChargeLine] | DomainError]:
    """The early invoices of those orders whose unbilled usage before `as_of` reaches a threshold of theirs.

    Eight statements, nine when some usage is not a plain sum; one when no order has a threshold.
    """
    clauses = Order.objects.filter(pk__in=sorted(set(order_ids))).exclude(invoice_thresholds=[])
    thresholds = {
        pk: [Decimal(amount) for amount in amounts]
        for pk, amounts in clauses.values_list("pk", "invoice_thresholds")
    }
    if not thresholds:
        return {}
    billed = load_billed(thresholds)
    timelines = load_timelines(thresholds, dt.date.max)
    usage = load_usage(thresholds, as_of, timelines)
    found: dict[int, list[ChargeLine] | DomainError] = {}
    for pk, timeline in timelines.items():
        try:
            lines = settlement.early(timeline, usage, billed.get(pk, []), as_of, thresholds[pk])
        except DomainError as error:
            found[pk] = error
            continue
        if lines:
            found[pk] = lines
    return found


def usage_findings(entity_id: int | None, through: dt.date) -> list[tuple[str, str, dict[str, Any]]]:
    """What a bill run should know about usage that it does not bill: (code, message, where).

    Events that wait in the exceptions queue, and usage on days that no segment of its line covers.
    """
    found: list[tuple[str, str, dict[str, Any]]] = []
    for customer_number, kind, count in unbilled.parked(through):
        who = f" of {customer_number}" if customer_number else ""
        found.append(("unmatched_usage", f"{count} events{who} wait: {kind}", {}))
    for row in unbilled.uncovered(entity_id, through):
        message = f"{row.order} line {row.position}: {row.quantity:f} {row.unit} outside of its segments"
        found.append(("uncovered_usage", message, {"customer_id": row.customer_id}))
    return found
