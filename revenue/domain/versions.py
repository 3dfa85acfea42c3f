"""From what a contract promises to a price and a schedule per obligation, version by version."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from o2c.money import quantize
from revenue.domain.allocation import relative
from revenue.domain.modifications import Change, curve, decide, paragraph, plan
from revenue.domain.schedules import units
from revenue.domain.types import Band, Plan, Treatment, Version

# Charges are rounded once a period, so stated prices miss their exact proportion by some cents. Stated
# prices within a thousandth of the relative allocation are the allocation: there is no discount to move.
PROPORTION = Fraction(1, 1000)
# An addition counts as sold at its stand-alone price within this share of it.
AT_STANDALONE = Fraction(1, 1000)

STATED = "606-10-32-36: stated prices are in proportion to stand-alone prices"
RELATIVE = "606-10-32-31: in proportion to stand-alone prices"
KEPT = "not changed by this version"
CREDITED = "a credit of its own line"

# What a person decided instead of the rules, by line; a judgement of 606-10-25-12 and 25-13.
Judged = Mapping[int, Treatment]
NOBODY: Judged = {}


@dataclass(frozen=True, slots=True)
class Promise:
    """One obligation with a fixed price, as a version knows it, over its whole term.

    `stated` is what its lines charge, `ssp` what it sells for by itself; `bands` the promised service.
    """

    line: int
    stated: Decimal
    ssp: Decimal
    bands: tuple[Band, ...]


@dataclass(frozen=True, slots=True)
class Priced:
    """A promise with the price that the version gives it, and how that enters its schedule."""

    promise: Promise
    price: Decimal
    treatment: Treatment
    rule: str


@dataclass(frozen=True, slots=True)
class State:
    """A contract version: all its priced promises, by line, and the day from which it counts."""

    effective_on: dt.date
    priced: Mapping[int, Priced]

    @property
    def price(self) -> Decimal:
        return sum((p.price for p in self.priced.values()), Decimal(0))


def in_proportion(promises: Sequence[Promise], currency: str) -> bool:
    """Whether the stated prices already are the relative allocation, but for the cents of periods."""
    price = sum((p.stated for p in promises), Decimal(0))
    shares = relative(price, {str(p.line): p.ssp for p in promises}, currency)
    return all(
        abs(Fraction(shares[str(p.line)] - p.stated)) <= PROPORTION * abs(Fraction(p.stated))
        for p in promises
    )


def initial(effective_on: dt.date, promises: Sequence[Promise], currency: str) -> State:
    """The first version: the transaction price, which is the sum stated, over all promises."""
    if in_proportion(promises, currency):
        prices, rule = {p.line: p.stated for p in promises}, STATED
    else:
        total = sum((p.stated for p in promises), Decimal(0))
        shares = relative(total, {str(p.line): p.ssp for p in promises}, currency)
        prices, rule = {p.line: shares[str(p.line)] for p in promises}, RELATIVE
    return State(effective_on, {p.line: Priced(p, prices[p.line], Treatment.INITIAL, rule) for p in promises})


def modified(
    history: Sequence[State],
    effective_on: dt.date,
    promises: Sequence[Promise],
    currency: str,
    judged: Judged = NOBODY,
) -> State:
    """The next version, decided per obligation (606-10-25-10 to 25-13).

    Additions at their stand-alone price are a separate contract and leave the rest alone. Otherwise
    what is not earned yet and what the change adds belong to the service that remains, by SSP. Stated
    prices in proportion to SSPs need no pool: each obligation keeps its own.

    `judged` says the treatment of lines about which a person decided. A change that is a separate
    contract, or part of one promise that is partly satisfied, takes its price to its own line: nothing of
    it belongs to other promises.
    """
    before = history[-1].priced
    changed = [p for p in promises if p.line not in before or before[p.line].promise != p]
    own = {p.line for p in promises if _keeps_its_price(before.get(p.line), p, judged)}
    stated_rules = in_proportion(promises, currency) and all(
        b.price == b.promise.stated for b in before.values()
    )
    if stated_rules:
        prices = {p.line: p.stated for p in promises}
    elif all(p.line in own for p in changed):
        prices = {p.line: _old_price(before, p.line) + _more_stated(before, p) for p in promises}
    else:
        prices = _pooled(history, effective_on, promises, currency, own & judged.keys())
    return State(effective_on, {p.line: _priced(before, p, prices[p.line], judged) for p in promises})


def adjusted(history: Sequence[State], effective_on: dt.date) -> State:
    """A version that a credit made: it lowers its own line and moves no other price."""
    kept = {
        line: Priced(p.promise, p.price, Treatment.NONE, CREDITED) for line, p in history[-1].priced.items()
    }
    return State(effective_on, kept)


def _keeps_its_price(known: Priced | None, promise: Promise, judged: Judged) -> bool:
    if promise.line in judged:
        return judged[promise.line] in (Treatment.SEPARATE, Treatment.CUMULATIVE)
    return is_separate(known, promise)


def _old_price(before: Mapping[int, Priced], line: int) -> Decimal:
    return before[line].price if line in before else Decimal(0)


def _more_stated(before: Mapping[int, Priced], promise: Promise) -> Decimal:
    known = before.get(promise.line)
    return promise.stated - (known.promise.stated if known else Decimal(0))


def is_separate(known: Priced | None, promise: Promise) -> bool:
    """Whether the change of this promise adds distinct service at its stand-alone price."""
    stated = promise.stated - (known.promise.stated if known else Decimal(0))
    ssp = promise.ssp - (known.promise.ssp if known else Decimal(0))
    grows = units(promise.bands, dt.date.max) > (units(known.promise.bands, dt.date.max) if known else 0)
    at_price = abs(Fraction(stated - ssp)) <= AT_STANDALONE * abs(Fraction(ssp))
    decision = decide(Change(adds_distinct=grows, at_standalone_price=at_price and stated > 0))
    return decision.treatment is Treatment.SEPARATE


def _priced(before: Mapping[int, Priced], promise: Promise, price: Decimal, judged: Judged) -> Priced:
    known = before.get(promise.line)
    if known is None:
        return Priced(promise, price, Treatment.INITIAL, "606-10-25-12: a new obligation")
    if known.promise.bands == promise.bands and known.price == price:
        return Priced(promise, price, Treatment.NONE, KEPT)
    if promise.line in judged:
        treatment = judged[promise.line]
        return Priced(promise, price, treatment, f"{paragraph(treatment)} (judged)")
    adds_at_price = is_separate(known, promise)
    own_change = price - known.price == promise.stated - known.promise.stated
    decision = decide(Change(adds_distinct=True, at_standalone_price=adds_at_price and own_change))
    return Priced(promise, price, decision.treatment, decision.rule)


def _pooled(
    history: Sequence[State],
    effective_on: dt.date,
    promises: Sequence[Promise],
    currency: str,
    own: AbstractSet[int],
) -> dict[int, Decimal]:
    """606-10-25-13(a): the unrecognised price plus what the change adds, over what remains, by SSP.

    An obligation without service left takes no part: it keeps its price, or the share of it that its
    lines still state when the change took some back. Those of `own` take what their own lines changed.
    With nothing left anywhere each keeps its own.
    """
    before = history[-1].priced
    left = {p.line: _share_left(p, effective_on) for p in promises}
    fixed, earned, weights = {}, {}, {}
    for p in promises:
        known = before.get(p.line)
        if p.line in own:
            fixed[p.line] = _old_price(before, p.line) + _more_stated(before, p)
        elif left[p.line] == 0:
            fixed[p.line] = _kept(known, p, currency)
        else:
            done = _curve_until(history, p.line, effective_on)
            earned[p.line] = quantize(done, currency)  # rounding: what is earned at the effective date
            weights[str(p.line)] = Decimal(quantize(Fraction(p.ssp) * left[p.line], currency))
    total = sum((p.stated for p in promises), Decimal(0))
    if not weights:
        return {p.line: _old_price(before, p.line) + _more_stated(before, p) for p in promises}
    pool = total - sum(fixed.values(), Decimal(0)) - sum(earned.values(), Decimal(0))
    shares = relative(pool, weights, currency)
    return fixed | {line: earned[line] + shares[str(line)] for line in earned}


def _kept(known: Priced | None, promise: Promise, currency: str) -> Decimal:
    if known is None:
        return promise.stated
    if promise.stated == known.promise.stated or not known.promise.stated:
        return known.price
    share = Fraction(promise.stated) / Fraction(known.promise.stated)
    return quantize(Fraction(known.price) * share, currency)  # rounding: the price still stated


def _share_left(promise: Promise, effective_on: dt.date) -> Fraction:
    whole = units(promise.bands, dt.date.max)
    if not whole:
        return Fraction(0)
    return 1 - units(promise.bands, effective_on) / whole


def _curve_until(history: Sequence[State], line: int, day: dt.date) -> Fraction:
    return curve(versions_of(history, line))(day)


def versions_of(history: Iterable[State], line: int) -> list[Version]:
    """What shapes the schedule of one line: the versions that changed it."""
    return [
        Version(state.effective_on, priced.price, priced.promise.bands, priced.treatment)
        for state in history
        if (priced := state.priced.get(line)) and priced.treatment is not Treatment.NONE
    ]


def schedule(history: Sequence[State], line: int, currency: str) -> Plan:
    """The plan of one line under the last of `history`; its sum is the line's price."""
    return plan(versions_of(history, line), currency)
