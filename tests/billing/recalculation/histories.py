"""Random contracts in the database: every price model, clause and aggregation, with amendments and events."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection
from hypothesis import strategies as st

from billing.domain.types import ChargeLine
from billing.models import Charge, UsageBatch, UsageDimensions, UsageEvent, UsageSource
from billing.recalculation import calculator
from billing.services import rating, rollups
from o2c.access.models import User
from o2c.actor import Actor, acting
from o2c.errors import DomainError
from orders.models import (
    Coupon,
    Customer,
    Meter,
    MilestoneRecord,
    Order,
    OrderLine,
    Price,
    PriceAdjustment,
    Product,
    Redemption,
    Segment,
    Sku,
)

EPOCH = dt.date(2023, 1, 1)
DAYS = 800
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Atlantic/Azores",
)  # fmt: skip
PERIODS = ("week", "month", "quarter", "half_year", "year")
AGGREGATIONS = ("sum", "count", "unique", "max", "latest", "weighted")
FILTERED = tuple(f"{aggregation} of a and b" for aggregation in AGGREGATIONS)
CONVENTIONS = ("actual_days", "fixed_30", "thirty_360", "seconds", "whole_months", "none")
MODELS, REGIONS = ("a", "b", "c"), ("eu", "us")

dates = st.integers(0, DAYS).map(lambda n: EPOCH + dt.timedelta(days=n))
money = st.one_of(
    st.decimals("0", "900", places=2),
    st.decimals("0", "3", places=5),
    st.sampled_from(["0.005", "0.3", "10"]),
).map(str)
quantities = st.one_of(st.integers(0, 40).map(Decimal), st.decimals("0", "60", places=3))


@st.composite
def tiers(draw: st.DrawFn) -> list[dict[str, Any]]:
    bounds = sorted(draw(st.sets(st.integers(1, 60), max_size=3)))
    return [
        {"up_to": str(up) if up else None, "unit_amount": draw(money), "flat_amount": draw(money)}
        for up in (*bounds, None)
    ]


@st.composite
def leaves(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    names = ["flat", "per_unit", "graduated", "volume", "package"]
    model = draw(st.sampled_from([*names, "percentage"] if kind == "usage" else names))
    if model == "flat":
        return {"model": model, "amount": draw(money)}
    if model == "per_unit":
        return {"model": model, "unit_amount": draw(money)}
    if model == "package":
        size = str(draw(st.integers(1, 9)))
        return {
            "model": model,
            "size": size,
            "amount": draw(money),
            "free_units": str(draw(st.integers(0, 9))),
        }
    if model == "percentage":
        more = {"floor": "0.5", "ceiling": "7"} if draw(st.integers(0, 3)) == 0 else {}
        return {"model": model, "percent": draw(money), "fixed_amount": draw(money), **more}
    flags: dict[str, Any] = {}
    if kind == "usage" and draw(st.integers(0, 3)) == 0:
        flags["over_term"] = True
    elif kind == "usage" and model == "graduated" and draw(st.integers(0, 2)) == 0:
        flags["prorated"] = True
    return {"model": model, "tiers": draw(tiers()), **flags}


@st.composite
def matrices(draw: st.DrawFn) -> dict[str, Any]:
    both = [{"model": m, "region": r} for m, r in itertools.product(MODELS, REGIONS)]
    matches = draw(st.lists(st.sampled_from(both), unique_by=str, max_size=3))
    matches += [{"model": m} for m in draw(st.sets(st.sampled_from(MODELS)))]
    matches = matches or [{"model": "a"}]
    cell = leaves("usage").filter(lambda s: "floor" not in s and "over_term" not in s and "prorated" not in s)
    spec: dict[str, Any] = {
        "model": "matrix",
        "dimensions": ["model", "region"],
        "cells": [{"match": match, "price": draw(cell)} for match in matches],
    }
    if draw(st.integers(0, 3)):
        spec["default"] = draw(cell)
    return spec


@st.composite
def specs(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """A price that may stand on a line of this kind, wrapped up to three times."""
    if kind == "prepaid":
        return {"model": "prepaid", "amount": draw(money), "credit": "100"}
    if kind == "one_time":
        return draw(leaves(kind))
    if kind == "usage" and draw(st.integers(0, 4)) == 0:
        return _bounded(draw, draw(matrices()))
    if kind == "usage" and draw(st.integers(0, 7)) == 0:
        followed = f"R-{draw(st.sampled_from(('sum', *AGGREGATIONS)))}"
        return {"model": "of", "sku": followed, "factor": draw(st.sampled_from(["0.5", "3"]))}
    if draw(st.integers(0, 6)) == 0:
        months = sorted(draw(st.sets(st.integers(1, 14), min_size=1, max_size=2)))
        steps = [{"from_month": str(m), "price": draw(leaves(kind))} for m in (0, *months)]
        return {"model": "ramp", "steps": steps}
    spec = draw(leaves(kind))
    if draw(st.integers(0, 3)) == 0:
        spec = {"model": "multiple", "factor": draw(st.sampled_from(["0.5", "1.1", "0.333"])), "price": spec}
    if kind == "usage" and draw(st.integers(0, 3)) == 0:
        spec = {"model": "overage", "included": str(draw(st.integers(0, 30))), "price": spec}
    return _bounded(draw, spec)


def _bounded(draw: st.DrawFn, spec: dict[str, Any]) -> dict[str, Any]:
    if draw(st.integers(0, 4)) == 0:
        spec = {"model": "cap", "amount": draw(money), "price": spec}
    if draw(st.integers(0, 4)) == 0:
        spec = {"model": "minimum", "amount": draw(money), "price": spec}
    return spec


@st.composite
def segments(draw: st.DrawFn, kind: str) -> list[dict[str, Any]]:
    """One to four segments, some of them equal to their neighbour, with a gap now and then."""
    limits = sorted(draw(st.sets(dates, min_size=2, max_size=5)))
    found: list[dict[str, Any]] = []
    for start, end in itertools.pairwise(limits):
        same = bool(found) and draw(st.booleans())
        terms = found[-1] if same else {
            "quantity": draw(quantities),
            "spec": draw(specs(kind)),
            "discount": draw(st.sampled_from([Decimal(0), Decimal(0), Decimal("12.5"), Decimal("3.3333")])),
            "paid_every": draw(st.sampled_from(PERIODS)),
        }  # fmt: skip
        found.append({**terms, "starts_on": start, "ends_on": end})
    if len(found) > 2 and draw(st.booleans()):
        del found[1]
    if draw(st.booleans()):
        found[-1]["ends_on"] = None
    return found


@st.composite
def schedules(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Instalments by date, two on one day now and then, and a milestone that was reached or was not."""
    found: list[dict[str, Any]] = [
        {"on": str(draw(dates)), "amount": str(draw(st.integers(1, 90)))}
        for _ in range(draw(st.integers(1, 4)))
    ]
    if draw(st.booleans()):
        found.append({"on": found[0]["on"], "amount": "7", "name": "Again"})
    return [*found, {"milestone": "Accepted", "amount": str(draw(st.integers(1, 90)))}]


