"""Price models: from what was consumed to an exact amount, with the steps that explain it.

Everything is a frozen value; `rate` is pure and never rounds. The order inside one price is: included units
off, then the model (tiers, packages, cells), then the factor, then the ceiling, then the floor. A discount
of the segment comes before ceiling and floor, which are what the customer pays at most and at least
(`billing.domain.charges`). `billing.domain.specs` reads these from stored specifications.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Protocol

from billing.domain.measures import ONE, ZERO, Measure, Measures, combined, picked
from billing.domain.types import Dimensions
from o2c.errors import InvalidInput
from o2c.periods import add_months


@dataclass(frozen=True, slots=True)
class Step:
    """One product of the sum: `units` x `unit_amount` + `flat_amount` = `amount`."""

    label: str
    units: Fraction
    unit_amount: Fraction
    flat_amount: Fraction
    amount: Fraction
    dimensions: Dimensions = ()


@dataclass(frozen=True, slots=True)
class Rated:
    """An exact amount and the steps that add up to it."""

    amount: Fraction
    steps: tuple[Step, ...]

    @classmethod
    def of(cls, steps: list[Step]) -> Rated:
        return cls(sum((step.amount for step in steps), ZERO), tuple(steps))


class Model(Protocol):
    """What every price model can do."""

    @property
    def name(self) -> str: ...

    def rate(self, measures: Measures) -> Rated: ...


@dataclass(frozen=True, slots=True)
class Flat:
    """The same amount whatever the quantity."""

    amount: Fraction
    name: str = "flat"

    def rate(self, measures: Measures) -> Rated:
        return Rated(self.amount, (Step("flat", ZERO, ZERO, self.amount, self.amount),))


@dataclass(frozen=True, slots=True)
class PerUnit:
    """Quantity times unit amount."""

    unit_amount: Fraction
    name: str = "per_unit"

    def rate(self, measures: Measures) -> Rated:
        units = combined(measures).quantity
        amount = units * self.unit_amount
        return Rated(amount, (Step("units", units, self.unit_amount, ZERO, amount),))


@dataclass(frozen=True, slots=True)
class Tier:
    """Units above the previous bound, up to and including `up_to` (None: the rest)."""

    up_to: Fraction | None
    unit_amount: Fraction
    flat_amount: Fraction = ZERO


def _tier_label(low: Fraction, tier: Tier) -> str:
    return f"above {_plain(low)}" if tier.up_to is None else f"{_plain(low)} to {_plain(tier.up_to)}"


def _plain(value: Fraction) -> str:
    return f"{Decimal(value.numerator) / value.denominator:f}"  # a label: bounds of tiers are decimals


@dataclass(frozen=True, slots=True)
class Graduated:
    """Each tier prices the units that fall into it; a tier's flat amount is due once it is entered.

    The first tier is entered at zero. With `prorated`, a quantity that varies over time pays its units by
    time and the flat amounts of every tier that its highest level entered (known answer U4).
    """

    tiers: tuple[Tier, ...]
    prorated: bool = False
    name: str = "graduated"

    def rate(self, measures: Measures) -> Rated:
        measure = combined(measures)
        if self.prorated and measure.levels:
            return self._rate_levels(measure.levels)
        return Rated.of(self._steps(measure.quantity))

    def _steps(self, quantity: Fraction, share: Fraction = ONE, flats: bool = True) -> list[Step]:
        steps, low = [], ZERO
        for position, tier in enumerate(self.tiers):
            if position and quantity <= low:
                break
            top = quantity if tier.up_to is None else min(quantity, tier.up_to)
            units = (top - low) * share
            flat = tier.flat_amount if flats else ZERO
            amount = units * tier.unit_amount + flat
            steps.append(Step(_tier_label(low, tier), units, tier.unit_amount, flat, amount))
            if tier.up_to is None:
                break
            low = tier.up_to
        return steps

    def _rate_levels(self, levels: tuple[tuple[Fraction, Fraction], ...]) -> Rated:
        highest = max(level for _, level in levels)
        by_tier: dict[str, Step] = {s.label: s for s in self._steps(highest)}
        units = dict.fromkeys(by_tier, ZERO)
        for share, level in levels:
            for step in self._steps(level, share, flats=False):
                units[step.label] += step.units
        return Rated.of(
            [
                Step(
                    label,
                    units[label],
                    step.unit_amount,
                    step.flat_amount,
                    units[label] * step.unit_amount + step.flat_amount,
                )
                for label, step in by_tier.items()
            ]
        )


@dataclass(frozen=True, slots=True)
class Volume:
    """The tier that the whole quantity reaches prices all of it."""

    tiers: tuple[Tier, ...]
    name: str = "volume"

    def rate(self, measures: Measures) -> Rated:
        quantity, low = combined(measures).quantity, ZERO
        for tier in self.tiers:
            if tier.up_to is None or quantity <= tier.up_to:
                amount = quantity * tier.unit_amount + tier.flat_amount
                label = f"all units, tier {_tier_label(low, tier)}"
                return Rated(amount, (Step(label, quantity, tier.unit_amount, tier.flat_amount, amount),))
            low = tier.up_to
        raise InvalidInput(
            f"No tier prices a quantity of {_plain(quantity)}", remedy="Leave the last tier open"
        )


@dataclass(frozen=True, slots=True)
class Package:
    """Whole packages of `size` units, after `free_units`; a begun package is due in full."""

    size: Fraction
    amount: Fraction
    free_units: Fraction = ZERO
    name: str = "package"

    def rate(self, measures: Measures) -> Rated:
        paid = max(combined(measures).quantity - self.free_units, ZERO)
        packages = Fraction(ceil(paid / self.size))
        amount = packages * self.amount
        return Rated(amount, (Step(f"packages of {_plain(self.size)}", packages, self.amount, ZERO, amount),))


@dataclass(frozen=True, slots=True)
class Percentage:
    """A share of the metered amounts plus a fixed amount per transaction, each between floor and ceiling.

    `rate_percent` 2.9 is 2.9 %. Floor and ceiling apply to every single transaction, so they need the
    transactions and not only their sum.
    """

    rate_percent: Fraction
    fixed_amount: Fraction = ZERO
    floor: Fraction | None = None
    ceiling: Fraction | None = None
    name: str = "percentage"

    @property
    def needs_transactions(self) -> bool:
        return self.floor is not None or self.ceiling is not None

    def rate(self, measures: Measures) -> Rated:
        measure = combined(measures)
        ratio = self.rate_percent / 100
        if not self.needs_transactions:
            fixed = self.fixed_amount * measure.count
            amount = measure.quantity * ratio + fixed
            return Rated(amount, (Step("share of amounts", measure.quantity, ratio, fixed, amount),))
        if len(measure.transactions) != measure.count:
            raise InvalidInput(
                "A floor or ceiling per transaction needs every transaction, and only their sum is known"
            )
        amount = sum((self._one(value, ratio) for value in measure.transactions), ZERO)
        label = f"{measure.count} transactions between floor and ceiling"
        return Rated(amount, (Step(label, measure.quantity, ratio, ZERO, amount),))

    def _one(self, value: Fraction, ratio: Fraction) -> Fraction:
        amount = value * ratio + self.fixed_amount
        if self.ceiling is not None:
            amount = min(amount, self.ceiling)
        return amount if self.floor is None else max(amount, self.floor)


@dataclass(frozen=True, slots=True)
class Matrix:
    """A price per combination of dimension values.

    Without a default, a missing cell is an error and never a zero. A cell that names fewer dimensions is a
    fallback: the cell with most matching values wins.
    """

    dimensions: tuple[str, ...]
    cells: tuple[tuple[Dimensions, Price], ...]
    default: Price | None = None
    name: str = "matrix"

    def rate(self, measures: Measures) -> Rated:
        steps: list[Step] = []
        for key, measure in sorted(picked(measures, self.dimensions).items()):
            rated = self.cell(key).rate({key: measure})
            steps += [
                Step(s.label, s.units, s.unit_amount, s.flat_amount, s.amount, key) for s in rated.steps
            ]
        return Rated.of(steps)

    def cell(self, key: Dimensions) -> Price:
        """The price for these values. Raises InvalidInput when there is none or it is ambiguous."""
        values = set(key)
        matching = [(len(match), price) for match, price in self.cells if set(match) <= values]
        most = max((size for size, _ in matching), default=0)
        best = [price for size, price in matching if size == most]
        wanted = ", ".join(f"{name}={value or '(none)'}" for name, value in key)
        if not best and self.default is not None:
            return self.default
        if not best:
            raise InvalidInput(
                f"No price for {wanted}",
                code="missing_rate",
                remedy="Add a cell to the price, or correct the dimension of the usage",
            )
        if len(best) > 1:
            raise InvalidInput(f"Several cells of the price match {wanted} equally", code="ambiguous_rate")
        return best[0]


@dataclass(frozen=True, slots=True)
class Prepaid:
    """A payment of `amount` that buys `credit`, which usage draws down at `price`."""

    amount: Fraction
    credit: Fraction
    price: Price | None = None
    name: str = "prepaid"

    def rate(self, measures: Measures) -> Rated:
        return Rated(self.amount, (Step("prepaid commitment", ZERO, ZERO, self.amount, self.amount),))


@dataclass(frozen=True, slots=True)
class Ramp:
    """Prices that follow one another, by months since the line began; the first is at month 0."""

    steps: tuple[tuple[int, Price], ...]
    name: str = "ramp"

    def rate(self, measures: Measures) -> Rated:
        raise InvalidInput("A ramp is rated per date: ask `pieces` first")

    def pieces(self, start: dt.date, end: dt.date, origin: dt.date) -> list[tuple[dt.date, dt.date, Price]]:
        """`[start, end)` cut at the dates of the ramp, with the price of each part."""
        found = []
        for position, (month, price) in enumerate(self.steps):
            low = start if position == 0 else max(start, add_months(origin, month))
            high = end
            if position + 1 < len(self.steps):
                high = min(end, add_months(origin, self.steps[position + 1][0]))
            if low < high:
                found.append((low, high, price))
        return found


@dataclass(frozen=True, slots=True)
class Of:
    """`factor` times the price of another SKU, not looked up yet (`billing.domain.following`)."""

    sku: str
    factor: Fraction
    name: str = "of"

    def rate(self, measures: Measures) -> Rated:
        raise InvalidInput(f"The price follows that of {self.sku}, which was not looked up")


@dataclass(frozen=True, slots=True)
class Followed:
    """A price on `[starts_on, ends_on)`, and the first day of its line, from which a ramp counts."""

    starts_on: dt.date
    ends_on: dt.date | None
    price: Price
    origin: dt.date


@dataclass(frozen=True, slots=True)
class Following:
    """`factor` times what another SKU costs on each day, in order of time."""

    sku: str
    factor: Fraction
    stretches: tuple[Followed, ...]
    name: str = "of"

    def rate(self, measures: Measures) -> Rated:
        raise InvalidInput("A price that follows another is rated per date: ask `pieces` first")

    def pieces(self, start: dt.date, end: dt.date) -> list[tuple[dt.date, dt.date, Price]]:
        """`[start, end)` cut where the followed price changes; days without one have a price that fails."""
        found, reached = [], start
        for one in self.stretches:
            low, high = max(start, one.starts_on), min(end, one.ends_on or end)
            if low >= high:
                continue
            if low > reached:
                found.append((reached, low, self._missing(reached)))
            for a, b, price in one.price.pieces(low, high, one.origin):
                found.append((a, b, price.times(self.factor)))
            reached = high
        if reached < end:
            found.append((reached, end, self._missing(reached)))
        return found

    def _missing(self, day: dt.date) -> Price:
        return Price(
            Unreadable(
                InvalidInput(
                    f"The price follows that of {self.sku}, which has none on {day}",
                    code="missing_rate",
                    remedy=f"Give {self.sku} a list price in this currency, or the line a price of its own",
                )
            )
        )


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a price whose specification is wrong: applying it says what."""

    error: InvalidInput
    name: str = "unreadable"

    def rate(self, measures: Measures) -> Rated:
        raise self.error


