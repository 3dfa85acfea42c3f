"""Minimum commitments: what is billed at the end of a period that came to less than was committed.

True-up = round(minimum x share of the period - sum of the exact charges of the period), when above zero;
one rounding, of the exact difference. The share is the contract's proration of the days of the period that
the contract covers. Charges belong to the period in which their service begins. With an overage factor f,
what goes beyond the minimum is billed another (f - 1) times.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from billing.domain import grid, proration
from billing.domain.timelines import line_end, runs
from billing.domain.trace import TIMES, plain
from billing.domain.types import Charge, Commitment, Kind, Line, Proration, Timeline
from o2c.errors import InvalidInput
from o2c.money import quantize

ZERO = Fraction(0)
ONE_DAY = dt.timedelta(days=1)
MINIMUM = "minimum"


@dataclass(frozen=True, slots=True)
class Stub:
    """A period of a commitment, and the days of it that the contract covers."""

    period_from: dt.date
    period_to: dt.date
    service_from: dt.date
    service_to: dt.date
    share: Fraction


def true_up(amount: Fraction, share: Fraction, counted: Fraction, factor: Fraction = Fraction(1)) -> Fraction:
    """What a period is billed beyond its charges, exact.

    10,000.00 committed, 1,000.00 charged, both for 5 of 7 days: 6,428.57 (known answer C1).
    1,000.00 committed with an overage factor of 1.5, 10,000.00 used: 4,500.00 on top, 14,500.00 in all (C8).
    """
    minimum = amount * share
    return minimum - counted if counted < minimum else (counted - minimum) * (factor - 1)


def charges(timeline: Timeline, found: Iterable[Charge], through: dt.date) -> list[Charge]:
    """The true-ups of every commitment for periods that end by `through`; `found` are the other charges.

    Raises InvalidInput when the line that would carry one is not there, or two would carry the same.
    """
    own = list(found)
    lines = {line.id: line for line in timeline.lines}
    made: list[Charge] = []
    for commitment in timeline.commitments:
        carrier = lines.get(commitment.carrier)
        if carrier is None:
            continue  # its line begins later
        counted = [c for c in own if c.line in commitment.lines and c.kind in COUNTED]
        made += _of(commitment, carrier, timeline, counted, through)
    keys = [charge.key for charge in made]
    if len(keys) != len(set(keys)):
        raise InvalidInput(
            "Two commitments would be billed by the same line for the same period",
            record=f"order {timeline.order}",
            remedy="Let each commitment name SKUs of its own",
        )
    return made


COUNTED = frozenset({Kind.RECURRING.value, Kind.USAGE.value})


def _of(
    commitment: Commitment, carrier: Line, timeline: Timeline, counted: list[Charge], through: dt.date
) -> Iterator[Charge]:
    line_runs = runs(carrier)
    ends = line_end(line_runs)
    for stub in stubs(commitment, carrier, timeline.time_zone, min(through, ends)):
        run = next(
            (r for r in line_runs if r.ends_on is None or r.ends_on > stub.service_from), line_runs[-1]
        )
        total = sum((c.exact for c in counted if stub.service_from <= c.service_from < stub.period_to), ZERO)
        exact = true_up(commitment.amount, stub.share, total, commitment.overage_factor)
        yield Charge(
            line=carrier.id,
            segment=run.first.id,
            kind=MINIMUM,
            period_from=stub.period_from,
            period_to=stub.period_to,
            service_from=stub.service_from,
            service_to=stub.service_to,
            due_on=stub.service_to - ONE_DAY,
            quantity=Fraction(1),
            exact=exact,
            amount=quantize(exact, timeline.currency),  # the one rounding of a true-up
            currency=timeline.currency,
            formula=_formula(commitment, stub, total),
        )


def _formula(commitment: Commitment, stub: Stub, counted: Fraction) -> str:
    share = f"{TIMES}{plain(stub.share)}" if stub.share != 1 else ""
    minimum = f"{plain(commitment.amount)}{share}"
    if counted < commitment.amount * stub.share:
        return f"committed {minimum} - charged {plain(counted)}"
    over = plain(commitment.overage_factor - 1)
    return f"(charged {plain(counted)} - committed {minimum}){TIMES}{over}"


def stubs(commitment: Commitment, carrier: Line, time_zone: str, through: dt.date) -> list[Stub]:
    """The periods of a commitment that end by `through`, cut to the contract's days, with their shares."""
    ends_on = commitment.ends_on or dt.date.max
    if commitment.per is None:
        if ends_on > through:
            return []
        return [Stub(commitment.starts_on, ends_on, commitment.starts_on, ends_on, Fraction(1))]
    found: list[Stub] = []
    own_grid = grid.line_grid(carrier, commitment.per)
    for low, high in own_grid.periods(commitment.starts_on, min(ends_on, through)):
        start, end = max(low, commitment.starts_on), min(high, ends_on)
        if end > through:
            break
        share = proration.share(
            carrier.proration,
            start,
            end,
            (low, high),
            months=own_grid.months,
            first_day=commitment.starts_on,
            time_zone=time_zone if carrier.proration is Proration.SECONDS else "UTC",
            counted=carrier.counted_day,
        )
        found.append(Stub(low, high, start, end, share))
    return found