@st.composite
def lines(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["recurring", "recurring", "usage", "usage", "usage", "one_time", "prepaid"]))
    events = []
    if kind == "usage":
        for _ in range(draw(st.integers(0, 12))):
            moment = dt.datetime.combine(draw(dates), dt.time(), dt.UTC)
            minutes = draw(st.integers(0, 24 * 60 - 1))
            events.append(
                {
                    "at": moment + dt.timedelta(minutes=minutes),
                    "quantity": draw(st.one_of(st.integers(1, 40), st.just(-1)).map(Decimal)),
                    "dimensions": {
                        "model": draw(st.sampled_from(MODELS)),
                        "region": draw(st.sampled_from(REGIONS)),
                    },
                    "subject": draw(st.sampled_from("xyz")),
                }
            )
    schedule = draw(schedules()) if kind != "usage" and draw(st.integers(0, 3)) == 0 else []
    return {
        "kind": kind,
        "timing": "arrears" if kind == "usage" else draw(st.sampled_from(["advance", "arrears"])),
        "frequency": "custom" if schedule else draw(st.sampled_from(["", *PERIODS])),
        "schedule": schedule,
        "reached_on": draw(st.lists(st.one_of(st.none(), dates), max_size=2)) if schedule else [],
        "aggregation": draw(st.sampled_from(("sum", "sum", *AGGREGATIONS))),
        "filtered": draw(st.booleans()),
        "segments": draw(segments(kind)),
        "events": events,
        "coupons": draw(st.lists(coupons(), max_size=1)),
    }


