"""What to post: what should have been recognised less what has been recognised, month by month."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import pairwise

from o2c.money import quantize
from o2c.periods import Period
from revenue.domain.schedules import by_month, straight
from revenue.domain.types import Band, Plan, Slice


def difference(
    planned: Mapping[dt.date, Decimal],
    posted: Mapping[dt.date, Decimal],
    *,
    after: dt.date | None,
    through: dt.date,
) -> Plan:
    """Slices to post in the period that starts on `through`, each under the month it belongs to.

    Both maps are keyed by the first day of a month. Months up to and including `after` (the last
    month that another open period will take) are left alone; months since then and not beyond
    `through` are brought to plan. Nothing differs, nothing is given.
    """
    months = sorted(
        month
        for month in planned.keys() | posted.keys()
        if month <= through and (after is None or month > after)
    )
    slices = (Slice(m, planned.get(m, Decimal(0)) - posted.get(m, Decimal(0))) for m in months)
    return tuple(s for s in slices if s.amount)


def spread_charges(
    charges: Iterable[tuple[Period, Decimal]], until: dt.date, currency: str
) -> dict[dt.date, Decimal]:
    """Charges over the months of their service, by day, as far as the service has gone by `until`.

    For promises that are earned as they are charged: usage, and service without a fixed term.
    A charge inside one month belongs to it whole. A credit mirrors the cents of its charge.
    """
    months: dict[dt.date, Decimal] = {}
    for service, amount in charges:
        assert service.end is not None
        end = max(service.end, service.start + dt.timedelta(days=1))
        period = Period(service.start, end)
        for part in by_month(straight(amount, [Band(service.start, end)]), period, currency):
            if part.month < until:
                months[part.month] = months.get(part.month, Decimal(0)) + part.amount
    return months


def evenly(amount: Decimal, months: int, currency: str) -> list[Decimal]:
    """`amount` over equal months, cents spread by cumulative rounding.

    300.00 over 36 months: 8.33 and 8.34 in turn, never 8.45 at the end.
    """
    ends = [quantize(amount * k / months, currency) for k in range(months + 1)]  # rounding: cumulative
    return [after - before for before, after in pairwise(ends)]
