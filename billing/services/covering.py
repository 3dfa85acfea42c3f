"""What grants pay, and what a contract lets go, of usage that is due: the lines beside its usage lines.

A usage line stays at its full price; a line below zero beside it says what credit paid ("drawdown") or what
late usage is not billed ("waiver"). Nothing here writes: posting turns the lines into charges and entries of
the grants (`posting.CHARGES`), and the database refuses a draw beyond what is left.

Order: what the contract waives of late usage; then credit; the rest is money. A correction takes back the
other way round: waived first, then money, then credit (`billing.domain.grants`).
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from billing.domain import grants as domain
from billing.domain import parts as cutting
from billing.domain.types import Charge, ChargeLine, Key
from billing.models import Charge as ChargeRow
from billing.models import Grant
from billing.selectors import grants as grant_selectors
from billing.selectors import metered
from billing.selectors.grants import History, key_text
from billing.services import rating
from billing.services.drafting import DueLine
from o2c.money import quantize
from orders.models import BillingTerms, Order

ZERO = Decimal(0)
USAGE = ChargeRow.Kind.USAGE.value
DRAWDOWN, WAIVER = ChargeRow.Kind.DRAWDOWN.value, ChargeRow.Kind.WAIVER.value
Policy = BillingTerms.LateUsage


@dataclass(slots=True)
class Delta:
    """One usage charge of this run, cut into parts: before, now, and waived before and now, by first day."""

    due: DueLine
    late: bool
    ends: dict[dt.date, dt.date] = field(default_factory=dict)
    before: dict[dt.date, Decimal] = field(default_factory=dict)
    now: dict[dt.date, Decimal] = field(default_factory=dict)
    waived: dict[dt.date, Decimal] = field(default_factory=dict)
    waived_now: dict[dt.date, Decimal] = field(default_factory=dict)
    shares: Sequence[tuple[int, Fraction]] = ()

    @property
    def text(self) -> str:
        charge = self.due.charge
        return key_text(charge.line, charge.segment, charge.period_from)

    def parts(self) -> Iterable[domain.Part]:
        """What credit is asked for: without what is waived."""
        for starts in sorted(self.ends):
            before = self.before.get(starts, ZERO) - self.waived.get(starts, ZERO)
            now = self.now.get(starts, ZERO) - self.waived_now.get(starts, ZERO)
            caps = caps_of(self.shares, now, self.due.charge.currency)
            yield domain.Part(self.text, self.due.charge.line, starts, self.ends[starts], before, now, caps)

    def working(self, before: Mapping[dt.date, Decimal], now: Mapping[dt.date, Decimal]) -> list[list[str]]:
        """What changed, by part, as the trace keeps it: [first day, day after the last, amount]."""
        rows = [
            (starts, self.ends[starts], now.get(starts, ZERO) - before.get(starts, ZERO))
            for starts in self.ends
        ]
        return [[str(starts), str(ends), str(amount)] for starts, ends, amount in sorted(rows) if amount]


def cover(due: Sequence[DueLine]) -> list[DueLine]:
    """`due` with the lines that credit and waivers add beside usage lines, and rebilled lines split in two.

    One statement where no customer has a grant and no contract a policy for late usage; a fixed number else.
    """
    used = [one for one in due if one.charge.kind == USAGE]
    if not used:
        return list(due)
    rows = list(Grant.objects.filter(customer__in={one.order.customer_id for one in used}))
    concerned = _concerned(used, rows)
    if not concerned:
        return list(due)
    history = grant_selectors.history({one.charge.line for one in concerned})
    lines = grant_selectors.usage_lines({one.order.customer_id for one in concerned}) if rows else []
    grants = grant_selectors.as_domain(rows, lines)
    deltas = _deltas(concerned, history, rows)
    for delta in deltas:
        _waive(delta)
    drawn = grant_selectors.drawn([row.pk for row in rows]) if rows else []
    allocations = domain.allocate(grants, [part for d in deltas for part in d.parts()], drawn)
    by_charge: dict[str, list[domain.Allocation]] = defaultdict(list)
    for allocation in allocations:
        by_charge[str(allocation.key)].append(allocation)
    made = {id(delta.due): _lines(delta, by_charge.get(delta.text, []), history) for delta in deltas}
    return [line for one in due for line in made.get(id(one), (one,))]


def _key(charge: ChargeLine) -> Key:
    return (charge.line, charge.segment, USAGE, charge.period_from)


def _concerned(used: Sequence[DueLine], rows: Sequence[Grant]) -> list[DueLine]:
    """Usage lines of accounts with grants, and of contracts with a policy for late usage."""
    accounts = {(row.customer_id, row.entity_id, row.currency) for row in rows}
    return [
        one
        for one in used
        if (one.order.customer_id, one.order.entity_id, one.order.currency) in accounts
        or _has_policy(one.order)
        or _extended(one.charge)
    ]


def _has_policy(order: Order) -> bool:
    return order.late_waive_below is not None or order.late_usage_policy in (Policy.ABSORB, Policy.REBILL)


def _extended(charge: ChargeLine) -> bool:
    """More days of a period of which an early invoice billed the first ones."""
    return bool(charge.revision and charge.billed_before and charge.service_from > charge.covers_from)


def grant_days(rows: Iterable[Grant]) -> list[dt.date]:
    """The days on which grants begin and end."""
    days = {day for row in rows for day in (row.starts_on, row.ends_on) if day is not None}
    return sorted(days)


def _deltas(concerned: Sequence[DueLine], history: History, rows: Sequence[Grant]) -> list[Delta]:
    recorded, days = history.recorded(), grant_days(rows)
    expected = [one.charge.expected for one in concerned if one.charge.expected is not None]
    at = {charge.key: cutting.cuts(charge, days, recorded) for charge in expected}
    reached = _reached({one.order.pk for one in concerned}, expected, at)
    found = []
    for one in concerned:
        charge = one.charge
        spans = (
            cutting.spans(charge.expected, at[charge.expected.key], reached.get(charge.line, {}))
            if charge.expected is not None
            else []
        )
        delta = Delta(one, _is_late(one, history))
        split(delta.before, delta.now, delta.ends, _key(charge), spans, history, charge.currency)
        delta.shares = grant_selectors.caps(rows, charge.expected)
        delta.waived = dict(history.waived.get(_key(charge), {}))
        found.append(delta)
    return found


def caps_of(
    shares: Iterable[tuple[int, Fraction]], amount: Decimal, currency: str
) -> tuple[tuple[int, Decimal], ...]:
    """The most that grants limited to some dimensions may pay of a part: the charge's share of its amount."""
    return tuple((grant, quantize(Fraction(amount) * share, currency)) for grant, share in shares)