@dataclass(frozen=True, slots=True)
class Price:
    """A price model with what is common to all of them.

    `included` units cost nothing in each period; `factor` multiplies the model's amount (0.5: batch at half
    price); `minimum` and `maximum` bound what a whole billing period costs and are prorated like it. With
    `over_term`, tiers and included units count from the start of the run of equal segments instead of
    from the start of each billing period.
    """

    model: Model
    included: Fraction = ZERO
    factor: Fraction = ONE
    minimum: Fraction | None = None
    maximum: Fraction | None = None
    over_term: bool = False

    @property
    def needs_transactions(self) -> bool:
        """Whether a floor or ceiling per transaction stands anywhere in it."""
        model = self.model
        if isinstance(model, Percentage):
            return model.needs_transactions
        inner: list[Price] = []
        if isinstance(model, Matrix):
            inner = [price for _, price in model.cells] + ([model.default] if model.default else [])
        elif isinstance(model, Ramp):
            inner = [price for _, price in model.steps]
        elif isinstance(model, Following):
            inner = [one.price for one in model.stretches]
        return any(price.needs_transactions for price in inner)

    def rate(self, measures: Measures) -> Rated:
        """The exact amount of the model, before discount, ceiling and floor."""
        rated = self.model.rate(self._billable(measures) if self.included else measures)
        if self.factor == ONE:
            return rated
        steps = [
            Step(
                f"{s.label} at {_plain(self.factor)}",
                s.units,
                s.unit_amount * self.factor,
                s.flat_amount * self.factor,
                s.amount * self.factor,
                s.dimensions,
            )
            for s in rated.steps
        ]
        return Rated(rated.amount * self.factor, tuple(steps))

    def _billable(self, measures: Measures) -> Measures:
        """What remains after the included units, taken from the dimensions in their order."""
        left, remaining = self.included, {}
        for key, measure in sorted(measures.items()):
            free = min(left, max(measure.quantity, ZERO))
            left -= free
            remaining[key] = Measure(
                measure.quantity - free, measure.count, measure.transactions, measure.levels
            )
        return remaining

    def pieces(self, start: dt.date, end: dt.date, origin: dt.date) -> list[tuple[dt.date, dt.date, Price]]:
        """`[start, end)` cut where a ramp or a followed price changes; one piece for every other model.

        `origin` is the first day of the line, from which a ramp counts its months.
        """
        if isinstance(self.model, Ramp):
            return self.model.pieces(start, end, origin)
        if isinstance(self.model, Following):
            return self.model.pieces(start, end)
        return [(start, end, self)]

    def times(self, factor: Fraction) -> Price:
        """This price so many times: amounts, floor and ceiling."""
        return replace(
            self,
            factor=self.factor * factor,
            minimum=None if self.minimum is None else self.minimum * factor,
            maximum=None if self.maximum is None else self.maximum * factor,
        )

    def bounded(self, amount: Fraction, share: Fraction) -> Fraction:
        """`amount` within the prorated ceiling, then the prorated floor."""
        if self.maximum is not None:
            amount = min(amount, self.maximum * share)
        if self.minimum is not None:
            amount = max(amount, self.minimum * share)
        return amount