@st.composite
def coupons(draw: st.DrawFn) -> dict[str, Any]:
    return {
        **draw(
            st.sampled_from(
                [{"method": "percent_off", "value": "12.5"}, {"method": "amount_off", "value": "7"}]
            )
        ),
        "periods": draw(st.sampled_from([1, 2, None])),
        "redeemed_on": draw(dates),
    }


SIMPLE = ("per_unit", "graduated", "volume", "package", "percentage")


@st.composite
def agreements(draw: st.DrawFn) -> dict[str, Any]:
    """An override of the customer, or of the first order: on everything, a SKU, or single values of usage."""
    starts_on = draw(dates)
    agreed: dict[str, Any] = {
        "method": draw(st.sampled_from(["replace", "multiply", "percent_off", "amount_off"])),
        "starts_on": starts_on,
        "ends_on": draw(st.one_of(st.none(), dates.map(lambda day: max(day, starts_on)))),
        "of_order": draw(st.booleans()),
        "sku": draw(st.sampled_from([None, "recurring", "one_time", "prepaid", "sum", *AGGREGATIONS])),
    }
    if agreed["method"] == "multiply":
        agreed["value"] = draw(st.sampled_from(["0.5", "1.1", "0"]))
    elif agreed["method"] == "percent_off":
        agreed["value"] = draw(st.sampled_from(["10", "33.3333", "100"]))
    elif agreed["method"] == "amount_off":
        agreed["value"] = draw(st.sampled_from(["3", "40.25"]))
    else:
        agreed["sku"] = agreed["sku"] or "sum"
    usage = agreed["sku"] in AGGREGATIONS
    if usage and agreed["method"] != "amount_off" and draw(st.integers(0, 2)) == 0:
        agreed["dimensions"] = draw(st.sampled_from([{"model": "a"}, {"model": "a", "region": "eu"}]))
    if agreed["method"] == "replace":
        kind = "usage" if usage else agreed["sku"]
        single = "dimensions" in agreed
        fitting = leaves(kind if kind != "prepaid" else "one_time").filter(
            lambda spec: "over_term" not in spec and not (single and spec["model"] not in SIMPLE)
        )
        spec = draw(fitting)
        agreed["spec"] = spec if single else _bounded(draw, spec)
    return agreed


@st.composite
def contracts(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "currency": draw(st.sampled_from(["USD", "JPY", "KWD"])),
        "time_zone": draw(st.sampled_from(ZONES)),
        "billing_frequency": draw(st.sampled_from(PERIODS)),
        "anchor": draw(st.sampled_from(["anniversary", "calendar"])),
        "proration": draw(st.sampled_from(CONVENTIONS)),
        "starts_on": draw(dates),
        "anchor_on": draw(st.one_of(st.none(), dates)),
        "counted_day": draw(st.sampled_from(["first", "first", "last"])),
        "remainder": draw(st.sampled_from(["each", "each", "first", "last"])),
        "lines": draw(st.lists(lines(), min_size=1, max_size=3)),
        "agreed": draw(st.lists(agreements(), max_size=2)),
    }


@dataclass(repr=False)
class World:
    """What every random contract stands on: a customer, SKUs of each kind, prices by period, a source."""

    customer: Customer
    skus: dict[str, Sku]
    prices: dict[tuple[str, str], Price]
    source: UsageSource
    batch: UsageBatch


