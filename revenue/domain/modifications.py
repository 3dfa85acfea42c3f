"""Contract modifications, decided per obligation (606-10-25-10 to 25-13), and the curve that follows.

A version says from which day it measures the service (effective date). When its effect is posted is
another matter: the books take the difference between what this curve says for every month and what
has been posted for it, in the first open period. Closed cents never move.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from o2c.periods import Period
from revenue.domain.schedules import Curve, at_point, by_month, straight, units
from revenue.domain.types import Measure, Plan, Treatment, Version


@dataclass(frozen=True, slots=True)
class Change:
    """The facts that decide a modification of one obligation."""

    approved: bool = True
    adds_distinct: bool = False
    at_standalone_price: bool = False
    remaining_distinct: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """The treatment, and the paragraph that it follows."""

    treatment: Treatment
    rule: str


PARAGRAPHS = {
    Treatment.NONE: "606-10-25-11: not approved, nothing to account for",
    Treatment.SEPARATE: "606-10-25-12: distinct goods at their own price",
    Treatment.PROSPECTIVE: "606-10-25-13(a): the remaining service is distinct",
    Treatment.CUMULATIVE: "606-10-25-13(b): one promise, partly satisfied",
}


def paragraph(treatment: Treatment) -> str:
    """The paragraph that a treatment of a modification follows, in words."""
    return PARAGRAPHS[treatment]


def decide(change: Change) -> Decision:
    """Which of the treatments of 606-10-25 a change of one obligation takes."""
    if not change.approved:
        treatment = Treatment.NONE
    elif change.adds_distinct and change.at_standalone_price:
        treatment = Treatment.SEPARATE
    elif change.remaining_distinct:
        treatment = Treatment.PROSPECTIVE
    else:
        treatment = Treatment.CUMULATIVE
    return Decision(treatment, paragraph(treatment))


def in_force(versions: Sequence[Version]) -> list[Version]:
    """The versions that shape the curve, by effective date, from versions in the order they came.

    A later version that reaches back replaces every earlier one from its effective date on.
    """
    chain: list[Version] = []
    for version in versions:
        while chain and chain[-1].effective_on >= version.effective_on:
            chain.pop()
        chain.append(version)
    return chain


def curve(versions: Sequence[Version], measure: Measure = Measure.DAY) -> Curve:
    """The exact revenue earned before a date under all `versions` of one obligation.

    Before its effective date a version changes nothing. From then on it earns
    - separate: the added price over the added units, beside what the earlier versions earn;
    - prospective: what is not earned yet, evenly over the units that remain;
    - cumulative: its price over all units, with the catch-up on the effective date.

    With no units left a prospective version is earned on its effective date: there is no service
    over which it could wait (a credit after the end, a fee for leaving at once).
    """
    chain = in_force(versions)
    earned: Curve = _nothing
    previous: Version | None = None
    for version in chain:
        earned = _after(earned, previous, version, measure)
        previous = version
    return earned


def _nothing(day: dt.date) -> Fraction:
    return Fraction(0)


def _after(before: Curve, previous: Version | None, version: Version, measure: Measure) -> Curve:
    """The curve once `version` has come on top of `before`."""
    if previous is None:
        return straight(version.price, version.bands, measure) if version.bands else _nothing
    if version.treatment is Treatment.CUMULATIVE:
        return _cumulative(before, version, measure)
    if version.treatment is Treatment.SEPARATE:
        added = _more(previous, version, dt.date.max, measure)
        # What was promised before the effective date may not move: else it is no separate contract.
        if added > 0 and not _more(previous, version, version.effective_on, measure):
            return _separate(before, previous, version, measure, added)
    return _prospective(before, version, measure)


def _more(previous: Version, version: Version, until: dt.date, measure: Measure) -> Fraction:
    """Units that `version` promises before `until` beyond those of `previous`."""
    return units(version.bands, until, measure) - units(previous.bands, until, measure)


def _cumulative(before: Curve, version: Version, measure: Measure) -> Curve:
    if version.bands:
        whole = straight(version.price, version.bands, measure)
    else:
        whole = at_point(version.price, version.effective_on)
    return lambda day: before(day) if day <= version.effective_on else whole(day)


def _separate(before: Curve, previous: Version, version: Version, measure: Measure, added: Fraction) -> Curve:
    """The added price over the added units alone; what went before earns as if nothing had happened."""
    price = Fraction(version.price) - Fraction(previous.price)

    return lambda day: before(day) + price * _more(previous, version, day, measure) / added


def _prospective(before: Curve, version: Version, measure: Measure) -> Curve:
    start = version.effective_on
    done = units(version.bands, start, measure)
    left = units(version.bands, dt.date.max, measure) - done
    carried = before(start)
    rest = Fraction(version.price) - carried

    def prospective(day: dt.date) -> Fraction:
        if day <= start:
            return before(day)
        if not left:
            return Fraction(version.price)
        return carried + rest * (units(version.bands, day, measure) - done) / left

    return prospective


def plan(versions: Sequence[Version], currency: str, measure: Measure = Measure.DAY) -> Plan:
    """The schedule of one obligation: every month from its first to its last day of service.

    The sum is the price of the last version, whatever the order the versions came in.
    """
    chain = in_force(versions)
    days = [day for v in chain for band in v.bands for day in (band.start, band.end)]
    for version in chain[1:]:
        days += [version.effective_on, version.effective_on + dt.timedelta(days=1)]
    if not days:
        return ()
    return by_month(curve(versions, measure), Period(min(days), max(days)), currency)


@dataclass(frozen=True, slots=True)
class Blend:
    """What remains after a prospective modification of a promise counted in units."""

    consideration: Decimal
    units: int

    @property
    def unit_price(self) -> Fraction:
        return Fraction(self.consideration) / self.units


def blend(unrecognised: Decimal, left: int, added: Decimal, added_units: int) -> Blend:
    """606-10-25-13(a) in units: (unrecognised + new) over what is still to deliver.

    60 units at 100 left and 30 more at 80: 8,400 over 90 units, 93.33 a unit.
    """
    return Blend(unrecognised + added, left + added_units)
