"""Customers and their contracts: every kind of line, amendment and term that the product bills."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

from o2c.demo.plan.names import Company, company
from o2c.periods import add_months

# share of customers, entity, country, currency
MARKETS = (
    (52, "US", "US", "USD"),
    (14, "IE", "DE", "EUR"),
    (8, "IE", "FR", "EUR"),
    (8, "IE", "NL", "EUR"),
    (4, "IE", "IE", "EUR"),
    (14, "IE", "GB", "GBP"),
)
SHAPES = ("api", "seats", "enterprise", "routed", "platform", "growth", "services", "annual", "prepaid")
MINIMUM = "2500.00"
"""What half of the contracts by routed model commit to a month, in their currency."""
ONE_TIME = {"ONBOARD", "WORKSHOP"}
SHAPE_WEIGHTS = (24, 20, 12, 10, 10, 9, 5, 5, 5)


@dataclass(frozen=True)
class LinePlan:
    """One order line. `daily` is the mean quantity a day of a usage line, `events` its share of events."""

    sku: str
    quantity: Decimal = Decimal(1)
    timing: str = "advance"
    frequency: str = ""
    discount_percent: Decimal = Decimal(0)
    reason: str = ""
    daily: Decimal = Decimal(0)
    events: int = 0


@dataclass(frozen=True)
class AmendmentPlan:
    """A change of the line at this position (0-based; None: of the whole order)."""

    kind: str
    effective_on: dt.date
    line: int | None = None
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def agreed_on(self) -> dt.date:
        """A renewal is signed before the order ends: after it, what was left of its credit has lapsed."""
        return self.effective_on - dt.timedelta(days=10) if self.kind == "renew" else self.effective_on


@dataclass(frozen=True)
class DealPlan:
    """A customer and the one contract they signed."""

    number: int
    company: Company
    entity: str
    currency: str
    terms_days: int
    consolidate: bool
    signed_on: dt.date
    starts_on: dt.date
    ends_on: dt.date
    frequency: str
    anchor: str
    po_number: str
    channel: str
    lines: tuple[LinePlan, ...]
    commitments: tuple[dict[str, str], ...]
    amendments: tuple[AmendmentPlan, ...]


def usage_line(random: Random, sku: str, mean: str, spread: float = 1.0) -> LinePlan:
    """A usage line: companies differ by orders of magnitude, so the mean is log-normal."""
    size = Decimal(str(round(random.lognormvariate(0, spread), 4)))
    daily = (Decimal(mean) * size).quantize(Decimal(1)) or Decimal(1)
    return LinePlan(sku, timing="arrears", frequency="month", daily=daily, events=1 + int(size * 4))


def _seats(random: Random, sku: str, low: int, high: int, frequency: str = "") -> LinePlan:
    discount = Decimal(random.choice((0, 0, 0, 5, 8, 10, 15)))
    return LinePlan(
        sku,
        Decimal(random.randint(low, high)),
        frequency=frequency,
        discount_percent=discount,
        reason="Volume agreed at signing" if discount else "",
    )


def _tokens(random: Random, mean: int) -> list[LinePlan]:
    return [
        usage_line(random, "API-IN", str(mean)),
        usage_line(random, "API-CACHED", str(mean // 2)),
        usage_line(random, "API-OUT", str(mean // 8)),
    ]


def _lines(random: Random, shape: str) -> list[LinePlan]:
    platform = LinePlan("PLATFORM")
    if shape == "api":
        return _tokens(random, 30_000_000)
    if shape == "seats":
        return [_seats(random, "SEAT-TEAM", 8, 240)]
    if shape == "enterprise":
        return [
            platform,
            _seats(random, "SEAT-ENT", 120, 1400, "quarter"),
            LinePlan("SUPPORT"),
            *_tokens(random, 80_000_000),
            LinePlan("ONBOARD"),
        ]
    if shape == "routed":
        return [usage_line(random, "API-ROUTED", "60000000"), usage_line(random, "EMB", "9000000")]
    if shape == "platform":
        return [platform, usage_line(random, "API-REQ", "9000"), usage_line(random, "IMG", "160")]
    if shape == "growth":
        return [
            _seats(random, "SEAT-TEAM", 20, 90),
            usage_line(random, "API-REQ", "4000"),
            LinePlan("SUPPORT"),
        ]
    if shape == "prepaid":
        # A small one is used up within the walk now and then; what is beyond it is billed as used.
        small = random.random() < 0.6
        return [
            LinePlan("COMMIT-S" if small else "COMMIT-L"),
            *_tokens(random, 30_000_000 if small else 150_000_000),
        ]
    if shape == "services":
        return [LinePlan("ONBOARD"), LinePlan("WORKSHOP", Decimal(random.randint(2, 9)))]
    return [_seats(random, "SEAT-ENT", 60, 400, "year"), LinePlan("SUPPORT", frequency="half_year")]


def _amendments(random: Random, deal: dict[str, Any]) -> Iterator[AmendmentPlan]:
    """About a third of the contracts change within the walk, some of them twice."""
    lines: tuple[LinePlan, ...] = deal["lines"]
    if all(line.sku in ONE_TIME for line in lines):
        return
    seats = [i for i, line in enumerate(lines) if line.sku.startswith("SEAT")]
    day = max(dt.date(2026, 8, 2), deal["starts_on"] + dt.timedelta(days=9)) + dt.timedelta(
        random.randint(0, 55)
    )
    draw = random.random()
    if deal["ends_on"] <= day + dt.timedelta(days=21):  # a pilot: it is renewed, not changed
        draw = 1.0
    if seats and draw < 0.30:
        now = lines[seats[0]].quantity
        up = now + random.randint(3, 30)
        yield AmendmentPlan("quantity", day, seats[0], {"quantity": up})
        if draw < 0.08:
            later = day + dt.timedelta(days=random.randint(8, 20))
            yield AmendmentPlan("quantity", later, seats[0], {"quantity": max(now - 4, Decimal(1))})
    elif seats and draw < 0.36:
        yield AmendmentPlan("price", day, seats[0], {"discount_percent": Decimal(20)})
    elif 0.36 <= draw < 0.41:
        yield AmendmentPlan("cancel", day)
    elif deal["ends_on"] <= dt.date(2026, 10, 15):
        yield AmendmentPlan("renew", deal["ends_on"], None, {"months": 12, "uplift_percent": Decimal(4)})


def _dates(random: Random) -> tuple[dt.date, dt.date, dt.date]:
    """Signed, starts, ends: half begin with the walk, the rest within it; some pilots end within it."""
    starts = dt.date(2026, 8, 1)
    if random.random() < 0.5:
        starts += dt.timedelta(days=random.choice((9, 14, 14, 14, 27, 30, 31, 31, 45, 60, 61, 61, 75)))
    months = random.choice((12, 12, 12, 24, 36, 6, 2))
    return starts - dt.timedelta(days=random.randint(2, 21)), starts, add_months(starts, months)


def deals(seed: int, customers: int) -> Iterator[DealPlan]:
    """`customers` customers, each with one contract, the same for the same seed."""
    random = Random(seed)
    weights = [market[0] for market in MARKETS]
    for number in range(customers):
        _, entity, country, currency = random.choices(MARKETS, weights)[0]
        aws = number == 3
        if aws:
            entity, country, currency = "US", "US", "USD"
        shape = "api" if aws else random.choices(SHAPES, SHAPE_WEIGHTS)[0]
        signed, starts, ends = _dates(random)
        values: dict[str, Any] = {
            "number": number,
            "company": company(random, number, country),
            "entity": entity,
            "currency": currency,
            "terms_days": random.choice((14, 30, 30, 30, 45, 60)),
            "consolidate": random.random() < 0.8,
            "signed_on": signed,
            "starts_on": starts,
            "ends_on": ends,
            "frequency": "month",
            "anchor": "calendar"
            if shape in {"api", "routed"}
            else random.choice(("anniversary", "calendar")),
            "po_number": f"PO-{random.randint(10000, 99999)}" if random.random() < 0.55 else "",
            "channel": "aws" if aws else "direct",
            "lines": tuple(_lines(random, shape)),
            "commitments": ({"amount": MINIMUM, "per": "month"},) if shape == "routed" and number % 2 else (),
        }
        amendments = () if aws else tuple(_amendments(random, values))
        yield DealPlan(**values, amendments=amendments)
