"""Both workings of a charge side by side, and the first step at which they part.

The draft's working is the trace that is stored with its line; this calculator's comes from its temporary
tables, so ask in the transaction of the recalculation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from django.db import connection

from billing.recalculation.calculator import Different

WORKING = """
SELECT s.slot_id, jsonb_build_object(
  'period', jsonb_build_array(s.period_from, s.period_to),
  'service', jsonb_build_array(s.service_from, s.service_to),
  'quantity', (CASE WHEN s.kind = 'usage'
    THEN (SELECT coalesce(sum(q.quantity), 0) FROM recalc_measure q JOIN recalc_piece w USING (piece_id)
          WHERE w.slot_id = s.slot_id)
    ELSE s.quantity END)::text,
  'price_id', s.price_id,
  'discount_percent', s.discount_percent::text,
  'pieces', (SELECT jsonb_agg(jsonb_build_object(
      'from', p.starts_on, 'to', p.ends_on,
      'spans', (SELECT jsonb_agg(jsonb_build_array(n.num::text, n.den::text) ORDER BY n.low)
                FROM recalc_span n WHERE n.piece_id = p.piece_id
                  AND n.priced = coalesce(s.paid_every <> s.every, false)
                  AND (s.kind <> 'usage' OR EXISTS (
                    SELECT 1 FROM recalc_leaf f WHERE f.clause = p.clause AND f.step_no = p.step_no
                      AND f.cell_no = 0 AND f.model IN ('flat', 'one_time')))),
      'steps', (SELECT jsonb_agg(jsonb_build_array(t.units::text, t.unit_amount::text, t.flat_amount::text,
                                                   t.sign)
                                 ORDER BY t.sign DESC, t.portion_id, t.picked, t.cell_no, t.tier_no)
                FROM recalc_step t WHERE t.piece_id = p.piece_id))
      ORDER BY p.starts_on)
    FROM recalc_piece p WHERE p.slot_id = s.slot_id),
  'adjustments', (SELECT jsonb_agg(DISTINCT a.name || ': ' || CASE a.method
      WHEN 'replace' THEN 'another price'
      WHEN 'multiply' THEN trim_scale(a.value) || ' times'
      WHEN 'percent_off' THEN trim_scale(a.value) || ' percent off'
      ELSE trim_scale(a.value) || ' off a period' END)
    FROM recalc_piece p JOIN recalc_agreed a ON a.line_id = p.line_id
      AND a.starts_on <= p.starts_on AND a.ends_on >= p.ends_on
    WHERE p.slot_id = s.slot_id),
  'discounted', round(m.discounted, 90)::text, 'bounded', round(m.bounded, 90)::text,
  'exact', m.exact::text, 'remainder', m.remainder::text, 'amount', m.amount::text)
FROM recalc_slot s JOIN recalc_amount m USING (slot_id) WHERE s.slot_id = ANY(%(slots)s)
UNION ALL
SELECT i.slot_id, jsonb_build_object(
  'period', jsonb_build_array(i.period_from, i.service_to),
  'service', jsonb_build_array(i.service_from, i.service_to),
  'instalments', i.parts, 'exact', i.exact::text, 'amount', i.amount::text)
FROM recalc_instalment i WHERE i.slot_id = ANY(%(slots)s)
"""
DRAFTED = """
SELECT id, trace FROM billing_invoiceline WHERE id = ANY(%s)
"""
# Two exact numbers, one of them cut after 90 digits.
TOLERANCE = Fraction(1, 10**60)
NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the working, as both calculators have it, in words; `same` when they agree."""

    name: str
    drafted: str
    recalculated: str
    same: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """A difference with its steps in the order of the working."""

    different: Different
    steps: Sequence[Step]

    @property
    def first(self) -> Step:
        """The first step that differs; the last one when all that is compared agrees."""
        return next((step for step in self.steps if not step.same), self.steps[-1])


def compare(different: Iterable[Different]) -> list[Comparison]:
    """The workings of these keys beside each other. Two statements."""
    rows = list(different)
    with connection.cursor() as cursor:
        cursor.execute(WORKING, {"slots": [row.slot_id for row in rows if row.slot_id is not None]})
        own = {pk: _json(value) for pk, value in cursor.fetchall()}
        cursor.execute(DRAFTED, [[row.invoice_line_id for row in rows if row.invoice_line_id is not None]])
        drafted = {pk: _json(trace) for pk, trace in cursor.fetchall()}
    found = []
    for row in rows:
        mine = own.get(row.slot_id) if row.slot_id is not None else None
        trace = drafted.get(row.invoice_line_id) if row.invoice_line_id is not None else None
        found.append(Comparison(row, _steps(row, trace, mine)))
    return found


def _json(value: Any) -> dict[str, Any]:
    return dict(json.loads(value)) if isinstance(value, str) else dict(value)


def _steps(row: Different, trace: Mapping[str, Any] | None, own: Mapping[str, Any] | None) -> list[Step]:
    steps: list[Step] = []
    expects = trace is not None and bool(trace.get("pieces"))
    if expects and trace is not None and own is not None:
        steps += _compared(trace, own)
    elif expects != (own is not None):
        period = f"period from {row.period_from}"
        steps.append(
            Step("Period", period if expects else "no charge", period if own else "no charge", False)
        )
    correction = (trace or {}).get("correction", {})
    billed = correction.get("billed_before", "0")
    steps.append(_number("Billed before", billed if trace is not None else NOTHING, str(row.billed)))
    steps.append(_number("To bill", str(row.drafted), str(row.due)))
    return steps


