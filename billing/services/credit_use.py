"""What credit pays of usage, month by month, billed or not yet: what revenue and previews read.

What was billed is taken from the entries of the grants; for usage that is not billed (or changed since) the
same allocation that a bill run would make is made, over the same parts, from what is left. So the accrual of
a month and the drawdown line of its later invoice are the same number.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from billing.domain import grants as domain
from billing.domain import parts as cutting
from billing.domain.charges import accrued
from billing.domain.types import Charge, Key, Kind, Line, Timeline, Usage
from billing.models import Charge as ChargeRow
from billing.models import Grant, GrantEntry
from billing.selectors import grants as selectors
from billing.selectors import metered
from billing.selectors.grants import History, UsageLine, key_text
from billing.services import rating
from billing.services.covering import caps_of, grant_days, split
from o2c.periods import month_start
from orders.models import Order

ZERO = Decimal(0)
Months = dict[dt.date, Decimal]


@dataclass(slots=True)
class Paid:
    """By usage line and month: what is not paid in money. By grant and month: what is drawn of it.

    `withdrawn` is what an amendment took back of a grant.
    """

    by_line: dict[int, Months] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Decimal)))
    by_grant: dict[int, Months] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Decimal)))
    withdrawn: dict[int, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    grants: Sequence[Grant] = ()


def paid(order_ids: Collection[int], until: dt.date) -> Paid:
    """What grants pay (and waivers let go) of usage before `until`, for the customers of these orders.

    `until` is the first day of a month. Two statements where nobody has a grant or a waiver; a fixed number
    else.
    """
    customers = set(Order.objects.filter(pk__in=order_ids).values_list("customer_id", flat=True))
    found = Paid(grants=list(Grant.objects.filter(customer__in=customers).order_by("pk")))
    waived = ChargeRow.objects.filter(kind=ChargeRow.Kind.WAIVER, line__order__customer__in=customers)
    if not found.grants:
        if waived.exists():
            _add_waived(found, selectors.history(set(waived.values_list("line_id", flat=True))))
        return found
    accounts = {(g.customer_id, g.entity_id, g.currency) for g in found.grants}
    lines = [line for line in selectors.usage_lines(customers) if line.account in accounts]
    history = selectors.history({line.id for line in lines} | set(waived.values_list("line_id", flat=True)))
    _add_waived(found, history)
    _add_drawn(found)
    _add_projected(found, lines, history, until)
    return found


def _add_waived(found: Paid, history: History) -> None:
    for (line, *_), parts in history.waived.items():
        for starts, amount in parts.items():
            found.by_line[line][month_start(starts)] += amount


def _add_drawn(found: Paid) -> None:
    rows = GrantEntry.objects.filter(grant__in=found.grants, kind__in=(*selectors.USE, "withdrawn"))
    for grant, line, starts, amount in rows.values_list("grant_id", "line_id", "part_from", "amount"):
        if line is None or starts is None:
            found.withdrawn[grant] -= amount
            continue
        found.by_line[line][month_start(starts)] -= amount
        found.by_grant[grant][month_start(starts)] -= amount


def _add_projected(found: Paid, lines: Sequence[UsageLine], history: History, until: dt.date) -> None:
    """What a run that bills everything before `until` would draw and restore."""
    days = grant_days(found.grants)
    timelines = rating.load_timelines({line.order for line in lines}, dt.date.max)
    usage = metered.points(timelines.values(), until, days)
    parts: list[domain.Part] = []
    wanted = {line.id for line in lines}
    for timeline in timelines.values():
        for line in timeline.lines:
            if line.id in wanted and line.kind is Kind.USAGE:
                parts += _parts(timeline, line, usage, history, found.grants, until)
    drawn = selectors.drawn([grant.pk for grant in found.grants])
    for one in domain.allocate(selectors.as_domain(found.grants, lines), parts, drawn):
        found.by_line[one.line][month_start(one.starts)] += one.amount
        found.by_grant[one.grant][month_start(one.starts)] += one.amount


def _parts(
    timeline: Timeline, line: Line, usage: Usage, history: History, grants: Sequence[Grant], until: dt.date
) -> Iterable[domain.Part]:
    """The parts of one usage line before `until`, billed or not, without what was waived."""
    recorded, days = history.recorded(), grant_days(grants)
    alone = replace(timeline, lines=(line,), commitments=())
    charges: dict[Key, Charge] = {c.key: c for c in accrued(alone, usage, until)}
    at = {key: cutting.cuts(charge, days, recorded) for key, charge in charges.items()}
    reached = cutting.to_date(timeline, line, usage, {day for own in at.values() for day in own})
    billed = {key for key in (*history.parts, *history.unrecorded) if key[0] == line.id}
    for key in sorted(charges.keys() | billed):
        spans = cutting.spans(charges[key], at[key], reached) if key in charges else []
        before: Months = {}
        now: Months = {}
        ends: dict[dt.date, dt.date] = {}
        split(before, now, ends, key, spans, history, timeline.currency)
        waived: Mapping[dt.date, Decimal] = history.waived.get(key, {})
        text = key_text(key[0], key[1], key[3])
        shares = selectors.caps(grants, charges.get(key))
        for starts in sorted(ends):
            if starts < until:
                gone = waived.get(starts, ZERO)
                was, comes = before.get(starts, ZERO) - gone, now.get(starts, ZERO) - gone
                caps = caps_of(shares, comes, timeline.currency)
                yield domain.Part(text, line.id, starts, ends[starts], was, comes, caps)
