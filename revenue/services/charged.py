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
from billing.domain.commitments import MINIMUM
from billing.domain.grants import ending
from billing.domain.prices import Prepaid
from billing.domain.types import Charge, Kind, Line, Timeline, Timing, Usage
from billing.models import Grant
from billing.services import credit_use, rating
from o2c.ledger.models import AccountingPeriod
from o2c.money import quantize
from o2c.periods import Period, add_months, month_start
from revenue.domain.differences import difference, spread_charges
from revenue.domain.drawdown import Commitment, earn
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
    paid = credit_use.paid(order_ids, until)
    found: dict[tuple[int, str], Months] = {}
    for timeline in timelines.values():
        lines = [line for line in timeline.lines if line.id in by_line]
        charged = {line.id: by_month(timeline, line, usage, until) for line in lines}
        for month, line_id, amount in _true_ups(timeline, usage, until):
            if line_id in charged:
                charged[line_id][month] = charged[line_id].get(month, ZERO) + amount
        for line in lines:
            if by_line[line.id].basis == Basis.CHARGED:
                found[by_line[line.id].pk, REVENUE] = charged[line.id]
        found |= _drawn(timeline, lines, charged, by_line, paid, until)
    return found


def _true_ups(timeline: Timeline, usage: Usage, until: dt.date) -> Iterable[tuple[dt.date, int, Decimal]]:
    """What minimum commitments bill for periods that ended before `until`: earned when they end."""
    if timeline.commitments:
        for charge in expected(timeline, usage, until):
            if charge.kind == MINIMUM:
                yield month_start(charge.due_on), charge.line, charge.amount


def by_month(timeline: Timeline, line: Line, usage: Usage, until: dt.date) -> Months:
    """What one line charges for service before `until`, by month."""
    alone = replace(timeline, lines=(line,), commitments=())
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


def _drawn(
    timeline: Timeline,
    lines: Sequence[Line],
    charged: Mapping[int, Months],
    by_line: Mapping[int, Obligation],
    paid: credit_use.Paid,
    until: dt.date,
) -> dict[tuple[int, str], Months]:
    """Usage that credit paid is revenue of what sold the credit; the usage line earns the rest.

    Promotional credit and waivers were sold by nothing: they lower what usage earns.
    """
    found: dict[tuple[int, str], Months] = {}
    currency = timeline.currency
    for line in lines:
        obligation = by_line[line.id]
        if obligation.basis == Basis.DRAWDOWN:
            own = [grant for grant in paid.grants if grant.line_id == line.id]
            sold = _sold_by(line, [grant for grant in own if grant.parent_id is None], paid, currency)
            commitment = Commitment(obligation.allocated, sold or obligation.allocated)
            drawn, lapsed = _credit(obligation, own, paid, _last_day(timeline), until)
            used, expired = earn(commitment, drawn, lapsed, currency)
            found[obligation.pk, REVENUE] = used
            found[obligation.pk, BREAKAGE] = expired
        elif line.id in paid.by_line:
            months = defaultdict(Decimal, charged[line.id])
            for month, amount in paid.by_line[line.id].items():
                if month < until:
                    months[month] -= amount
            found[obligation.pk, REVENUE] = dict(months)
    return found


def _credit(
    obligation: Obligation,
    grants: Sequence[Grant],
    paid: credit_use.Paid,
    order_ends: dt.date | None,
    until: dt.date,
) -> tuple[Months, Months]:
    """What of a prepayment's credit was drawn, and what lapsed, by month.

    A grant lapses when it ends, or when its order does: credit with an end of its own outlives the line that
    sold it, as long as other lines of the order draw on it. What is carried over lapses with the new grant;
    nothing is carried over the end of the order.
    """
    drawn: Months = defaultdict(Decimal)
    lapsed: Months = defaultdict(Decimal)
    if not grants and obligation.ends_on is not None and obligation.ends_on <= until:
        lapsed[_last_month(obligation.ends_on)] = obligation.allocated
    for grant in grants:
        months = paid.by_grant.get(grant.pk, {})
        for month, amount in months.items():
            drawn[month] += amount
        ends = _ends(grant, order_ends)
        if ends is not None and ends <= until:
            rest = _sold(grant, paid) - sum(months.values(), ZERO)
            carried = sum((one.granted for one in grants if one.parent_id == grant.pk), ZERO)
            if not carried and grant.parent_id is None and ends == grant.ends_on:
                carried = ending(
                    rest, grant.rollover_percent, grant.rollover_limit, grant.currency
                ).rolled_over
            lapsed[_last_month(ends)] += max(rest - carried, ZERO)
    return drawn, lapsed


def _sold_by(line: Line, own: Sequence[Grant], paid: credit_use.Paid, currency: str) -> Decimal:
    """The credit of a prepaid line; of one that is paid by instalments all of it, opened or not."""
    model = line.segments[0].price.model
    if line.scheduled and isinstance(model, Prepaid) and all(grant.instalment for grant in own):
        return quantize(model.credit, currency)
    return sum((_sold(grant, paid) for grant in own), ZERO)


def _sold(grant: Grant, paid: credit_use.Paid) -> Decimal:
    return grant.granted - paid.withdrawn.get(grant.pk, ZERO)


def _last_day(timeline: Timeline) -> dt.date | None:
    """The end of the order: of the line that ends last, None while one is open."""
    ends = [segment.ends_on for line in timeline.lines for segment in line.segments]
    return None if None in ends else max(day for day in ends if day is not None)


def _ends(grant: Grant, order_ends: dt.date | None) -> dt.date | None:
    known = [grant.ends_on, None if grant.parent_id else order_ends]
    return min((day for day in known if day is not None), default=None)


def _last_month(ends_on: dt.date) -> dt.date:
    return month_start(ends_on - dt.timedelta(days=1))
