"""Prices of one customer: overrides and coupons on top of what a segment says.

The order of application is one, whatever the order in which they were agreed:

1. `replace`: another price in place of the segment's; the narrowest scope wins.
2. `multiply`: the amount times a factor.
3. `percent_off`: a discount in percent. Several multiply: 10 % and 5 % leave 85.5 %.
4. the segment's own discount in percent.
5. `amount_off`: an amount per whole billing period, prorated like the price; never below zero.
6. ceiling and floor of the price, and the one rounding.

An adjustment that begins or ends inside of a billing period cuts the period there; tiers of usage begin anew
at the cut, as they do where a ramp changes the price. Tiers over the term go on, and count the usage that
they price. What is charged once follows what held on the first day of its line.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

from billing.domain.measures import ONE, ZERO, Measure, Measures
from billing.domain.prices import Flat, Price, Rated, Step
from billing.domain.types import Dimensions
from o2c.errors import InvalidInput


class Method(StrEnum):
    REPLACE = "replace"
    MULTIPLY = "multiply"
    PERCENT_OFF = "percent_off"
    AMOUNT_OFF = "amount_off"


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What is agreed about a line on `[starts_on, ends_on)`.

    `value` is the factor, the percentage or the amount; `price` is that of a replacement. With `dimensions`
    it holds for usage with these values only. `rank` orders scopes: the narrowest has the highest.
    """

    name: str
    method: Method
    starts_on: dt.date
    ends_on: dt.date | None = None
    value: Fraction = ZERO
    price: Price | None = None
    dimensions: Dimensions = ()
    rank: int = 0

    def covers(self, start: dt.date, end: dt.date) -> bool:
        return self.starts_on <= start and (self.ends_on is None or end <= self.ends_on)

    @property
    def factor(self) -> Fraction:
        """By what it multiplies: 10 % off is 0.9."""
        return self.value if self.method is Method.MULTIPLY else ONE - self.value / 100


def limits(adjustments: Iterable[Adjustment], start: dt.date, end: dt.date) -> list[dt.date]:
    """`start`, every day inside of `[start, end)` on which an adjustment begins or ends, and `end`."""
    days = {start, end}
    for one in adjustments:
        if one.ends_on is None or one.starts_on < one.ends_on:
            days |= {day for day in (one.starts_on, one.ends_on) if day is not None and start < day < end}
    return sorted(days)


def cut(
    adjustments: Sequence[Adjustment], pieces: Iterable[tuple[dt.date, dt.date, Price]]
) -> list[tuple[dt.date, dt.date, Price]]:
    """Pieces of a slot, cut where an adjustment begins or ends."""
    if not adjustments:
        return list(pieces)
    return [
        (low, high, price)
        for start, end, price in pieces
        for low, high in pairwise(limits(adjustments, start, end))
    ]


def replacement(adjustments: Iterable[Adjustment], record: str) -> Adjustment | None:
    """The replacement that holds: the one of the narrowest scope. Raises InvalidInput when two are."""
    found = sorted((a for a in adjustments if a.method is Method.REPLACE), key=lambda a: a.rank)
    if len(found) > 1 and found[-1].rank == found[-2].rank:
        raise InvalidInput(
            f"{found[-2].name} and {found[-1].name} both replace the price on {found[-1].starts_on}",
            record=record,
            remedy="End one of them, or give one a narrower scope",
            code="overlapping_overrides",
        )
    return found[-1] if found else None


@dataclass(frozen=True, slots=True)
class Part:
    """What was consumed at one price. Without `match` it is all of it, or what the other parts leave."""

    price: Price
    measures: Measures
    match: Dimensions = ()
    by: Adjustment | None = None

    def named(self, rated: Rated) -> Rated:
        """The rating of the part, with the override and the dimension values that it is for in its steps."""
        if self.by is None:
            return rated
        own = dict(self.match)
        return Rated(
            rated.amount,
            tuple(
                replace(
                    step,
                    label=f"{step.label}, {self.by.name}",
                    dimensions=tuple(sorted((own | dict(step.dimensions)).items())),
                )
                for step in rated.steps
            ),
        )


def parts(active: Sequence[Adjustment], price: Price, measures: Measures, record: str) -> list[Part]:
    """What is priced by which price: first the whole or the rest, then single dimension values.

    Of several replacements that fit, the one with most dimensions counts, then the narrowest scope. Raises
    InvalidInput where that does not decide, or where the price of the rest is one amount for everything.
    """
    whole = replacement([one for one in active if not one.dimensions], record)
    rest = Part(whole.price, measures, by=whole) if whole and whole.price else Part(price, measures)
    scoped = [one for one in active if one.method is Method.REPLACE and one.dimensions]
    chosen: dict[Dimensions, Adjustment] = {}
    inside: dict[Dimensions, dict[Dimensions, Measure]] = {}
    for values, measure in measures.items():
        fitting = [one for one in scoped if set(one.dimensions) <= set(values)]
        if not fitting:
            continue
        most = max(len(one.dimensions) for one in fitting)
        one = replacement([a for a in fitting if len(a.dimensions) == most], record)
        assert one is not None
        chosen[one.dimensions] = one
        inside.setdefault(one.dimensions, {})[values] = measure
    if not inside:
        return [rest]
    if isinstance(rest.price.model, Flat):
        raise _not_told_apart(next(iter(chosen.values())), record)
    taken = {values for own in inside.values() for values in own}
    left = {values: measure for values, measure in measures.items() if values not in taken}
    found = [replace(rest, measures=left)]
    for match, one in sorted(chosen.items()):
        assert one.price is not None, "a replacement has a price"
        found.append(Part(one.price, inside[match], match, one))
    return found


def scaled(rated: Rated, one: Adjustment, record: str) -> Rated:
    """The rating times the factor of an adjustment, on the steps with its dimension values.

    Raises InvalidInput when the price does not tell these dimensions apart: one amount stands for all.
    """
    names = {name for name, _ in one.dimensions}
    steps: list[Step] = []
    for step in rated.steps:
        if names and step.amount and not names <= {name for name, _ in step.dimensions}:
            raise _not_told_apart(one, record)
        steps.append(_times(step, one) if set(one.dimensions) <= set(step.dimensions) else step)
    return Rated.of(steps)


def _not_told_apart(one: Adjustment, record: str) -> InvalidInput:
    return InvalidInput(
        f"{one.name} holds for {', '.join(f'{name}={value}' for name, value in one.dimensions)}, "
        "and the price does not tell that apart",
        record=record,
        remedy="Price the line by a matrix of these dimensions, or drop them from the override",
        code="dimension_not_priced",
    )


def _times(step: Step, one: Adjustment) -> Step:
    return replace(
        step,
        label=f"{step.label}, {one.name}",
        unit_amount=step.unit_amount * one.factor,
        flat_amount=step.flat_amount * one.factor,
        amount=step.amount * one.factor,
    )


def text(one: Adjustment) -> str:
    """How a trace says it."""
    if one.method is Method.REPLACE:
        return f"{one.name}: another price"
    what = {Method.MULTIPLY: "times", Method.PERCENT_OFF: "percent off", Method.AMOUNT_OFF: "off a period"}
    return f"{one.name}: {_plain(one.value)} {what[one.method]}"


def _plain(value: Fraction) -> str:
    return f"{Decimal(value.numerator) / value.denominator:f}"  # a label: what is agreed is a decimal
