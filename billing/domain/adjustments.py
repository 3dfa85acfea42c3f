"""Prices of one customer: overrides and coupons on top of what a segment says.

The order of application is one, whatever the order in which they were agreed:

1. `replace`: another price in place of the segment's; the narrowest scope wins.
2. `multiply`: the amount times a factor.
3. `percent_off`: a discount in percent. Several multiply: 10 % and 5 % leave 85.5 %.
4. the segment's own discount in percent.
5. `amount_off`: an amount per whole billing period, prorated like the price; never below zero.
6. ceiling and floor of the price, and the one rounding.

An adjustment that begins or ends inside of a billing period cuts the period there; tiers of usage begin anew
at the cut, as they do where a ramp changes the price.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

from billing.domain.measures import ONE, ZERO, Measures
from billing.domain.prices import Price, Rated, Step
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
    """The replacement that holds. Raises InvalidInput when two of the same scope do."""
    found = sorted((a for a in adjustments if a.method is Method.REPLACE), key=lambda a: a.rank)
    if len(found) > 1 and found[-1].rank == found[-2].rank:
        raise InvalidInput(
            f"{found[-2].name} and {found[-1].name} both replace the price on {found[-1].starts_on}",
            record=record,
            remedy="End one of them, or give one a narrower scope",
            code="overlapping_overrides",
        )
    return found[-1] if found else None


def replaced(
    active: Sequence[Adjustment], price: Price, rated: Rated, measures: Measures, record: str
) -> tuple[Price, Rated]:
    """The price that holds and its rating: replaced as a whole, and then for single dimension values."""
    whole = replacement([one for one in active if not one.dimensions], record)
    scoped = [one for one in active if one.method is Method.REPLACE and one.dimensions]
    if whole is not None and whole.price is not None:
        price = whole.price
        rated = _named(price.rate(measures), whole)
    if not scoped:
        return price, rated
    steps: list[Step] = []
    for match in sorted({one.dimensions for one in scoped}, key=len, reverse=True):
        one = replacement([a for a in scoped if a.dimensions == match], record)
        inside, measures = split(measures, match)
        if one is not None and one.price is not None and inside:
            steps += [
                replace(step, dimensions=step.dimensions or match)
                for step in _named(one.price.rate(inside), one).steps
            ]
    rest = price.rate(measures) if measures else Rated(ZERO, ())
    return price, Rated.of([*rest.steps, *steps])


def _named(rated: Rated, one: Adjustment) -> Rated:
    return Rated.of([replace(step, label=f"{step.label}, {one.name}") for step in rated.steps])


def matches(match: Dimensions, values: Dimensions) -> bool:
    return set(match) <= set(values)


def split(measures: Measures, match: Dimensions) -> tuple[Measures, Measures]:
    """What has these dimension values, and the rest."""
    inside = {key: measure for key, measure in measures.items() if matches(match, key)}
    return inside, {key: measure for key, measure in measures.items() if key not in inside}


def scaled(rated: Rated, one: Adjustment, record: str) -> Rated:
    """The rating times the factor of an adjustment, on the steps with its dimension values.

    Raises InvalidInput when the price does not tell these dimensions apart: one amount stands for all.
    """
    names = {name for name, _ in one.dimensions}
    steps: list[Step] = []
    for step in rated.steps:
        if names and step.amount and not names <= {name for name, _ in step.dimensions}:
            raise InvalidInput(
                f"{one.name} holds for {', '.join(f'{n}={v}' for n, v in one.dimensions)}, "
                "and the price does not tell that apart",
                record=record,
                remedy="Price the line by a matrix of these dimensions, or drop them from the override",
                code="dimension_not_priced",
            )
        steps.append(_times(step, one) if matches(one.dimensions, step.dimensions) else step)
    return Rated.of(steps)


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
    return str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"
