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

import yaml

from o2c.scenarios import reading
from o2c.scenarios.outcome import Expect
from o2c.scenarios.reading import (
    Block,
    Problems,
    Unreadable,
    choice,
    date,
    decimal,
    flag,
    instant,
    key,
    line_of,
    listing,
    mapping,
    month,
    plain,
    record,
    text,
    whole,
)
from orders.domain import clauses, price_spec
from orders.models import BillingTerms, Meter, Price, Sku


def price(node: yaml.Node, problems: Problems) -> Any:
    """A price as the catalogue holds it; a bare amount is the price of one unit."""
    if isinstance(node, yaml.ScalarNode) and not reading.is_nothing(node):
        return {"model": "per_unit", "unit_amount": f"{decimal(node, problems):f}"}
    spec = plain(node, problems)
    for problem in price_spec.problems(spec):
        problems.add(line_of(node), f"the price is not valid: {problem}")
    return spec


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
class Bill(Block):
    """A bill run: everything due on or before the day, posted."""

    through: dt.date | None = key(date, default=None)
    thresholds: bool = key(flag, default=False)


@dataclass(frozen=True, slots=True)
class Use(Block):
    """Metered usage."""

    sku: str = key(text)
    quantity: Decimal = key(decimal)
    at: dt.datetime | None = key(instant, default=None)
    id: str = key(text, default="")
    dimensions: Mapping[str, str] | None = key(mapping(text, text), default=None)
    subject: str = key(text, default="")
    line: str = key(text, default="")
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class Retract(Block):
    """Usage that did not happen is taken back."""

    id: str = key(text)


@dataclass(frozen=True, slots=True)
class GrantCredit(Block):
    """Promotional credit for usage."""

    amount: Decimal = key(decimal)
    start: dt.date | None = key(date, name="from", default=None)
    until: dt.date | None = key(date, default=None)
    priority: int = key(whole, default=100)
    skus: tuple[str, ...] = key(listing(text), default=())


@dataclass(frozen=True, slots=True)
class ChangeQuantity(Block):
    """More or less of a line from a day on."""

    line: str = key(text)
    to: Decimal | None = key(decimal, default=None)
    by: Decimal | None = key(decimal, default=None)
    start: dt.date | None = key(date, name="from", default=None)
    until: dt.date | None = key(date, default=None)
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class ChangePrice(Block):
    """Another price for a line from a day on."""

    line: str = key(text)
    price: Any = key(price, default=None)
    list_price: bool = key(flag, default=False)
    discount_percent: Decimal | None = key(decimal, default=None)
    start: dt.date | None = key(date, name="from", default=None)
    until: dt.date | None = key(date, default=None)
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class ChangePlan(Block):
    """A line becomes one of another SKU."""

    line: str = key(text)
    sku: str = key(text)
    quantity: Decimal | None = key(decimal, default=None)
    price: Any = key(price, default=None)
    discount_percent: Decimal = key(decimal, default=Decimal(0))
    start: dt.date | None = key(date, name="from", default=None)
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class PauseBlock(Block):
    """Neither served nor charged for a while."""

    start: dt.date | None = key(date, name="from", default=None)
    until: dt.date | None = key(date, default=None)
    lines: tuple[str, ...] = key(listing(text), default=())
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class Resume(Block):
    """What was paused is served again."""

    start: dt.date | None = key(date, name="from", default=None)
    lines: tuple[str, ...] = key(listing(text), default=())
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class TransferBlock(Block):
    """Another customer takes the contract over."""

    to: str = key(text)
    start: dt.date | None = key(date, name="from", default=None)
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class UndoBlock(Block):
    """An amendment is undone, by its number within the deal."""

    amendment: int = key(whole)
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class AddLine(Block):
    """A further line from a day on."""

    sku: str = key(text)
    name: str = key(text, default="")
    quantity: Decimal = key(decimal, default=Decimal(1))
    price: Any = key(price, default=None)
    discount_percent: Decimal = key(decimal, default=Decimal(0))
    timing: str = key(choice(*BillingTerms.Timing.values), default="advance")
    frequency: str = key(choice(*BillingTerms.Frequency.values), default="")
    start: dt.date | None = key(date, name="from", default=None)
    until: dt.date | None = key(date, default=None)
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class Cancel(Block):
    """The deal, or some of its lines, end."""

    start: dt.date | None = key(date, name="from", default=None)
    mode: str = key(choice("now", "period_end", "backdated"), default="now")
    lines: tuple[str, ...] = key(listing(text), default=())
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class Renew(Block):
    """The deal goes on after its end."""

    months: int = key(whole)
    uplift_percent: Decimal = key(decimal, default=Decimal(0))
    reprice: str = key(choice("keep", "list"), default="keep")
    deal: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class NewPrice(Block):
    """A new list price; contracts keep theirs until an amendment moves them."""

    sku: str = key(text)
    price: Any = key(price)
    start: dt.date | None = key(date, name="from", default=None)
    per: str = key(choice(*Price.Interval.values), default="month")


