"""Why a charge is what it is: its working, kept while computing and written out only when asked for."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from billing.domain import adjustments, proration
from billing.domain.adjustments import Adjustment
from billing.domain.measures import ONE, ZERO
from billing.domain.prices import Price, Rated, Step
from billing.domain.types import Charge, Slot

TIMES = " \N{MULTIPLICATION SIGN} "


@dataclass(frozen=True, slots=True)
class Piece:
    """One stretch of a slot at one price: `rated` x `share`, where share is 1 for metered usage.

    `adjusted` are the overrides and coupons that hold for it; `off` is what they take off in amounts.
    """

    starts: dt.date
    ends: dt.date
    price: Price
    rated: Rated
    share: Fraction
    adjusted: tuple[Adjustment, ...] = ()
    off: Fraction = ZERO

    def after_discounts(self, keep: Fraction) -> Fraction:
        """What is left when `keep` of it remains of a discount and amounts are off; never below zero."""
        amount = self.rated.amount * self.share * keep
        return amount - min(self.off, amount) if self.off else amount


@dataclass(frozen=True, slots=True)
class Working:
    """The values that one charge was computed from.

    `bounded_share` is the part of the billing period by which floor and ceiling were prorated; `rated`
    is the sum of the pieces, `discounted` after the discount, and the charge's `exact` after the bounds.
    """

    slot: Slot
    segments: tuple[int, ...]
    pieces: tuple[Piece, ...]
    rated: Fraction
    discounted: Fraction
    bounded_share: Fraction
    events: int = 0


def plain(value: Fraction) -> str:
    """An exact decimal when there is one within 15 places, else the fraction: "0.0000025", "65/3"."""
    if value.denominator == 1:
        return str(value.numerator)
    digits, denominator = 0, value.denominator
    while digits < 15 and (10**digits) % denominator:
        digits += 1
    if (10**digits) % denominator:
        return f"{value.numerator}/{value.denominator}"
    scaled = abs(value.numerator) * 10**digits // denominator
    whole, rest = divmod(scaled, 10**digits)
    return f"{'-' if value < 0 else ''}{whole}.{rest:0{digits}d}"


def _step(step: Step) -> dict[str, Any]:
    row: dict[str, Any] = {
        "label": step.label,
        "units": plain(step.units),
        "unit_amount": plain(step.unit_amount),
        "amount": plain(step.amount),
    }
    if step.flat_amount:
        row["flat_amount"] = plain(step.flat_amount)
    if step.dimensions:
        row["dimensions"] = dict(step.dimensions)
    return row


def _product(step: Step) -> str:
    if not step.units and not step.unit_amount:
        return plain(step.flat_amount)
    product = f"{plain(step.units)}{TIMES}{plain(step.unit_amount)}"
    return f"{product} + {plain(step.flat_amount)}" if step.flat_amount else product


def _formula(working: Working, charge: Charge) -> str:
    parts = []
    for piece in working.pieces:
        products = [_product(step) for step in piece.rated.steps if step.amount] or ["0"]
        text = " + ".join(products)
        if piece.share != ONE:
            text = f"({text})" if len(products) > 1 or " + " in text else text
            text += f"{TIMES}{piece.share.numerator}/{piece.share.denominator}"
        parts.append(text)
    text = " + ".join(parts) or "0"
    discount = working.slot.segment.discount_percent
    if discount:
        text = f"({text}){TIMES}{plain(ONE - Fraction(discount) / 100)}"
    off = sum((piece.off for piece in working.pieces), ZERO)
    if off:
        text += f" - {plain(off)}"
        if working.discounted == ZERO:
            text = f"{text}, at least 0"
    if charge.exact != working.discounted:
        bound = "at least" if charge.exact > working.discounted else "at most"
        text = f"{bound} {plain(charge.exact)} instead of {text}"
    return text


def _rounded(charge: Charge) -> str:
    if not charge.remainder:
        return f"rounded {charge.amount}"
    own = charge.amount - charge.remainder
    return f"rounded {own}, with the remainder of its price period {charge.remainder}: {charge.amount}"


def explain(charge: Charge) -> dict[str, Any]:
    """The trace that is stored with a charge: JSON values only, numbers as exact text.

    Whoever holds it can compute the amount again by hand: formula with the values put in, price version,
    tiers and quantities, days, discount, floor or ceiling, the exact result and its one rounding.
    """
    working = charge.working
    if working is None:
        return _of_formula(charge)
    slot, segment = working.slot, working.slot.segment
    line = slot.line
    trace: dict[str, Any] = {
        "formula": f"{_formula(working, charge)} = {plain(charge.exact)}, {_rounded(charge)}",
        "exact": f"{charge.exact.numerator}/{charge.exact.denominator}",
        "amount": str(charge.amount),
        "currency": charge.currency,
        "price": segment.price_ref,
        "price_id": segment.price_id,
        "quantity": plain(charge.quantity),
        "period": [str(slot.period_from), str(slot.period_to)],
        "service": [str(slot.service_from), str(slot.service_to)],
        "segments": list(working.segments),
        "pieces": [
            {
                "from": str(piece.starts),
                "to": str(piece.ends),
                "model": piece.price.model.name,
                "share": f"{piece.share.numerator}/{piece.share.denominator}",
                "steps": [_step(step) for step in piece.rated.steps],
            }
            for piece in working.pieces
        ],
    }
    if any(piece.share != ONE for piece in working.pieces) or working.bounded_share != ONE:
        period = (slot.period_from, slot.period_to)
        trace["proration"] = {
            "convention": line.proration.value,
            "days": proration.explain(
                line.proration, slot.service_from, slot.service_to, period, line.counted_day
            ),
        }
    adjusted = dict.fromkeys(adjustments.text(one) for piece in working.pieces for one in piece.adjusted)
    if adjusted:
        trace["adjustments"] = list(adjusted)
    if segment.discount_percent:
        trace["discount_percent"] = str(segment.discount_percent)
    if charge.exact != working.discounted:
        trace["bounded_from"] = plain(working.discounted)
    if charge.remainder:
        trace["remainder"] = str(charge.remainder)
    if working.events:
        trace["events"] = working.events
    if line.filters:
        trace["counted"] = {name: sorted(values) for name, values in line.filters}
    return trace


def _of_formula(charge: Charge) -> dict[str, Any]:
    """The trace of a charge that no price makes: a true-up."""
    assert charge.formula, "a charge that was computed knows its working"
    return {
        "formula": f"{charge.formula} = {plain(charge.exact)}, rounded {charge.amount}",
        "exact": f"{charge.exact.numerator}/{charge.exact.denominator}",
        "amount": str(charge.amount),
        "currency": charge.currency,
        "period": [str(charge.period_from), str(charge.period_to)],
        "service": [str(charge.service_from), str(charge.service_to)],
    }


def labels(charge: Charge) -> list[str]:
    """The names of the steps of a charge, in order."""
    assert charge.working is not None
    return [step.label for piece in charge.working.pieces for step in piece.rated.steps]


def components(charge: Charge) -> list[tuple[Step, Fraction]]:
    """The steps of a charge with the exact part of the charge that each one makes, for sub-lines.

    A floor, ceiling or discount changes the parts in proportion, so that they sum to the charge's `exact`.
    """
    working = charge.working
    assert working is not None
    parts = [(step, step.amount * piece.share) for piece in working.pieces for step in piece.rated.steps]
    total = sum((amount for _, amount in parts), ZERO)
    if not total:
        return []
    return [(step, amount * charge.exact / total) for step, amount in parts]
