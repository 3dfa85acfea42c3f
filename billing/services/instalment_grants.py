"""Credit that is paid for by instalments: a grant for each of them, opened by the bill run that bills it.

An instalment buys the share of the line's credit that it has in the schedule; the shares sum to the credit. A
milestone that is taken back, or a line that ends before an instalment, takes back what is left of its grant.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db.models import Sum

from billing.models import Grant, GrantEntry
from o2c.money import allocate, quantize
from o2c.periods import add_months
from orders.domain import schedules
from orders.models import Order, OrderLine, Segment
from orders.selectors.milestones import reached_on

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Bought:
    """The instalment `number` of a schedule, the credit that it buys, and what it costs."""

    number: int
    on: dt.date
    credit: Decimal
    paid: Decimal


@dataclass(frozen=True, slots=True)
class Change:
    """Grants to open, and grants of which what is left is taken back, with the day."""

    opened: Sequence[Grant]
    withdrawn: Sequence[tuple[Grant, dt.date]]


def changes(lines: Mapping[int, tuple[OrderLine, Order]], through: dt.date, by: int) -> Change:
    """What must happen so that these prepaid lines have a grant for every instalment before `through`.

    `lines` by id, billed by schedule. Four statements, none without lines.
    """
    opened: list[Grant] = []
    withdrawn: list[tuple[Grant, dt.date]] = []
    if not lines:
        return Change(opened, withdrawn)
    rows = Segment.objects.filter(line__in=lines, paused=False).select_related("price").order_by("pk")
    segments: dict[int, list[Segment]] = defaultdict(list)
    for row in rows:
        segments[row.line_id].append(row)
    reached = reached_on(sorted(lines))
    grants: dict[int, list[Grant]] = defaultdict(list)
    for grant in Grant.objects.filter(line__in=lines, origin=Grant.Origin.PREPAID).order_by("pk"):
        grants[grant.line_id or 0].append(grant)
    used = _used([grant.pk for own in grants.values() for grant in own])
    for pk, (line, order) in lines.items():
        own = grants[pk]
        if not segments[pk] or any(grant.instalment is None for grant in own):
            continue  # it was sold before grants were opened by instalment, and has them all
        first, ends = segments[pk][0], _end(segments[pk])
        bought = _bought(line, first, order.currency, reached.get(pk, {}), min(through, ends or through))
        wanted: dict[tuple[int | None, dt.date], Bought] = {(one.number, one.on): one for one in bought}
        gone = [grant for grant in own if (grant.instalment, grant.starts_on) not in wanted]
        withdrawn += [(grant, grant.starts_on) for grant in gone if grant.remaining > 0]
        # What was used of credit that is taken back is no new credit when its instalment comes again.
        owed = sum((used.get(grant.pk, ZERO) for grant in gone), ZERO)
        for grant in own:
            if grant not in gone:
                owed -= wanted.pop((grant.instalment, grant.starts_on)).credit - grant.granted
        for one in sorted(wanted.values(), key=lambda bought: (bought.on, bought.number)):
            less = min(max(owed, ZERO), one.credit)
            owed -= less
            if one.credit > less:
                opened.append(_grant(one, less, first, ends, order, by))
    return Change(opened, withdrawn)


def terms_of(terms: Mapping[str, Any], starts_on: dt.date, ends_on: dt.date | None) -> dict[str, Any]:
    """The fields of a grant that its price says (orders/domain/clauses.py); `ends_on` where it says none."""
    months = terms.get("expires_after_months")
    return {
        "priority": int(terms.get("priority", "100")),
        "starts_on": starts_on,
        "ends_on": add_months(starts_on, int(months)) if months else ends_on,
        "scope": terms.get("scope", {}),
        "rollover_percent": Decimal(terms.get("rollover_percent", "0")),
        "rollover_limit": Decimal(terms["rollover_limit"]) if "rollover_limit" in terms else None,
        "rollover_months": int(terms.get("rollover_months", "0")),
    }


def _used(grants: Sequence[int]) -> dict[int, Decimal]:
    uses = [GrantEntry.Kind.DRAWN, GrantEntry.Kind.RESTORED]
    rows = GrantEntry.objects.filter(grant__in=grants, kind__in=uses).values_list("grant").order_by()
    return {pk: -amount for pk, amount in rows.annotate(sum=Sum("amount"))}


def _end(segments: Sequence[Segment]) -> dt.date | None:
    """The day on which the line is over; None for an open one."""
    ends = [row.ends_on for row in segments if row.ends_on is None or row.ends_on > row.starts_on]
    if not ends:
        return segments[0].starts_on
    known = [day for day in ends if day is not None]
    return max(known) if len(known) == len(ends) else None


def _bought(
    line: OrderLine, segment: Segment, currency: str, reached: Mapping[str, dt.date], before: dt.date
) -> list[Bought]:
    """What fell due before a day. 10,000.00 of credit for 4 x 2,250.00: 2,500.00 with each."""
    instalments = schedules.read(line.schedule)
    spec: Mapping[str, Any] = segment.price_override or segment.price.spec
    credit = quantize(Fraction(spec["credit"]), currency)
    shares = allocate(credit, [one.amount for one in instalments], currency)
    found = []
    for number, (one, share) in enumerate(zip(instalments, shares, strict=True), start=1):
        day = one.on or reached.get(one.name)
        if day is not None and day < before:
            found.append(Bought(number, day, share, one.amount))
    return found


def _grant(
    one: Bought, less: Decimal, segment: Segment, ends: dt.date | None, order: Order, by: int
) -> Grant:
    spec: Mapping[str, Any] = segment.price_override or segment.price.spec
    return Grant(
        **terms_of(spec.get("grant", {}), one.on, ends or order.ends_on),
        customer_id=order.customer_id,
        entity_id=order.entity_id,
        currency=order.currency,
        order=order,
        line_id=segment.line_id,
        segment=segment,
        instalment=one.number,
        origin=Grant.Origin.PREPAID,
        granted=one.credit - less,
        paid=quantize(
            Fraction(one.paid) * Fraction(one.credit - less) / Fraction(one.credit), order.currency
        ),
        opened_by_id=by,
    )
