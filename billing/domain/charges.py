"""What a contract should have charged by a date: a pure function of its timeline and its usage.

`expected` computes every charge from the whole timeline, `difference` subtracts what was billed. Proration,
change within a period, backdating, late usage, price correction and cancellation are not special cases:
they change what is expected.

The order of application in one charge: quantity or aggregated usage; included units off; price model;
factor; overrides and coupons that multiply; share of the period; discount percent; amounts off; ceiling;
floor; one rounding (`billing.domain.adjustments` says it for overrides and coupons).
"""

from __future__ import annotations

import bisect
import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from operator import attrgetter

from billing.domain import (
    adjustments,
    aggregation,
    commitments,
    grid,
    proration,
    remainders,
    timelines,
    trace,
)
from billing.domain.adjustments import Adjustment, Method
from billing.domain.measures import ONE, ZERO, Measures, combined, merged, of_quantity
from billing.domain.prices import Flat, Price, Rated, Step
from billing.domain.timelines import ONCE, Run
from billing.domain.types import (
    Aggregation,
    Charge,
    Instalment,
    Kind,
    Line,
    Proration,
    Slot,
    Timeline,
    Timing,
    Usage,
    UsagePoint,
)
from o2c.errors import DomainError, InvalidInput
from o2c.money import quantize


def expected(timeline: Timeline, usage: Usage, through: dt.date) -> list[Charge]:
    """Every charge of the contract that falls due before `through`, by line and time.

    A charge in advance falls due on its first day of service, one in arrears on its last. `usage` holds the
    points by line id; of a line without usage the charge is what its price asks for at zero.

    >>> # 100.00 a month on the calendar from 8 February 2025: 100.00 x 21/28 = 75.00 (known answer F5)

    Raises InvalidInput, naming the line, for overlapping segments, a usage without a price, or a charge below
    zero.
    """
    found: list[Charge] = []
    for line in timeline.lines:
        try:
            reach = remainders.reach(line, through)
            found += remainders.spread(line, list(_line(timeline, line, usage, reach, None)))
        except DomainError as error:
            error.record = error.record or line.record
            raise
    found += commitments.charges(timeline, found, through)
    return [charge for charge in found if charge.due_on < through]


def accrued(timeline: Timeline, usage: Usage, as_of: dt.date) -> list[Charge]:
    """What service before `as_of` amounts to, due or not: open periods are cut at `as_of`.

    For unbilled usage at the end of a month inside a longer billing period. Lines in advance are left out:
    they are billed before they are served.
    """
    found: list[Charge] = []
    for line in timeline.lines:
        if line.kind is Kind.USAGE or line.timing is Timing.ARREARS:
            found += _line(timeline, line, usage, as_of, as_of)
    return found


def uncovered(timeline: Timeline, usage: Usage) -> list[tuple[int, UsagePoint]]:
    """Usage on days that no segment of its line covers: it is in no charge and must not go unseen."""
    found: list[tuple[int, UsagePoint]] = []
    for line in timeline.lines:
        spans = [(run.starts_on, run.ends_on or dt.date.max) for run in timelines.runs(line)]
        for point in aggregation.counted(usage.get(line.id, ()), line.filters):
            if not any(start <= point.on < end for start, end in spans):
                found.append((line.id, point))
    return found


def _line(
    timeline: Timeline, line: Line, usage: Usage, through: dt.date, cut_at: dt.date | None
) -> Iterator[Charge]:
    line_runs = timelines.runs(line)
    if not line_runs:
        return
    ends, origin = timelines.line_end(line_runs), line_runs[0].starts_on
    rater = _Rater(timeline, line, origin, usage.get(line.id, ()))
    if line.scheduled:
        for slot, instalments in timelines.scheduled(line, through, ends):
            yield rater.scheduled_charge(slot, instalments)
        return
    before = ZERO
    for run in line_runs:
        for slot in timelines.slots(line, run, through, ends):
            if cut_at is not None and slot.service_to > cut_at and line.kind not in ONCE:
                slot = replace(slot, service_to=cut_at)
            if line.kind is Kind.USAGE:
                yield rater.usage_charge(slot, run)
            elif line.kind in ONCE:
                charge = rater.single_charge(slot, run, before)
                before += charge.exact
                yield charge
            else:
                yield rater.recurring_charge(slot, run)


@dataclass(frozen=True, slots=True)
class _Agreed:
    """What holds on some days: the price of the whole or the rest, and those of single dimension values."""

    starts: dt.date
    ends: dt.date
    active: tuple[Adjustment, ...]
    main: adjustments.Part
    single: tuple[adjustments.Part, ...]


def needs_transactions(line: Line) -> bool:
    """Whether rating the line takes its single transactions: a floor or ceiling on each, however deep."""
    agreed = [one.price for one in line.adjustments if one.price is not None]
    distinct = {id(price): price for price in [*(s.price for s in line.segments), *agreed]}
    return any(price.needs_transactions for price in distinct.values())


