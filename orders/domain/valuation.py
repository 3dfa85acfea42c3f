"""What a contract is worth: the committed value of segments, exactly.

Used to show the effect of an amendment and to compare an order with what was signed. It is not the bill:
usage has no committed value, and the bill rounds per charge where this rounds once per line. Both use the
same conventions (periods counted from the anchor, half-open dates, one fraction per period).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from o2c.errors import InvalidInput
from o2c.money import quantize
from o2c.periods import Period, add_months
from orders.domain.timeline import Span

CHARGED_ONCE = frozenset({"one_time", "prepaid"})
MONTHS = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}


def amount(spec: Mapping[str, Any], quantity: Decimal | Fraction, month: int = 0) -> Fraction:
    """The price of `quantity` for one whole price period, before discount; exact.

    `month` is the number of whole months since the line began; only a ramp looks at it.

    >>> amount({"model": "graduated", "tiers": [{"up_to": "10", "unit_amount": "3"},
    ...         {"up_to": None, "unit_amount": "2"}]}, Decimal("12"))
    Fraction(34, 1)

    Raises InvalidInput for a price that needs a metered quantity or its dimensions.
    """
    model = spec["model"]
    if model in ("flat", "one_time", "prepaid"):
        return Fraction(spec["amount"])
    if model == "per_unit":
        return Fraction(spec["unit_amount"]) * Fraction(quantity)
    if model == "graduated":
        return _graduated(spec["tiers"], Fraction(quantity))
    if model == "volume":
        return _volume(spec["tiers"], Fraction(quantity))
    if model == "package":
        beyond = Fraction(quantity) - Fraction(spec.get("free_units", "0"))
        packages = -(-beyond // Fraction(spec["size"])) if beyond > 0 else 0
        return packages * Fraction(spec["amount"])
    if model == "minimum":
        return max(Fraction(spec["amount"]), amount(spec["price"], quantity, month))
    if model == "cap":
        return min(Fraction(spec["amount"]), amount(spec["price"], quantity, month))
    if model == "overage":
        beyond = max(Fraction(quantity) - Fraction(spec["included"]), Fraction(0))
        return amount(spec["price"], beyond, month)
    if model == "multiple":
        return Fraction(spec["factor"]) * amount(spec["price"], quantity, month)
    if model == "ramp":
        steps = [step for step in spec["steps"] if int(Decimal(step["from_month"])) <= month]
        return amount(steps[-1]["price"], quantity, month)
    raise InvalidInput(f"A price of model {model!r} has no value without metered usage")


def _graduated(tiers: Sequence[Mapping[str, Any]], quantity: Fraction) -> Fraction:
    """Each unit at the price of its own tier; the flat amount of every tier that is entered."""
    total, below = Fraction(0), Fraction(0)
    for position, tier in enumerate(tiers):
        if quantity <= below and position > 0:
            break
        end = quantity if tier["up_to"] is None else min(quantity, Fraction(tier["up_to"]))
        total += Fraction(tier["unit_amount"]) * (end - below)
        if quantity > below:
            total += Fraction(tier.get("flat_amount", "0"))
        below = end
    return total


def _volume(tiers: Sequence[Mapping[str, Any]], quantity: Fraction) -> Fraction:
    """All units at the price of the tier that the quantity reaches; nothing for nothing."""
    if quantity == 0:
        return Fraction(0)
    tier = next(t for t in tiers if t["up_to"] is None or quantity <= Fraction(t["up_to"]))
    return Fraction(tier["unit_amount"]) * quantity + Fraction(tier.get("flat_amount", "0"))


def periods_of(
    unit: str, starts_on: dt.date, anchor: str, anchor_on: dt.date | None, *, since: dt.date, until: dt.date
) -> Iterator[Period]:
    """The periods of `unit` ("week", "month", …) that touch `[since, until)`, in order.

    Anniversary periods are counted from `anchor_on`, or the start. Calendar periods begin on Mondays, or on
    the billing day (the day of `anchor_on`, or the 1st), from January on. Period k comes from the anchor.

    >>> [str(p.start) for p in periods_of("quarter", dt.date(2026, 8, 15), "calendar", None,
    ...                                   since=dt.date(2026, 8, 15), until=dt.date(2026, 11, 1))]
    ['2026-07-01', '2026-10-01']
    """
    base = anchor_on or starts_on
    if anchor != "anniversary":
        day = anchor_on.day if anchor_on and unit != "week" else 1
        base = dt.date(2001, 1, day)  # a Monday, when it is the 1st
    if unit == "week":
        k = (since - base).days // 7
        while (start := base + dt.timedelta(days=7 * k)) < until:
            yield Period(start, start + dt.timedelta(days=7))
            k += 1
        return
    months = MONTHS[unit]
    k = ((since.year - base.year) * 12 + since.month - base.month) // months
    if add_months(base, k * months) > since:
        k -= 1
    while (start := add_months(base, k * months)) < until:
        yield Period(start, add_months(base, (k + 1) * months))
        k += 1


def share(
    part: Period,
    whole: Period,
    proration: str,
    first_day: dt.date,
    *,
    counted_day: str = "first",
    time_zone: str = "UTC",
) -> Fraction:
    """How much of the period `whole` is due for `part` of it; the parts of a period sum to one.

    actual_days: days over days. fixed_30: every month has 30 days, a 31st counts as a 30th. thirty_360: bond
    basis (NASD), measured from the first day of the period. whole_months: a month is due from whoever holds
    its first day of service. none: the period is due from whoever holds its first day of service. seconds:
    elapsed seconds between midnights in `time_zone`. `first_day` is the first day of the line. Where the
    "last" day counts, limits inside of the period lie a day later.
    """
    assert part.end is not None
    assert whole.end is not None
    if counted_day == "last" and proration not in ("whole_months", "none"):
        return share(
            Period(_a_day_later(part.start, whole), _a_day_later(part.end, whole)),
            whole,
            proration,
            first_day,
            time_zone=time_zone,
        )
    if proration in ("whole_months", "none"):
        months = months_between(whole.start, whole.end) if proration == "whole_months" else 1
        return Fraction(_held(part, whole, months, first_day), months)
    if proration == "fixed_30":
        days = [
            360 * d.year + 30 * d.month + min(d.day, 30)
            for d in (part.start, part.end, whole.start, whole.end)
        ]
        return Fraction(days[1] - days[0], days[3] - days[2])
    if proration == "thirty_360":
        until_start, until_end = _days_360(whole.start, part.start), _days_360(whole.start, part.end)
        return Fraction(until_end - until_start, _days_360(whole.start, whole.end))
    if proration == "seconds":
        return Fraction(
            _seconds(part.start, part.end, time_zone), _seconds(whole.start, whole.end, time_zone)
        )
    return Fraction(part.days, whole.days)


def _a_day_later(limit: dt.date, whole: Period) -> dt.date:
    assert whole.end is not None
    return limit + dt.timedelta(days=1) if whole.start < limit < whole.end else limit


def _seconds(start: dt.date, end: dt.date, time_zone: str) -> int:
    begins, ends = (
        dt.datetime.combine(day, dt.time(), ZoneInfo(time_zone)).astimezone(dt.UTC) for day in (start, end)
    )
    return int((ends - begins).total_seconds())


def _held(part: Period, whole: Period, months: int, first_day: dt.date) -> int:
    """How many of the `months` equal pieces of `whole` have their first day of service in `part`."""
    assert whole.end is not None
    held = 0
    for k in range(months):
        starts = add_months(whole.start, k)
        ends = whole.end if k == months - 1 else add_months(whole.start, k + 1)
        held += ends > first_day and part.contains(max(starts, first_day))
    return held


def _days_360(start: dt.date, end: dt.date) -> int:
    """Days from start to end on bond basis (NASD)."""
    d1, d2 = start.day, end.day
    if _ends_february(start):
        d1, d2 = 30, 30 if _ends_february(end) else d2
    if d2 == 31 and d1 >= 30:
        d2 = 30
    months = (end.year - start.year) * 12 + end.month - start.month
    return months * 30 + d2 - min(d1, 30)


def _ends_february(day: dt.date) -> bool:
    return day.month == 2 and (day + dt.timedelta(days=1)).month == 3


def months_between(start: dt.date, day: dt.date) -> int:
    """Whole months from `start` to `day`, counted from `start`."""
    months = (day.year - start.year) * 12 + day.month - start.month
    return months if add_months(start, months) <= day else months - 1


@dataclass(frozen=True, slots=True)
class Clauses:
    """What the value of a line depends on beside its spans.

    kind        of the SKU: usage has no committed value, one-time and prepaid lines are charged once
    starts_on   of the order
    anchor_on   where billing periods are counted from, when it is not the start
    first_day   of the line; a ramp counts its months from here
    until       value is counted up to here (the end of the term, or a horizon for an open one)
    """

    kind: str
    starts_on: dt.date
    first_day: dt.date
    until: dt.date
    anchor: str = "anniversary"
    proration: str = "actual_days"
    anchor_on: dt.date | None = None
    counted_day: str = "first"
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Priced:
    """A span with the price it stands for: the spec in force (list or override) and what a recurring amount
    pays.
    """

    span: Span
    spec: Mapping[str, Any]
    period: str


def span_value(priced: Priced, clauses: Clauses) -> Fraction:
    """The committed value of one span, after discount, not rounded."""
    span = priced.span
    keep = 1 - Fraction(span.discount_percent) / 100
    end = min(span.ends_on or clauses.until, clauses.until)
    if clauses.kind == "usage" or span.paused or end <= span.starts_on:
        return Fraction(0)
    if clauses.kind in CHARGED_ONCE:
        return amount(priced.spec, span.quantity) * keep
    served = Period(span.starts_on, end)
    total = Fraction(0)
    for whole in periods_of(
        priced.period,
        clauses.starts_on,
        clauses.anchor,
        clauses.anchor_on,
        since=span.starts_on,
        until=end,
    ):
        part = whole.intersect(served)
        if part is not None:
            month = months_between(clauses.first_day, max(whole.start, clauses.first_day))
            due = share(
                part,
                whole,
                clauses.proration,
                clauses.first_day,
                counted_day=clauses.counted_day,
                time_zone=clauses.time_zone,
            )
            total += amount(priced.spec, span.quantity, month) * due
    return total * keep


def line_value(spans: Sequence[Priced], clauses: Clauses, currency: str) -> Decimal:
    """The committed value of a line, rounded once, here."""
    return quantize(sum((span_value(span, clauses) for span in spans), Fraction(0)), currency)
