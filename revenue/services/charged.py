"""Revenue of obligations without a schedule: usage, service without a fixed term, prepayments drawn down.

They earn what is charged for the service given so far, invoiced or not (606-10-55-18). Usage is rated by
billing's own engine, cut at the end of the month, so that the accrual and the later invoice line are the
same number.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from billing.domain.charges import accrued, expected
from billing.domain.prices import Prepaid
from billing.domain.types import Charge, Kind, Line, Timeline, Timing, Usage
from billing.services import rating
from o2c.ledger.models import AccountingPeriod
from o2c.periods import Period, add_months, month_start
from revenue.domain.differences import difference, spread_charges
from revenue.domain.drawdown import Commitment, draw
from revenue.models import Obligation, Recognition, RevenueContract
from revenue.selectors.differences import Difference, Window, posted_as_charged

ZERO = Decimal(0)
Basis = Obligation.Basis
REVENUE, BREAKAGE = Recognition.Kind.REVENUE, Recognition.Kind.BREAKAGE
Months = dict[dt.date, Decimal]


def differences(
    contracts: Sequence[RevenueContract],
    obligations: Sequence[Obligation],
    window: Window,
    period: AccountingPeriod,
) -> list[Difference]:
    """Months of the window in which what was charged is not what was posted."""
    unscheduled = [o for o in obligations if o.basis != Basis.FIXED]
    if not unscheduled:
        return []
    orders = {c.pk: c.order_id for c in contracts}
    concerned = sorted({orders[o.contract_id] for o in unscheduled})
    planned = earned(concerned, unscheduled, period.ends_on)
    posted: dict[tuple[int, str], Months] = defaultdict(dict)
    for (obligation, kind, month), amount in posted_as_charged(
        sorted({o.contract_id for o in unscheduled})
    ).items():
        posted[obligation, kind][month] = amount
    found = []
    for obligation, kind in sorted(planned.keys() | posted.keys()):
        for part in difference(
            planned.get((obligation, kind), {}),
            posted.get((obligation, kind), {}),
            after=window.after,
            through=window.through,
        ):
            found.append(Difference(obligation, kind, part.month, None, part.amount))
    return found


def earned(
    order_ids: Sequence[int], obligations: Iterable[Obligation], until: dt.date
) -> dict[tuple[int, str], Months]:
    """What each obligation without a schedule has earned by `until`, by kind and month of service."""
    by_line = {o.order_line_id: o for o in obligations}
    timelines = rating.load_timelines(order_ids, dt.date.max)
    usage = rating.load_usage(order_ids, until, timelines)
    found: dict[tuple[int, str], Months] = {}
    for timeline in timelines.values():
        lines = [line for line in timeline.lines if line.id in by_line]
        charged = {line.id: by_month(timeline, line, usage, until) for line in lines}
        for line in lines:
            if by_line[line.id].basis == Basis.CHARGED:
                found[by_line[line.id].pk, REVENUE] = charged[line.id]
        found |= _drawn(lines, charged, by_line, until, timeline.currency)
    return found


def by_month(timeline: Timeline, line: Line, usage: Usage, until: dt.date) -> Months:
    """What one line charges for service before `until`, by month."""
    alone = replace(timeline, lines=(line,))
    if line.kind is not Kind.USAGE and line.timing is Timing.ADVANCE:
        charges = expected(alone, usage, until)
        return spread_charges(
            ((Period(c.service_from, c.service_to), c.amount) for c in charges), until, timeline.currency
        )
    charges = accrued(alone, usage, until)
    if line.kind is not Kind.USAGE:
        return spread_charges(
            ((Period(c.service_from, c.service_to), c.amount) for c in charges), until, timeline.currency
        )
    return _usage_by_month(alone, charges, usage)


def _usage_by_month(alone: Timeline, charges: Sequence[Charge], usage: Usage) -> Months:
    """Usage charges under the months in which it was used.

    A billing period across a month end is rated twice, to the month end and to its own: the second
    month gets what the first left, tiers and packages included.
    """
    months: Months = defaultdict(Decimal)
    crossing: dict[dt.date, set[tuple[int, dt.date]]] = defaultdict(set)
    for charge in charges:
        months[month_start(charge.service_to - dt.timedelta(days=1))] += charge.amount
        end = add_months(month_start(charge.service_from), 1)
        while end < charge.service_to:
            crossing[end].add((charge.segment, charge.period_from))
            end = add_months(end, 1)
    for end, keys in crossing.items():
        for charge in accrued(alone, usage, end):
            if (charge.segment, charge.period_from) in keys:
                months[month_start(end - dt.timedelta(days=1))] += charge.amount
                months[end] -= charge.amount
    return dict(months)


def _face(line: Line, amount: Decimal) -> Decimal:
    """The worth of usage that a prepayment covers: its credit, or the payment where none is named."""
    credits = [s.price.model.credit for s in line.segments if isinstance(s.price.model, Prepaid)]
    return Decimal(credits[0].numerator) / Decimal(credits[0].denominator) if credits else amount


def _drawn(
    lines: Sequence[Line],
    charged: Mapping[int, Months],
    by_line: Mapping[int, Obligation],
    until: dt.date,
    currency: str,
) -> dict[tuple[int, str], Months]:
    """Usage that a prepaid commitment of the same order covers is revenue of the commitment."""
    prepaid = [by_line[line.id] for line in lines if by_line[line.id].basis == Basis.DRAWDOWN]
    if not prepaid:
        return {}
    covered = {
        line.id: charged[line.id]
        for line in lines
        if line.kind is Kind.USAGE and by_line[line.id].treatment == Obligation.Treatment.PREPAID_DRAWDOWN
    }
    face = {line.id: _face(line, by_line[line.id].allocated) for line in lines}
    commitments = [
        Commitment(o.order_line_id, o.allocated, face[o.order_line_id], o.starts_on, o.ends_on)
        for o in prepaid
    ]
    drawn = draw(commitments, covered, until, currency)
    found: dict[tuple[int, str], Months] = {}
    for line_id, months in drawn.used.items():
        found[by_line[line_id].pk, REVENUE] = months
    for line_id, months in drawn.expired.items():
        found[by_line[line_id].pk, BREAKAGE] = months
    for line_id, months in drawn.beyond.items():
        found[by_line[line_id].pk, REVENUE] = months
    return found