def make_world(customer: Customer) -> World:
    product = Product.objects.create(code="RANDOM", name="Random")
    skus, prices = {}, {}
    for kind in ("recurring", "one_time", "prepaid", *AGGREGATIONS, *FILTERED):
        metered = kind in AGGREGATIONS or kind in FILTERED
        meter = (
            Meter.objects.create(
                code=kind, name=kind, unit="x", aggregation=kind.split()[0], event_type=kind,
                filters={"model": ["a", "b"]} if kind in FILTERED else {},
            )
            if metered
            else None
        )  # fmt: skip
        skus[kind] = Sku.objects.create(
            code=f"R-{kind}", name=kind, product=product, kind="usage" if metered else kind, meter=meter
        )
        for n, (period, currency) in enumerate(itertools.product(PERIODS, ("USD", "JPY", "KWD"))):
            prices[kind, f"{period}{currency}"] = Price.objects.create(
                sku=skus[kind], currency=currency, spec={"model": "flat", "amount": "1"}, period=period,
                effective_from=EPOCH, version=n + 1,
            )  # fmt: skip
        if kind in AGGREGATIONS:
            _list_price(skus[kind], n + 2)
    source = UsageSource.objects.create(code="random")
    batch = UsageBatch.objects.create(
        source=source, channel="api", received=0, accepted=0, duplicate=0, parked=0
    )
    return World(customer, skus, prices, source, batch)


def _list_price(sku: Sku, version: int) -> None:
    """What others may follow, from the middle of the first year on."""
    price = Price.objects.create(
        sku=sku, currency="USD", spec={"model": "per_unit", "unit_amount": "0.70"}, version=version,
        effective_from=EPOCH + dt.timedelta(days=200),
    )  # fmt: skip
    Price.objects.filter(pk=price.pk).update(state="active")


def store(world: World, drawn: Sequence[dict[str, Any]]) -> list[int]:
    """Store contracts as rows; their order ids."""
    orders = []
    for n, contract in enumerate(drawn):
        order = Order.objects.create(
            number=f"R-{n}",
            customer=world.customer,
            entity=world.customer.entity,
            **{name: value for name, value in contract.items() if name not in ("lines", "agreed")},
        )
        orders.append(order.pk)
        for agreed in contract["agreed"]:
            _store_agreed(world, order, agreed)
        for position, line in enumerate(contract["lines"], 1):
            _store_line(world, order, position, line)
    refresh()
    return orders


def refresh() -> None:
    """Bring the hourly totals in step with the events."""
    with connection.cursor() as cursor:
        cursor.execute(rollups.REPAIR)


def _store_line(world: World, order: Order, position: int, drawn: dict[str, Any]) -> None:
    sku = drawn["kind"]
    if sku == "usage":
        sku = drawn["aggregation"] + (" of a and b" if drawn["filtered"] else "")
    line = OrderLine.objects.create(
        order=order,
        position=position,
        sku=world.skus[sku],
        timing=drawn["timing"],
        frequency=drawn["frequency"],
        schedule=drawn["schedule"],
    )
    for n, day in enumerate(drawn["reached_on"], 1):
        MilestoneRecord.objects.create(
            line=line, milestone="Accepted", sequence=n, reached_on=day, reason="test"
        )
    Segment.objects.bulk_create(
        Segment(
            line=line, sequence=n, starts_on=s["starts_on"], ends_on=s["ends_on"], quantity=s["quantity"],
            price=world.prices[sku, s["paid_every"] + order.currency], price_override=s["spec"],
            discount_percent=s["discount"],
        )
        for n, s in enumerate(drawn["segments"], 1)
    )  # fmt: skip
    add_events(world, line.pk, drawn["events"])
    for coupon in drawn["coupons"]:
        row = Coupon.objects.create(
            code=f"C{line.pk}",
            method=coupon["method"],
            value=Decimal(coupon["value"]),
            currency=order.currency if coupon["method"] == "amount_off" else "",
            periods=coupon["periods"],
        )
        Redemption.objects.create(coupon=row, sequence=1, line=line, redeemed_on=coupon["redeemed_on"])