def _compared(trace: Mapping[str, Any], own: Mapping[str, Any]) -> list[Step]:
    """From the calendar to the rounding: the order in which an amount comes about."""
    steps = [
        _text("Period", " to ".join(trace["period"]), " to ".join(own["period"])),
        _text("Days of service", " to ".join(trace["service"]), " to ".join(own["service"])),
    ]
    if "instalments" in own:
        theirs = [(s["label"], s["amount"]) for piece in trace["pieces"] for s in piece["steps"]]
        steps.append(_text("Instalments", _named(theirs), _named(own["instalments"])))
        return [*steps, *_result(trace, own)]
    steps += [
        _number("Quantity", trace["quantity"], own["quantity"]),
        _text("Price version", str(trace["price_id"]), str(own["price_id"])),
    ]
    agreed = [sorted(said.get("adjustments") or []) for said in (trace, own)]
    if any(agreed):
        steps.append(_text("Overrides and coupons", *("; ".join(texts) or "none" for texts in agreed)))
    pieces, ours = trace["pieces"], own["pieces"] or []
    if len(pieces) != len(ours):
        steps.append(_text("Stretches at one price", str(len(pieces)), str(len(ours))))
    for piece, mine in zip(pieces, ours, strict=False):
        label = f" {piece['from']} to {piece['to']}" if len(pieces) > 1 else ""
        steps.append(
            _text(f"Days at the price{label}", *(f"{p['from']} to {p['to']}" for p in (piece, mine)))
        )
        steps += _rated(piece, mine, label)
    steps.append(_number("Discount percent", trace.get("discount_percent", "0"), own["discount_percent"]))
    return [*steps, *_result(trace, own)]


def _result(trace: Mapping[str, Any], own: Mapping[str, Any]) -> list[Step]:
    return [
        _number("Exact amount", trace["exact"], own["exact"]),
        _number("Remainder of the price period", trace.get("remainder", "0"), own.get("remainder", "0")),
        _number("Rounded", trace["amount"], own["amount"]),
    ]


def _named(parts: Iterable[Sequence[str]]) -> str:
    """Instalments by name: "On signature 40000"."""
    return "; ".join(f"{name} {_plain(_fraction(amount))}" for name, amount in parts)


def _rated(piece: Mapping[str, Any], mine: Mapping[str, Any], label: str) -> list[Step]:
    """Units and unit amounts, what they come to, and the share of it."""
    theirs = _products((s["units"], s["unit_amount"], s.get("flat_amount", "0"), 1) for s in piece["steps"])
    ours = _products(mine["steps"] or [])
    their_sum = sum((_fraction(step["amount"]) for step in piece["steps"]), Fraction(0))
    our_sum = sum((units * unit + flat for units, unit, flat in ours), Fraction(0))
    agree = _close(their_sum, our_sum)
    steps = [
        Step(f"Units at unit amounts{label}", _said(theirs), _said(ours), agree or _alike(theirs, ours)),
        Step(f"Amount of the units{label}", _plain(their_sum), _plain(our_sum), agree),
    ]
    spans = mine["spans"] or []
    share = sum((Fraction(int(n), int(d)) for n, d in spans), Fraction(0)) if spans else Fraction(1)
    their_share = _fraction(piece["share"])
    steps.append(Step(f"Share of the period{label}", str(their_share), str(share), their_share == share))
    return steps


Product = tuple[Fraction, Fraction, Fraction]


def _products(steps: Iterable[Sequence[Any]]) -> list[Product]:
    """(units, unit amount, flat amount) by unit amount, with what was counted before taken off."""
    units: dict[Fraction, list[Fraction]] = {}
    for count, unit, flat, sign in steps:
        row = units.setdefault(_fraction(unit), [Fraction(0), Fraction(0)])
        row[0] += sign * _fraction(count)
        row[1] += sign * _fraction(flat)
    return [(row[0], unit, row[1]) for unit, row in sorted(units.items()) if row[0] or row[1]]


def _alike(a: Sequence[Product], b: Sequence[Product]) -> bool:
    return len(a) == len(b) and all(
        _close(x, y) for one, other in zip(a, b, strict=True) for x, y in zip(one, other, strict=True)
    )


def _said(products: Sequence[Product]) -> str:
    parts = []
    for units, unit, flat in products:
        text = f"{_plain(units)} x {_plain(unit)}" if units else ""
        parts.append(" + ".join(part for part in (text, _plain(flat) if flat else "") if part))
    return "; ".join(parts) or "0"


def _text(name: str, drafted: str, recalculated: str) -> Step:
    return Step(name, drafted, recalculated, drafted == recalculated)


def _number(name: str, drafted: str, recalculated: str) -> Step:
    if NOTHING in (drafted, recalculated):
        return Step(name, drafted, recalculated, True)
    theirs, ours = _fraction(drafted), _fraction(recalculated)
    return Step(name, _plain(theirs), _plain(ours), _close(theirs, ours))


def _fraction(text: str) -> Fraction:
    return Fraction(text)


def _close(a: Fraction, b: Fraction) -> bool:
    return abs(a - b) <= TOLERANCE


def _plain(value: Fraction) -> str:
    """A decimal of at most 12 places; more are cut and shown by three dots."""
    digits = 12
    scaled = abs(value) * 10**digits
    whole, rest = divmod(scaled.numerator // scaled.denominator, 10**digits)
    text = f"{'-' if value < 0 else ''}{whole}.{rest:0{digits}d}".rstrip("0").rstrip(".")
    return text if scaled.denominator == 1 else f"{text}…"
