"""The charge calculation, per contract line, against the work that nobody can avoid.

    python -m bench.charges [contracts]

Contracts of three lines (seats whose quantity changes, graduated requests, a platform fee) over
twelve billed months. The engine with its traces is compared with the bare multiplication and rounding of the
same number of charges in the same exact arithmetic.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from decimal import Decimal
from fractions import Fraction

from billing.domain.charges import expected
from billing.domain.specs import parse
from billing.domain.types import Anchor, Frequency, Kind, Line, Segment, Timeline, Timing, Usage, UsagePoint
from o2c.money import quantize

START = dt.date(2026, 1, 1)
THROUGH = dt.date(2027, 1, 1)
SEATS = {"model": "per_unit", "unit_amount": "30.00"}
FEE = {"model": "flat", "amount": "2500.00"}
REQUESTS = {
    "model": "graduated",
    "tiers": [
        {"up_to": "100000", "unit_amount": "0.002", "flat_amount": "0"},
        {"up_to": None, "unit_amount": "0.001", "flat_amount": "0"},
    ],
}


def contract(number: int) -> tuple[Timeline, Usage]:
    """One contract and a point of usage a day."""
    middle = dt.date(2026, 5, 11)
    base = number * 10

    def line(offset: int, kind: Kind, timing: Timing, *segments: Segment) -> Line:
        return Line(base + offset, kind, timing, Frequency.MONTH, segments, Anchor.CALENDAR, START)

    seats = line(
        1,
        Kind.RECURRING,
        Timing.ADVANCE,
        Segment(base + 1, START, middle, Decimal(40), parse(SEATS), period=Frequency.MONTH),
        Segment(base + 2, middle, None, Decimal(55), parse(SEATS), period=Frequency.MONTH),
    )
    usage = line(2, Kind.USAGE, Timing.ARREARS, Segment(base + 3, START, None, Decimal(1), parse(REQUESTS)))
    fee = line(
        3,
        Kind.RECURRING,
        Timing.ADVANCE,
        Segment(base + 4, START, None, Decimal(1), parse(FEE), period=Frequency.MONTH),
    )
    days = (THROUGH - START).days
    points = [UsagePoint(START + dt.timedelta(days=n), Decimal(9000 + n)) for n in range(days)]
    return Timeline(number, "USD", (seats, usage, fee)), {base + 2: points}


def main(arguments: list[str]) -> None:
    count = int(arguments[0]) if arguments else 1000
    contracts = [contract(number) for number in range(1, count + 1)]
    began = time.perf_counter()
    charges = sum(len(expected(timeline, usage, THROUGH)) for timeline, usage in contracts)
    engine = time.perf_counter() - began

    began = time.perf_counter()
    for n in range(charges):
        quantize(Fraction(30) * (40 + n % 7) * Fraction(21, 31), "USD")
    bare = time.perf_counter() - began

    lines = 3 * count
    print(f"{'charge calculation, 12 months':<46} {engine:7.2f} s {lines / engine:11,.0f} lines a second")
    print(f"{'  charges':<46} {'':9} {charges / engine:11,.0f} charges a second")
    print(f"{'  bare multiplication and rounding':<46} {bare:7.2f} s   ratio {engine / bare:.1f}")


if __name__ == "__main__":
    main(sys.argv[1:])