@dataclass(frozen=True, slots=True)
class Pay(Block):
    """Money comes in."""

    amount: Decimal = key(decimal)
    invoice: int | None = key(whole, default=None)
    reference: str = key(text, default="")


@dataclass(frozen=True, slots=True)
class CreditLine(Block):
    """What of an invoice's line is credited."""

    line: int = key(whole)
    net: Decimal = key(decimal)


@dataclass(frozen=True, slots=True)
class Credit(Block):
    """A credit memo written by a person."""

    invoice: int = key(whole)
    because: str = key(text, default="goodwill")
    lines: tuple[CreditLine, ...] = key(listing(record(CreditLine)), default=())


@dataclass(frozen=True, slots=True)
class UseCredit(Block):
    """A credit memo is set against an invoice."""

    credit: int = key(whole)
    invoice: int = key(whole)
    amount: Decimal = key(decimal)


@dataclass(frozen=True, slots=True)
class Void(Block):
    """An invoice is voided: its charges are due again."""

    invoice: int = key(whole)


@dataclass(frozen=True, slots=True)
class Months(Block):
    """The month that an act of the accountants is for."""

    month: str = key(month)


@dataclass(frozen=True, slots=True)
class Happening(Block):
    """One day on which something happens: exactly one of the acts, or a check."""

    on: dt.date = key(date)
    bill: Bill | None = key(record(Bill), default=None)
    use: tuple[Use, ...] | None = key(listing(record(Use)), default=None)
    retract: Retract | None = key(record(Retract, "id"), default=None)
    grant: GrantCredit | None = key(record(GrantCredit, "amount"), default=None)
    change_quantity: ChangeQuantity | None = key(record(ChangeQuantity), default=None)
    change_price: ChangePrice | None = key(record(ChangePrice), default=None)
    change_plan: ChangePlan | None = key(record(ChangePlan), default=None)
    pause: PauseBlock | None = key(record(PauseBlock), default=None)
    resume: Resume | None = key(record(Resume), default=None)
    transfer: TransferBlock | None = key(record(TransferBlock, "to"), default=None)
    undo: UndoBlock | None = key(record(UndoBlock, "amendment"), default=None)
    add_line: AddLine | None = key(record(AddLine), default=None)
    cancel: Cancel | None = key(record(Cancel), default=None)
    renew: Renew | None = key(record(Renew), default=None)
    list_price: NewPrice | None = key(record(NewPrice), default=None)
    pay: Pay | None = key(record(Pay, "amount"), default=None)
    credit: Credit | None = key(record(Credit), default=None)
    use_credit: UseCredit | None = key(record(UseCredit), default=None)
    void: Void | None = key(record(Void, "invoice"), default=None)
    recognise: Months | None = key(record(Months, "month"), default=None)
    close: Months | None = key(record(Months, "month"), default=None)
    check: Expect | None = key(record(Expect), default=None)
    refused: str = key(text, default="")
    reason: str = key(text, default="")

    @property
    def act(self) -> str:
        """The key of what happens."""
        return next(name for name in ACTS if getattr(self, name) is not None)


ACTS = tuple(one.name for one in reading.keys_of(Happening) if one.name not in ("on", "refused", "reason"))


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
