"""A contract that has lived for ten years: four lines that changed every week, billed for 120 months."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Any

from tests.billing.recalculation import histories

START, END = dt.date(2016, 1, 1), dt.date(2026, 1, 1)
LINES = 4


def contract(changes: int) -> dict[str, Any]:
    """Four recurring lines of `changes` segments each, a different quantity in each."""
    days = (END - START).days
    limits = [START + dt.timedelta(days=n * days // changes) for n in range(changes + 1)]
    segments = [
        {
            "starts_on": start,
            "ends_on": end,
            "quantity": 1 + n % 40,
            "spec": {"model": "per_unit", "unit_amount": "30.00"},
            "discount": 0,
            "paid_every": "month",
        }
        for n, (start, end) in enumerate(pairwise(limits))
    ]
    line = {
        "kind": "recurring",
        "timing": "advance",
        "frequency": "",
        "schedule": [],
        "reached_on": [],
        "aggregation": "sum",
        "filtered": False,
        "segments": segments,
        "events": [],
        "coupons": [],
    }
    return {
        "currency": "USD",
        "time_zone": "UTC",
        "billing_frequency": "month",
        "anchor": "calendar",
        "proration": "actual_days",
        "starts_on": START,
        "anchor_on": None,
        "counted_day": "first",
        "remainder": "each",
        "agreed": [],
        "lines": [line] * LINES,
    }


def billed(world: histories.World, changes: int) -> tuple[int, int]:
    """Store such a contract and everything that it was billed for; its order and the number of charges."""
    (order,) = histories.store(world, [contract(changes)])
    _, lines, refused = histories.engine_due([order], END)
    assert not refused
    histories.bill(lines)
    return order, len(lines)
