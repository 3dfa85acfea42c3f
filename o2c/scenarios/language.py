"""What a scenario file says: every block and key of the language. docs/scenarios.md explains them.

Days are days of the contract's time zone. A term or a service period is `from` its first day `until` the
first day after it. Amounts are in the currency of the company, signed as the customer owes them: what is
credited is negative.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from o2c.scenarios import reading
from o2c.scenarios.acts import ACTS, Happening, price
from o2c.scenarios.outcome import Expect
from o2c.scenarios.reading import (
    Block,
    Problems,
    Unreadable,
    choice,
    date,
    decimal,
    flag,
    key,
    listing,
    mapping,
    plain,
    record,
    text,
    whole,
)
from orders.domain import clauses
from orders.models import BillingTerms, Meter, Price, Sku


@dataclass(frozen=True, slots=True)
class Company(Block):
    """The company of ours that sells: made for this scenario alone."""

    currency: str = key(text, default="USD")
    country: str = key(text, default="US")
    tax_percent: Decimal = key(decimal, default=Decimal(0))


@dataclass(frozen=True, slots=True)
class CustomerTerms(Block):
    """Who buys."""

    name: str = key(text, default="Customer")
    country: str = key(text, default="")
    payment_terms_days: int = key(whole, default=30)
    consolidate_invoices: bool = key(flag, default=False)


@dataclass(frozen=True, slots=True)
class MeterBlock(Block):
    """How usage events become a quantity."""

    aggregation: str = key(choice(*Meter.Aggregation.values), default="sum")
    dimensions: tuple[str, ...] = key(listing(text), default=())
    filters: Mapping[str, tuple[str, ...]] | None = key(mapping(text, listing(text)), default=None)


@dataclass(frozen=True, slots=True)
class ListPrice(Block):
    """A price of the list, valid from a day on until a later one replaces it."""

    price: Any = key(price)
    start: dt.date | None = key(date, name="from", default=None)
    per: str = key(choice(*Price.Interval.values), default="month")


@dataclass(frozen=True, slots=True)
class SkuBlock(Block):
    """What is sold, and for how much."""

    sku: str = key(text)
    kind: str = key(choice(*Sku.Kind.values), default="recurring")
    name: str = key(text, default="")
    unit: str = key(text, default="unit")
    meter: MeterBlock = key(record(MeterBlock), default=MeterBlock())
    revenue: str = key(choice(*Sku.Treatment.values), default="")
    price: Any = key(price, default=None)
    per: str = key(choice(*Price.Interval.values), default="month")
    prices: tuple[ListPrice, ...] = key(listing(record(ListPrice)), default=())


@dataclass(frozen=True, slots=True)
class Step(Block):
    """A stretch of a line with its own quantity or price."""

    start: dt.date = key(date, name="from")
    until: dt.date | None = key(date, default=None)
    quantity: Decimal = key(decimal, default=Decimal(1))
    price: Any = key(price, default=None)
    discount_percent: Decimal = key(decimal, default=Decimal(0))


@dataclass(frozen=True, slots=True)
class LineBlock(Block):
    """A line of a deal."""

    sku: str = key(text)
    name: str = key(text, default="")
    quantity: Decimal = key(decimal, default=Decimal(1))
    price: Any = key(price, default=None)
    discount_percent: Decimal = key(decimal, default=Decimal(0))
    start: dt.date | None = key(date, name="from", default=None)
    until: dt.date | None = key(date, default=None)
    timing: str = key(choice(*BillingTerms.Timing.values), default="")
    frequency: str = key(choice(*BillingTerms.Frequency.values), default="")
    steps: tuple[Step, ...] = key(listing(record(Step)), default=())
    schedule: tuple[Mapping[str, Any], ...] = key(listing(plain), default=())
    usage_per_month: Decimal | None = key(decimal, default=None)

    @property
    def label(self) -> str:
        return self.name or self.sku


@dataclass(frozen=True, slots=True)
class Commitment(Block):
    """At least so much a period; what is missing is billed at its end."""

    amount: Decimal = key(decimal)
    per: str = key(choice(*clauses.PER), default="month")
    skus: tuple[str, ...] = key(listing(text), default=())
    overage_factor: Decimal = key(decimal, default=Decimal(1))


@dataclass(frozen=True, slots=True)
class Deal(Block):
    """What the customer signed: lines, term, billing clauses."""

    start: dt.date = key(date, name="from")
    lines: tuple[LineBlock, ...] = key(listing(record(LineBlock)))
    name: str = key(text, default="deal")
    until: dt.date | None = key(date, default=None)
    months: int | None = key(whole, default=None)
    frequency: str = key(choice(*BillingTerms.Frequency.values), default="month")
    anchor: str = key(choice(*BillingTerms.Anchor.values), default="anniversary")
    proration: str = key(choice(*BillingTerms.Proration.values), default="actual_days")
    anchor_on: dt.date | None = key(date, default=None)
    counted_day: str = key(choice(*BillingTerms.CountedDay.values), default="first")
    remainder: str = key(choice(*BillingTerms.Remainder.values), default="each")
    time_zone: str = key(text, default="UTC")
    payment_terms_days: int | None = key(whole, default=None)
    po_number: str = key(text, default="")
    late_usage: str = key(choice(*BillingTerms.LateUsage.values), default="bill_next")
    late_waive_below: Decimal | None = key(decimal, default=None)
    commitments: tuple[Commitment, ...] = key(listing(record(Commitment)), default=())
    thresholds: tuple[Decimal, ...] = key(listing(decimal), default=())
    consolidation_key: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class Scenario(Block):
    """A whole file."""

    scenario: str = key(text)
    source: str = key(text, default="")
    convention: str = key(text, default="")
    difference: str = key(text, default="")
    company: Company = key(record(Company), default=Company())
    customer: CustomerTerms = key(record(CustomerTerms, "name"), default=CustomerTerms())
    catalogue: tuple[SkuBlock, ...] = key(listing(record(SkuBlock)), default=())
    deal: Deal | None = key(record(Deal), default=None)
    deals: tuple[Deal, ...] = key(listing(record(Deal)), default=())
    happenings: tuple[Happening, ...] = key(listing(record(Happening)), default=())
    expect: Expect = key(record(Expect), default=Expect())

    @property
    def contracts(self) -> tuple[Deal, ...]:
        return (self.deal, *self.deals) if self.deal else self.deals


def read(path: Path) -> Scenario:
    """The scenario in a file. Raises Unreadable, each problem as "path:line: what is wrong"."""
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable([f"{path}: can't be read: {error}"], [(1, str(error))]) from error
    return parse(source, str(path))


def parse(source: str, name: str = "scenario") -> Scenario:
    """The scenario in a text. `name` stands in front of every problem."""
    found = reading.load(source, Scenario, name)
    problems = Problems(name)
    _check(found, problems)
    problems.raise_if_any()
    return found


def _check(scenario: Scenario, problems: Problems) -> None:
    """What the keys can't say one by one: dates in their order, names that exist, one act a happening."""
    if not scenario.contracts:
        problems.add(scenario.at_line, "'deal' is missing: what did the customer sign?")
    names = [deal.name for deal in scenario.contracts]
    for index, deal in enumerate(scenario.contracts):
        if deal.name in names[:index]:
            problems.add(deal.at_line, f"two deals are called {deal.name!r}; give each a name")
        _check_deal(deal, problems)
    last: dt.date | None = None
    for happening in scenario.happenings:
        acts = [name for name in ACTS if getattr(happening, name) is not None]
        if len(acts) != 1:
            said = f"and has {', '.join(acts)}" if acts else f"one of {', '.join(ACTS)}"
            problems.add(happening.at_line, f"a happening is exactly one act, {said}")
        if last is not None and happening.on < last:
            problems.add(
                happening.at_line, f"{happening.on} is before {last}: happenings go in the order of days"
            )
        last = happening.on
    for sku in scenario.catalogue:
        if sku.price is not None and sku.prices:
            problems.add(sku.at_line, "give either 'price' or 'prices'")
        if sku.price is None and not sku.prices:
            problems.add(sku.at_line, f"{sku.sku} has no price")


def _check_deal(deal: Deal, problems: Problems) -> None:
    if deal.until is not None and deal.months is not None:
        problems.add(deal.at_line, "give either 'until' or 'months'")
    if deal.until is not None and deal.until <= deal.start:
        problems.add(deal.at_line, f"the term ends on {deal.until}, before it begins on {deal.start}")
    if not deal.lines:
        problems.add(deal.at_line, "the deal has no lines")
    labels = [line.label for line in deal.lines]
    for index, line in enumerate(deal.lines):
        if line.label in labels[:index]:
            problems.add(line.at_line, f"two lines are called {line.label!r}; give each a name")
        if line.start and line.until and line.until <= line.start:
            problems.add(line.at_line, f"the line ends on {line.until}, before it begins on {line.start}")
