"""From what somebody asks for on a line to SKU, price version and dated segments, for many contracts at once.

Used by quotes and orders alike: three queries in all, however many contracts and lines there are.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from o2c.periods import Period, add_months
from orders.domain import clauses as clause_rules
from orders.domain import price_spec, schedules
from orders.domain.schedules import CUSTOM
from orders.models import BillingTerms, Customer, Order, OrderLine, Price, Segment, Sku
from orders.services.common import BATCH, Problems, time_zones
from orders.services.inputs import LineInput, SegmentInput, TermsInput

MOST_LINES = 1000
TERMS_DAYS = range(366)
CLAUSE_CHECKS = {
    "commitments": clause_rules.commitment_problems,
    "invoice_thresholds": clause_rules.threshold_problems,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A contract as asked for: its place in the input, its customer, its term and its lines."""

    path: str
    customer: Customer
    starts_on: dt.date
    ends_on: dt.date | None
    lines: tuple[LineInput, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A segment with its price version."""

    starts_on: dt.date
    ends_on: dt.date | None
    quantity: Decimal
    price: Price
    price_override: Mapping[str, Any] | None
    discount_percent: Decimal


@dataclass(frozen=True, slots=True)
class Resolved:
    """A line with its SKU, its timing decided, and its steps."""

    asked: LineInput
    sku: Sku
    timing: str
    steps: tuple[Step, ...]


class Catalogue:
    """The SKUs and prices that a batch of contracts refers to, read once."""

    def __init__(self, contracts: Sequence[Asked]) -> None:
        lines = [line for contract in contracts for line in contract.lines]
        codes = {line.sku for line in lines}
        currencies = {contract.customer.currency for contract in contracts}
        named = {line.price for line in lines} | {step.price for line in lines for step in line.segments}
        self.skus = {sku.code: sku for sku in Sku.objects.filter(code__in=codes)}
        sku_ids = [sku.pk for sku in self.skus.values()]
        self.prices: dict[int, Price] = {}
        self.listed: dict[tuple[int, str], list[Price]] = defaultdict(list)
        valid = Price.objects.filter(state="active", sku__in=sku_ids, currency__in=currencies)
        for price in valid.order_by("effective_from"):
            self.prices[price.pk] = price
            self.listed[price.sku_id, price.currency].append(price)
        missing = {pk for pk in named if pk is not None} - set(self.prices)
        self.prices.update(Price.objects.in_bulk(missing) if missing else {})

    def list_price(self, sku: Sku, currency: str, day: dt.date) -> Price | None:
        """The active list price on a day."""
        for price in self.listed[sku.pk, currency]:
            if Period(price.effective_from, price.effective_to).contains(day):
                return price
        return None


def resolve(contracts: Sequence[Asked], found: Problems) -> list[list[Resolved]]:
    """The lines of every contract; what is wrong goes to `found`, and such a line is left out."""
    catalogue = Catalogue(contracts)
    return [_resolve_contract(contract, catalogue, found) for contract in contracts]


def term_end(
    starts_on: dt.date, ends_on: dt.date | None, months: int | None, path: str, found: Problems
) -> dt.date | None:
    """The exclusive end of a term that is given by date or by months."""
    if months is not None:
        if ends_on is not None:
            found.add(f"{path}term_months", "give an end or a number of months, not both")
        if not 1 <= months <= 240:
            found.add(f"{path}term_months", "is not between 1 and 240 months")
            return None
        return add_months(starts_on, months)
    if ends_on is not None and ends_on <= starts_on:
        found.add(f"{path}ends_on", f"{ends_on} is not after the start, {starts_on}")
    return ends_on


def clauses(terms: TermsInput, customer: Customer, path: str, found: Problems) -> dict[str, Any]:
    """Columns of BillingTerms: what was said, else the customer's, else the column's default."""
    said = {name: getattr(terms, name) for name in TermsInput.__slots__ if getattr(terms, name) is not None}
    for name, choices in (
        ("billing_frequency", BillingTerms.Frequency),
        ("anchor", BillingTerms.Anchor),
        ("proration", BillingTerms.Proration),
        ("counted_day", BillingTerms.CountedDay),
        ("remainder", BillingTerms.Remainder),
        ("channel", BillingTerms.Channel),
        ("late_usage_policy", BillingTerms.LateUsage),
    ):
        if name in said and said[name] not in choices.values:
            found.add(f"{path}{name}", f"{said[name]!r} is not one of {', '.join(choices.values)}")
    for name, check in CLAUSE_CHECKS.items():
        for message in check(said.get(name, ())):
            found.add(f"{path}{name}", message)
    said.setdefault("time_zone", customer.time_zone)
    said.setdefault("payment_terms_days", customer.payment_terms_days)
    if said["time_zone"] not in time_zones():
        found.add(f"{path}time_zone", f"{said['time_zone']!r} is not a time zone such as Europe/Dublin")
    if said["payment_terms_days"] not in TERMS_DAYS:
        found.add(f"{path}payment_terms_days", f"is not between 0 and {TERMS_DAYS[-1]} days")
    if said.get("auto_renew") and not said.get("renewal_term_months"):
        found.add(f"{path}renewal_term_months", "is missing: the order renews itself, for how long?")
    return {**said, "entity_id": customer.entity_id}


def _resolve_contract(contract: Asked, catalogue: Catalogue, found: Problems) -> list[Resolved]:
    if len(contract.lines) > MOST_LINES:
        found.add(
            f"{contract.path}lines", f"has {len(contract.lines)} lines; at most {MOST_LINES} are allowed"
        )
        return []
    resolved = []
    for index, line in enumerate(contract.lines):
        path = f"{contract.path}lines[{index}]."
        sku = catalogue.skus.get(line.sku)
        if sku is None:
            found.add(f"{path}sku", f"there is no SKU {line.sku!r}")
            continue
        if not sku.active:
            found.add(f"{path}sku", f"{sku.code} is no longer sold")
        _check_choices(line, path, found)
        steps = [
            step
            for place, asked in _asked_steps(line, contract, path)
            if (step := _step(asked, sku, contract, catalogue, place, found)) is not None
        ]
        _check_dates(steps, contract, path, found)
        _check_schedule(line, sku, contract, path, found)
        timing = line.timing or ("arrears" if sku.kind == "usage" else "advance")
        resolved.append(Resolved(line, sku, timing, tuple(steps)))
    return resolved


def _asked_steps(line: LineInput, contract: Asked, path: str) -> Iterable[tuple[str, SegmentInput]]:
    if line.segments:
        return [(f"{path}segments[{i}].", step) for i, step in enumerate(line.segments)]
    only = SegmentInput(
        starts_on=line.starts_on or contract.starts_on,
        ends_on=line.ends_on or contract.ends_on,
        quantity=line.quantity,
        price=line.price,
        price_override=line.price_override,
        discount_percent=line.discount_percent,
    )
    return [(path, only)]


def _check_choices(line: LineInput, path: str, found: Problems) -> None:
    if line.timing is not None and line.timing not in BillingTerms.Timing.values:
        found.add(f"{path}timing", f"{line.timing!r} is not one of {', '.join(BillingTerms.Timing.values)}")
    by_schedule = line.frequency == CUSTOM and line.schedule
    if line.frequency and line.frequency not in BillingTerms.Frequency.values and not by_schedule:
        found.add(
            f"{path}frequency", f"{line.frequency!r} is not one of {', '.join(BillingTerms.Frequency.values)}"
        )
    for name, limit in (("description", 300), ("usage_key", 100), ("override_reason", 300)):
        if len(getattr(line, name)) > limit:
            found.add(f"{path}{name}", f"is longer than {limit} characters")


def _check_schedule(line: LineInput, sku: Sku, contract: Asked, path: str, found: Problems) -> None:
    if not line.schedule:
        return
    if sku.kind == Sku.Kind.USAGE:
        found.add(f"{path}schedule", "usage is billed as it is metered; a commitment has a line of its own")
    if line.frequency not in ("", CUSTOM):
        found.add(f"{path}frequency", "a line is billed by a schedule or by periods, not both")
    wrong = schedules.examine(
        line.schedule,
        currency=contract.customer.currency,
        starts_on=line.starts_on or contract.starts_on,
        ends_on=line.ends_on or contract.ends_on,
    )
    for place, texts in wrong.items():
        for text in texts:
            found.add(f"{path}schedule{place}", text)


def _step(
    asked: SegmentInput, sku: Sku, contract: Asked, catalogue: Catalogue, path: str, found: Problems
) -> Step | None:
    _check_number(asked.quantity, f"{path}quantity", found, Decimal(0), Decimal(10) ** 18, 9)
    _check_number(asked.discount_percent, f"{path}discount_percent", found, Decimal(0), Decimal(100), 4)
    if asked.price_override is not None:
        for place, texts in price_spec.examine(asked.price_override, kind=sku.kind).by_path.items():
            for text in texts:
                found.add(f"{path}price_override.{place}".rstrip("."), text)
    price = _price(asked, sku, contract, catalogue, path, found)
    if price is None:
        return None
    return Step(
        asked.starts_on,
        asked.ends_on,
        asked.quantity,
        price,
        asked.price_override,
        asked.discount_percent,
    )


def _price(
    asked: SegmentInput, sku: Sku, contract: Asked, catalogue: Catalogue, path: str, found: Problems
) -> Price | None:
    currency = contract.customer.currency
    if asked.price is None:
        price = catalogue.list_price(sku, currency, asked.starts_on)
        if price is None:
            found.add(
                f"{path}price",
                f"{sku.code} has no list price in {currency} that is valid on {asked.starts_on}",
            )
        return price
    price = catalogue.prices.get(asked.price)
    if price is None:
        found.add(f"{path}price", f"there is no price with id {asked.price}")
    elif price.sku_id != sku.pk or price.currency != currency:
        found.add(f"{path}price", f"price {asked.price} is not one of {sku.code} in {currency}")
    elif price.state != Price.State.ACTIVE:
        found.add(f"{path}price", f"price {asked.price} is {price.state}; choose an active one")
    return price


def _check_number(
    value: object, path: str, found: Problems, low: Decimal, high: Decimal, decimals: int
) -> None:
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        found.add(path, f"{value!r} is not an exact number")
        return
    number = Decimal(value)
    if not number.is_finite() or not low <= number <= high:
        found.add(path, f"{value} is not between {low:f} and {high:f}")
    elif number != round(number, decimals):
        found.add(path, f"{value} has more than {decimals} decimals")


def _check_dates(steps: Sequence[Step], contract: Asked, path: str, found: Problems) -> None:
    """Steps lie inside the term and follow one another without a gap."""
    ordered = sorted(steps, key=lambda step: step.starts_on)
    for step in ordered:
        if step.ends_on is not None and step.ends_on <= step.starts_on:
            found.add(f"{path}ends_on", f"{step.ends_on} is not after the start, {step.starts_on}")
        late = contract.ends_on is not None and (step.ends_on is None or step.ends_on > contract.ends_on)
        if step.starts_on < contract.starts_on or late:
            days = f"[{step.starts_on}, {step.ends_on or '…'})"
            term = f"[{contract.starts_on}, {contract.ends_on or '…'})"
            found.add(f"{path}starts_on", f"{days} is not inside the term {term}")
    for left, right in pairwise(ordered):
        if left.ends_on is None or left.ends_on > right.starts_on:
            found.add(f"{path}segments", f"two segments share the days from {right.starts_on}")
        elif left.ends_on < right.starts_on:
            gap = f"[{left.ends_on}, {right.starts_on})"
            found.add(f"{path}segments", f"no segment covers {gap}; give a pause as a quantity of 0")


def write_lines(pairs: Sequence[tuple[Order, Sequence[Resolved]]], *, after: int = 0) -> None:
    """Insert lines, from position `after` + 1 on, and segments: one statement each per thousand rows."""
    lines: list[OrderLine] = []
    steps: list[Segment] = []
    for order, resolved in pairs:
        for position, item in enumerate(resolved, start=after + 1):
            line = OrderLine(
                order=order,
                position=position,
                sku=item.sku,
                description=item.asked.description or item.sku.name,
                timing=item.timing,
                frequency=CUSTOM if item.asked.schedule else item.asked.frequency,
                schedule=list(item.asked.schedule),
                usage_key=item.asked.usage_key,
                source_line_id=item.asked.source_line_id,
            )
            lines.append(line)
            for sequence, step in enumerate(sorted(item.steps, key=lambda s: s.starts_on), start=1):
                steps.append(
                    Segment(
                        line=line,
                        sequence=sequence,
                        starts_on=step.starts_on,
                        ends_on=step.ends_on,
                        quantity=step.quantity,
                        price=step.price,
                        price_override=step.price_override,
                        discount_percent=step.discount_percent,
                    )
                )
    OrderLine.objects.bulk_create(lines, batch_size=BATCH)
    for segment in steps:
        segment.line_id = segment.line.pk
    Segment.objects.bulk_create(steps, batch_size=BATCH)