def split(
    before: dict[dt.date, Decimal],
    now: dict[dt.date, Decimal],
    ends: dict[dt.date, dt.date],
    key: Key,
    spans: Sequence[cutting.Span],
    history: History,
    currency: str,
) -> None:
    """Fill in what a charge was billed at before and comes to now, by part."""
    for span in spans:
        now[span.starts], ends[span.starts] = span.amount, span.ends
    for starts, amount in history.parts.get(key, {}).items():
        before[starts] = amount
        ends.setdefault(starts, history.ends[key][starts])
    left_over = history.unrecorded.get(key, ZERO)
    if left_over:  # billed before anybody asked for its parts
        over = spans or [cutting.Span(key[3], history.covered_to[key], left_over)]
        for starts, amount in cutting.spread(left_over, over, currency).items():
            before[starts] = before.get(starts, ZERO) + amount
            ends.setdefault(starts, over[0].ends)


def _reached(
    orders: Iterable[int], charges: Sequence[Charge], at: Mapping[Key, Sequence[dt.date]]
) -> dict[int, cutting.ToDate]:
    """What charges that are cut come to before each cut, by line. Nothing is read when none is cut."""
    wanted: dict[int, set[dt.date]] = defaultdict(set)
    for charge in charges:
        wanted[charge.line].update(at[charge.key])
    days = sorted({day for own in wanted.values() for day in own})
    if not days:
        return {}
    timelines = rating.load_timelines(orders, dt.date.max)
    usage = metered.points(timelines.values(), days[-1], days)
    return {
        line.id: cutting.to_date(timeline, line, usage, wanted[line.id])
        for timeline in timelines.values()
        for line in timeline.lines
        if wanted.get(line.id)
    }


def _is_late(one: DueLine, history: History) -> bool:
    """Usage of a period that was billed before: its charge, or a later one of its line."""
    charge = one.charge
    if charge.revision:
        return not _extended(charge)
    last = history.due.get(charge.line)
    return last is not None and charge.due_on < last


