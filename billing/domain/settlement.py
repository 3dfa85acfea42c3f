"""Expected minus billed: the lines to invoice or to credit. Running it twice gives nothing."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction

from billing.domain.charges import accrued, expected
from billing.domain.types import Billed, Charge, ChargeLine, Key, Kind, Timeline, Usage
from o2c.errors import InvalidInput
from o2c.money import quantize

ONE_DAY = dt.timedelta(days=1)
ZERO = Decimal(0)


def due(timeline: Timeline, usage: Usage, billed: Sequence[Billed], through: dt.date) -> list[ChargeLine]:
    """The lines that a run through `through` (exclusive) bills or credits for one contract.

    What was billed ahead of `through` stays billed as long as the contract still expects it, and is
    corrected like everything else when it does not. Usage that an early invoice billed waits for the end of
    its period, unless it has become less.
    """
    ahead = [row.due_on + ONE_DAY for row in billed if row.due_on is not None]
    horizon = max([through, *ahead])
    charges = expected(timeline, usage, horizon)
    known = {row.key for row in billed}
    lines = difference([c for c in charges if c.due_on < through or c.key in known], billed)
    return [line for line in lines if not _waits(line, through)]


def _waits(line: ChargeLine, through: dt.date) -> bool:
    more = line.kind == Kind.USAGE and line.expected is not None and line.amount > 0
    return more and line.due_on >= through and line.revision > 0


def early(
    timeline: Timeline, usage: Usage, billed: Sequence[Billed], as_of: dt.date, thresholds: Sequence[Decimal]
) -> list[ChargeLine]:
    """The lines of an early invoice: usage of open periods before `as_of`, once it reaches a threshold.

    A threshold is reached when the usage of the open periods comes to it and less than it was billed early.
    With thresholds of 200.00 and 500.00: at 200.00 an invoice of 200.00, at 600.00 one of 400.00.
    """
    open_now = [c for c in accrued(timeline, usage, as_of) if c.kind == Kind.USAGE and c.due_on >= as_of]
    keys = {charge.key for charge in open_now}
    before = [row for row in billed if row.key in keys]
    reached = sum((charge.amount for charge in open_now), ZERO)
    already = sum((row.amount for row in before), ZERO)
    if not any(already < threshold <= reached for threshold in thresholds):
        return []
    return difference(open_now, before)


def difference(charges: Iterable[Charge], billed: Iterable[Billed]) -> list[ChargeLine]:
    """Expected minus billed, per key. Nothing where they agree; never a line of zero.

    A first billing has revision 0. A correction names the first row of its key and covers the days that
    were added or taken away, or the same days when only the amount differs.

    Raises InvalidInput when two expected charges have the same key, or the currency of a contract changed.
    """
    rows: dict[Key, list[Billed]] = defaultdict(list)
    for row in billed:
        rows[row.key].append(row)
    lines: list[ChargeLine] = []
    seen: set[Key] = set()
    for charge in charges:
        if charge.key in seen:
            raise InvalidInput(
                f"Two charges for the period from {charge.period_from}",
                record=f"order line {charge.line}, segment {charge.segment}",
                code="duplicate_charge",
            )
        seen.add(charge.key)
        line = _settle(charge, rows.pop(charge.key, []))
        if line is not None:
            lines.append(line)
    for left in rows.values():
        line = _take_back(left)
        if line is not None:
            lines.append(line)
    return sorted(lines, key=_order)


def _order(line: ChargeLine) -> tuple[int, dt.date, dt.date, int, str]:
    return (line.line, line.period_from, line.service_from, line.segment, line.kind)


def _settle(charge: Charge, before: list[Billed]) -> ChargeLine | None:
    billed = sum((row.amount for row in before), ZERO)
    amount = quantize(charge.amount - billed, charge.currency)  # exact: gives it the currency's digits
    if not amount:
        return None
    if not before:
        service, quantity, revision, corrects = _covers(charge), charge.quantity, 0, None
    else:
        before.sort(key=lambda row: row.revision)
        first, last = before[0], before[-1]
        if first.currency != charge.currency:
            raise InvalidInput(
                f"Billed in {first.currency}, expected in {charge.currency}",
                record=f"order line {charge.line}",
                remedy="A contract keeps its currency",
            )
        service = _changed((last.covers_from, last.covers_to), _covers(charge))
        quantity = charge.quantity - _metered(before)
        revision, corrects = last.revision + 1, first.id
    return ChargeLine(
        line=charge.line,
        segment=charge.segment,
        kind=charge.kind,
        period_from=charge.period_from,
        period_to=charge.period_to,
        service_from=service[0],
        service_to=service[1],
        covers_from=charge.service_from,
        covers_to=charge.service_to,
        due_on=charge.due_on,
        quantity=quantity,
        amount=amount,
        currency=charge.currency,
        revision=revision,
        corrects=corrects,
        expected=charge,
        billed_before=billed,
    )


def _take_back(before: list[Billed]) -> ChargeLine | None:
    """The credit for what is not expected at all any more: exactly what was billed, never more."""
    before.sort(key=lambda row: row.revision)
    first, last = before[0], before[-1]
    billed = sum((row.amount for row in before), ZERO)
    if not billed:
        return None
    return ChargeLine(
        line=first.line,
        segment=first.segment,
        kind=first.kind,
        period_from=first.period_from,
        period_to=first.period_to,
        service_from=last.covers_from,
        service_to=last.covers_to,
        covers_from=last.covers_from,
        covers_to=last.covers_from,
        due_on=first.due_on or last.covers_from,
        quantity=-_metered(before) or Fraction(first.quantity),
        amount=quantize(-billed, first.currency),  # exact: gives it the currency's digits
        currency=first.currency,
        revision=last.revision + 1,
        corrects=first.id,
        expected=None,
        billed_before=billed,
    )


def _metered(before: list[Billed]) -> Fraction:
    """Usage that was billed so far. A number of seats is the same on every line and is not added up."""
    if before[0].kind != Kind.USAGE:
        return Fraction(0)
    return sum((Fraction(row.quantity) for row in before), Fraction(0))


Span = tuple[dt.date, dt.date]


def _covers(charge: Charge) -> Span:
    return (charge.service_from, charge.service_to)


def _changed(before: Span, now: Span) -> Span:
    """The days that were taken away or added; all of them when it is not one end that moved.

    >>> # billed 15 January to 15 February, now only to 1 February: the credit is for 1 to 15 February
    """
    if before == now or before[0] >= before[1]:
        return now
    if before[0] == now[0]:
        return (min(before[1], now[1]), max(before[1], now[1]))
    if before[1] == now[1]:
        return (min(before[0], now[0]), max(before[0], now[0]))
    return (min(before[0], now[0]), max(before[1], now[1]))


def netted(lines: Iterable[ChargeLine]) -> list[tuple[int, dt.date, Decimal]]:
    """One figure per line and billing period, zeros left out: the shortest way to say what changed."""
    sums: dict[tuple[int, dt.date], Decimal] = defaultdict(Decimal)
    for line in lines:
        sums[line.line, line.period_from] += line.amount
    return [(line, start, amount) for (line, start), amount in sorted(sums.items()) if amount]