class _Rater:
    """Rates the slots of one line. Holds what its slots share: points in order, ratings already made."""

    def __init__(self, timeline: Timeline, line: Line, origin: dt.date, points: Sequence[UsagePoint]) -> None:
        self.line = line
        self.origin = origin
        self.currency = timeline.currency
        self.time_zone = timeline.time_zone if line.proration is Proration.SECONDS else "UTC"
        self.points = sorted(aggregation.counted(points, line.filters), key=attrgetter("on"))
        self.days = [point.on for point in self.points]
        self.rated: dict[tuple[int, int], Rated] = {}
        self.term: dict[int, Measures] = {}
        self.clock_zone = timeline.time_zone
        self.transactions = needs_transactions(line)

    def recurring_charge(self, slot: Slot, run: Run) -> Charge:
        """Quantity at the price, by the share of the price's periods that the slot covers."""
        quantity = Fraction(run.first.quantity)
        pieces = []
        for start, end, price in self._pieces(slot, run):
            agreed = self._agreed(start, end, price, of_quantity(quantity))
            price = agreed.main.price
            key = (run.first.id, id(price))
            if key not in self.rated:
                self.rated[key] = price.rate(of_quantity(quantity))
            share, off_share = self._price_periods(slot, start, end), self._share(slot, start, end)
            pieces.append(self._piece(agreed, self.rated[key], share, off_share))
        return self._charge(slot, run, quantity, pieces)

    def single_charge(self, slot: Slot, run: Run, before: Fraction) -> Charge:
        """Once, when the run begins; a later run of the same line pays only what it adds."""
        quantity = Fraction(run.first.quantity)
        agreed = self._agreed(slot.service_from, slot.service_to, run.first.price, of_quantity(quantity))
        rated = agreed.main.price.rate(of_quantity(quantity))
        return self._charge(slot, run, quantity, [self._piece(agreed, rated, ONE, ONE)], already=before)

    def _pieces(self, slot: Slot, run: Run) -> list[tuple[dt.date, dt.date, Price]]:
        return timelines.pieces(self.line, run, slot.service_from, slot.service_to, self.origin)

    def _agreed(self, start: dt.date, end: dt.date, price: Price, measures: Measures) -> _Agreed:
        """The overrides and coupons that hold, and which price they leave for what."""
        first = (self.origin, self.origin + timelines.ONE_DAY)
        days = first if self.line.kind in ONCE else (start, end)
        active = tuple(a for a in self.line.adjustments if a.covers(*days))
        if not active:
            return _Agreed(start, end, (), adjustments.Part(price, measures), ())
        main, *single = adjustments.parts(active, price, measures, self.line.record)
        return _Agreed(start, end, active, main, tuple(single))

    def _piece(self, agreed: _Agreed, rated: Rated, share: Fraction, off_share: Fraction) -> trace.Piece:
        """The rating of the main part with everything else that holds for these days, in its order."""
        rated = agreed.main.named(rated)
        if agreed.single:
            others = [part.named(part.price.rate(part.measures)) for part in agreed.single]
            rated = Rated.of([step for one in (rated, *others) for step in one.steps])
        for method in (Method.MULTIPLY, Method.PERCENT_OFF):
            for one in agreed.active:
                if one.method is method:
                    rated = adjustments.scaled(rated, one, self.line.record)
        off = sum((a.value * off_share for a in agreed.active if a.method is Method.AMOUNT_OFF), ZERO)
        return trace.Piece(agreed.starts, agreed.ends, agreed.main.price, rated, share, agreed.active, off)

    def scheduled_charge(self, slot: Slot, instalments: Sequence[Instalment]) -> Charge:
        """What the schedule says for a day; discounts are in its amounts already."""
        steps = [
            Step(one.name, ZERO, ZERO, Fraction(one.amount), Fraction(one.amount)) for one in instalments
        ]
        rated = Rated.of(steps)
        price = Price(Flat(rated.amount, name="instalment"))
        segment = replace(slot.segment, price=price, discount_percent=Decimal(0))
        slot = replace(slot, segment=segment)
        run = Run(segment, slot.service_from, slot.service_to, (segment.id,))
        return self._charge(
            slot, run, ONE, [trace.Piece(slot.service_from, slot.service_to, price, rated, ONE)]
        )

    def usage_charge(self, slot: Slot, run: Run) -> Charge:
        """The usage of the slot at the price; tiers count from the start of the slot, or of the term."""
        pieces, quantity, events = [], ZERO, 0
        for start, end, price in self._pieces(slot, run):
            measures = self._measures(start, end)
            total = combined(measures)
            self._refuse_negative(total.quantity, slot)
            quantity, events = quantity + total.quantity, events + total.count
            agreed = self._agreed(start, end, price, measures)
            price = agreed.main.price
            rated = self._rate_usage(price, agreed.main.measures, run)
            share = self._share(slot, start, end)
            pieces.append(self._piece(agreed, rated, share if isinstance(price.model, Flat) else ONE, share))
        return self._charge(slot, run, quantity, pieces, events=events)

    def _rate_usage(self, price: Price, measures: Measures, run: Run) -> Rated:
        if not price.over_term:
            return price.rate(measures)
        before = self.term.get(run.first.id)
        reached = merged([before or {}, measures])
        self.term[run.first.id] = reached
        whole = price.rate(reached)
        already = Rated(ZERO, ()) if before is None else price.rate(before)
        return Rated(whole.amount - already.amount, _later_steps(whole, already))

    def _measures(self, start: dt.date, end: dt.date) -> Measures:
        low = bisect.bisect_left(self.days, start)
        high = bisect.bisect_left(self.days, end)
        if self.line.aggregation is Aggregation.WEIGHTED:
            low = 0
        return aggregation.measure(
            self.line.aggregation,
            self.points[low:high],
            start,
            end,
            time_zone=self.clock_zone,
            with_transactions=self.transactions,
        )

    def _price_periods(self, slot: Slot, start: dt.date, end: dt.date) -> Fraction:
        """How many of the price's periods `[start, end)` is: 1 for a whole one, 12 months in a year."""
        segment, line = slot.segment, self.line
        if segment.period is None or segment.period is line.frequency:
            return self._share(slot, start, end)
        price_grid = grid.line_grid(line, segment.period)
        return sum(
            (
                proration.share(
                    line.proration,
                    max(start, low),
                    min(end, high),
                    (low, high),
                    months=price_grid.months,
                    first_day=self.origin,
                    time_zone=self.time_zone,
                    counted=line.counted_day,
                )
                for low, high in price_grid.periods(start, end)
            ),
            ZERO,
        )

    def _share(self, slot: Slot, start: dt.date, end: dt.date) -> Fraction:
        return proration.share(
            self.line.proration,
            start,
            end,
            (slot.period_from, slot.period_to),
            months=grid.MONTHS.get(self.line.frequency, 0),
            first_day=self.origin,
            time_zone=self.time_zone,
            counted=self.line.counted_day,
        )

    def _charge(
        self,
        slot: Slot,
        run: Run,
        quantity: Fraction,
        pieces: list[trace.Piece],
        *,
        already: Fraction = ZERO,
        events: int = 0,
    ) -> Charge:
        """Discount, bounds and the one rounding."""
        segment = run.first
        keep = ONE - Fraction(segment.discount_percent) / 100
        rated = sum((piece.rated.amount * piece.share for piece in pieces), ZERO)
        discounted = sum((piece.after_discounts(keep) for piece in pieces), ZERO)
        exact, share = ZERO, ONE
        bounds: dict[tuple[Fraction | None, Fraction | None], list[trace.Piece]] = defaultdict(list)
        for piece in pieces:
            bounds[piece.price.minimum, piece.price.maximum].append(piece)
        for bounded in bounds.values():
            price, amount = bounded[0].price, sum((p.after_discounts(keep) for p in bounded), ZERO)
            if price.minimum is not None or price.maximum is not None:
                share = sum((self._bound_share(slot, piece) for piece in bounded), ZERO)
            exact += price.bounded(amount, share)
        exact -= already
        if exact < 0 and not already:
            raise InvalidInput(
                f"The charge for {slot.service_from} to {slot.service_to} would be {trace.plain(exact)}",
                record=self.line.record,
                remedy="A price or quantity below zero cannot be billed; correct it",
                code="negative_charge",
            )
        working = trace.Working(slot, run.segments, tuple(pieces), rated, discounted, share, events)
        return Charge(
            line=self.line.id,
            segment=segment.id,
            kind=self.line.kind.value,
            period_from=slot.period_from,
            period_to=slot.period_to,
            service_from=slot.service_from,
            service_to=slot.service_to,
            due_on=slot.due_on,
            quantity=quantity,
            exact=exact,
            amount=quantize(exact, self.currency),  # the one rounding of a charge
            currency=self.currency,
            working=working,
        )

    def _bound_share(self, slot: Slot, piece: trace.Piece) -> Fraction:
        """By how much a floor or ceiling is prorated: like the price, over the days of the piece."""
        if self.line.kind in ONCE:
            return ONE
        if self.line.kind is Kind.USAGE:
            return self._share(slot, piece.starts, piece.ends)
        return self._price_periods(slot, piece.starts, piece.ends)

    def _refuse_negative(self, quantity: Fraction, slot: Slot) -> None:
        if quantity < 0:
            raise InvalidInput(
                f"Usage from {slot.service_from} to {slot.service_to} adds up to {trace.plain(quantity)}",
                record=self.line.record,
                remedy="More was retracted than was metered; correct the events",
                code="negative_usage",
            )


def _later_steps(whole: Rated, already: Rated) -> tuple[Step, ...]:
    """The steps of `whole` less what `already` took of the same step."""
    taken = {(step.label, step.dimensions): step for step in already.steps}
    later = []
    for step in whole.steps:
        known = taken.get((step.label, step.dimensions))
        if known is None:
            later.append(step)
        elif step.amount != known.amount or step.units != known.units:
            flat = step.flat_amount - known.flat_amount
            later.append(
                replace(
                    step, units=step.units - known.units, flat_amount=flat, amount=step.amount - known.amount
                )
            )
    return tuple(later)