def _store_agreed(world: World, order: Order, drawn: dict[str, Any]) -> None:
    maker, checker = User.objects.order_by("pk")[:2]
    with acting(Actor.of(maker), reason="test"):
        row = PriceAdjustment.objects.create(
            customer=world.customer,
            order=order if drawn["of_order"] else None,
            sku=world.skus[drawn["sku"]] if drawn["sku"] else None,
            dimensions=drawn.get("dimensions", {}),
            method=drawn["method"],
            value=Decimal(drawn["value"]) if "value" in drawn else None,
            spec=drawn.get("spec"),
            starts_on=drawn["starts_on"],
            ends_on=drawn["ends_on"],
            reason="drawn",
            drafted_by=maker,
        )
    with acting(Actor.of(checker), reason="test"):
        PriceAdjustment.objects.filter(pk=row.pk).update(state="active", activated_by=checker)


def add_events(world: World, line_id: int, events: Sequence[dict[str, Any]]) -> None:
    before = UsageEvent.objects.count()
    rows = []
    for n, event in enumerate(events, before):
        key = json.dumps(event["dimensions"], sort_keys=True)
        dimensions, _ = UsageDimensions.objects.get_or_create(
            key=key, defaults={"values": event["dimensions"]}
        )
        rows.append(
            UsageEvent(
                source=world.source, event_id=f"e{n}", line_id=line_id, dimensions=dimensions,
                occurred_at=event["at"], quantity=event["quantity"], subject=event["subject"],
                batch=world.batch,
            )
        )  # fmt: skip
    UsageEvent.objects.bulk_create(rows)


Key = tuple[int, int, str, dt.date]


def engine_due(
    order_ids: Sequence[int], through: dt.date
) -> tuple[dict[Key, Decimal], list[ChargeLine], set[int]]:
    """What a run would draft by key, the lines themselves, and the orders that cannot be charged."""
    found: dict[Key, Decimal] = defaultdict(Decimal)
    lines, refused = [], set()
    for pk, outcome in rating.due(order_ids, through).items():
        if isinstance(outcome, DomainError):
            refused.add(pk)
            continue
        for row in outcome:
            if row.revision == 0 or row.service_from < through:
                found[row.line, row.segment, row.kind, row.period_from] += row.amount
                lines.append(row)
    return dict(found), lines, refused


def sql_due(
    order_ids: Sequence[int], through: dt.date, *, everything: bool
) -> tuple[dict[Key, Decimal], list[str]]:
    """What the second calculator says is due by key, and what it cannot recompute."""
    calculator.prepare(order_ids, through=through, everything=everything)
    with connection.cursor() as cursor:
        cursor.execute("SELECT line_id, segment_id, kind, period_from, due FROM recalc_beside")
        due = {(a, b, c, d): amount for a, b, c, d, amount in cursor.fetchall()}
        cursor.execute("SELECT what FROM recalc_odd")
        return due, [row[0] for row in cursor.fetchall()]


def bill(lines: Sequence[ChargeLine], otherwise: int = 0) -> None:
    """Store what was due as billed, as posting does.

    With `otherwise` n, every n-th first charge was for one day less and 1 more, as under an earlier
    contract.
    """
    rows = []
    for n, line in enumerate(lines):
        row = Charge(
            line_id=line.line,
            segment_id=line.segment,
            due_on=line.due_on,
            revision=line.revision,
            corrects_id=line.corrects,
            quantity=round(Decimal(line.quantity.numerator) / Decimal(line.quantity.denominator), 9),
            amount=line.amount,
            currency=line.currency,
            **{name: getattr(line, name) for name in SPANS},
        )
        long = (line.covers_to - line.covers_from).days > 2
        if otherwise and not line.revision and long and n % otherwise == 0:
            row.amount += 1
            row.covers_to = row.service_to = line.covers_to - dt.timedelta(days=1)
        rows.append(row)
    Charge.objects.bulk_create(rows)


SPANS = ("kind", "period_from", "period_to", "service_from", "service_to", "covers_from", "covers_to")