def _waive(delta: Delta) -> None:
    """What of a late charge the contract does not bill; what was waived is the first to go again."""
    order, charge = delta.due.order, delta.due.charge
    lets_go = delta.late and charge.amount > 0
    below = order.late_waive_below
    lets_go = lets_go and (
        order.late_usage_policy == Policy.ABSORB or (below is not None and charge.amount < below)
    )
    for starts in delta.ends:
        change = delta.now.get(starts, ZERO) - delta.before.get(starts, ZERO)
        waived = delta.waived.get(starts, ZERO)
        if change < 0:
            waived -= min(waived, -change)
        elif lets_go:
            waived += change
        delta.waived_now[starts] = waived


def _lines(delta: Delta, own: Sequence[domain.Allocation], history: History) -> list[DueLine]:
    """The usage line (or two, when it is rebilled), then what is waived, then what credit paid."""
    one, charge = delta.due, delta.due.charge
    key = _key(charge)
    parts = delta.working(delta.before, delta.now)
    rebilled = charge.revision and charge.billed_before and charge.expected is not None
    if rebilled and _extended(charge):
        lines = _rebilled(delta, apart=False)
    elif rebilled and delta.late and one.order.late_usage_policy == Policy.REBILL and not own:
        lines = _rebilled(delta, apart=True)
    else:
        lines = [replace(one, working={**one.working, "parts": parts})]
    waived = sum(delta.waived_now.values(), ZERO) - sum(delta.waived.values(), ZERO)
    if waived:
        row = _cover_line(charge, WAIVER, waived, history.covers.get((key, WAIVER)))
        working: dict[str, object] = {"parts": delta.working(delta.waived, delta.waived_now)}
        lines.append(DueLine(row, one.order, one.line, "Late usage, not billed", working))
    if own:
        drawn = sum((allocation.amount for allocation in own), ZERO)
        row = _cover_line(charge, DRAWDOWN, drawn, history.covers.get((key, DRAWDOWN)))
        entries = [_entry(allocation) for allocation in own]
        working = {"drawn": entries}
        lines.append(DueLine(row, one.order, one.line, _title(own), working, entries))
    return lines


def _rebilled(delta: Delta, *, apart: bool) -> list[DueLine]:
    """What was billed taken back whole, and what is expected billed whole: two lines in place of one."""
    one, charge = delta.due, delta.due.charge
    assert charge.expected is not None
    name = one.line.description or one.line.sku.name
    taken_back = replace(
        charge,
        service_from=charge.covers_from,
        service_to=charge.covers_to,
        covers_to=charge.covers_from,
        quantity=charge.quantity - charge.expected.quantity,
        amount=quantize(-charge.billed_before, charge.currency),
        expected=None,
    )
    again = replace(
        charge,
        service_from=charge.covers_from,
        service_to=charge.covers_to,
        quantity=charge.expected.quantity,
        amount=charge.expected.amount,
        revision=charge.revision + 1,
        billed_before=ZERO,
    )
    nothing: dict[dt.date, Decimal] = {}
    return [
        replace(
            one,
            charge=taken_back,
            title=f"Billed before: {name}",
            working={"parts": delta.working(delta.before, nothing)},
            apart=apart,
        ),
        replace(one, charge=again, title=name, working={"parts": delta.working(nothing, delta.now)}),
    ]


def _cover_line(charge: ChargeLine, kind: str, amount: Decimal, before: tuple[int, int] | None) -> ChargeLine:
    """The line that takes `amount` off its usage charge; below zero: gives it back."""
    return replace(
        charge,
        kind=kind,
        service_from=charge.covers_from,
        service_to=max(charge.covers_to, charge.covers_from + dt.timedelta(days=1)),
        quantity=Fraction(amount),
        amount=quantize(-amount, charge.currency),
        revision=before[0] + 1 if before else 0,
        corrects=before[1] if before else None,
        expected=None,
        billed_before=ZERO,
    )


def _entry(allocation: domain.Allocation) -> dict[str, object]:
    return {
        "grant": allocation.grant,
        "kind": "drawn" if allocation.amount > 0 else "restored",
        "amount": str(-allocation.amount),
        "part_from": str(allocation.starts),
        "part_to": str(allocation.ends),
        "reverses": allocation.reverses,
    }


def _title(own: Sequence[domain.Allocation]) -> str:
    grants = ", ".join(f"{pk}" for pk in dict.fromkeys(one.grant for one in own))
    paid = sum((one.amount for one in own), ZERO) >= 0
    return f"{'Paid by' if paid else 'Given back to'} credit: grant {grants}"
