"""Remaining performance obligations: what is promised and not yet revenue (606-10-50-13 to 50-15)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal

from revenue.domain.types import Slice

RIGHT_TO_INVOICE = "606-10-50-14(b): billed as it is earned"
SHORT_TERM = "606-10-50-14(a): original duration of a year or less"


def excluded(*, as_charged: bool, days: int | None, short_term_expedient: bool) -> str:
    """Why an obligation is not disclosed, or "" when it is. `days` is its original duration."""
    if as_charged:
        return RIGHT_TO_INVOICE
    if short_term_expedient and days is not None and days <= 366:
        return SHORT_TERM
    return ""


def bands(
    slices: Iterable[Slice], as_of: dt.date, cuts: Sequence[dt.date]
) -> list[tuple[dt.date | None, Decimal]]:
    """Planned revenue after `as_of` by the date before which it falls; the last band is open.

    `as_of` is exclusive, as a period end; a slice belongs to the month it names.
    """
    edges = [*cuts, None]
    totals = [Decimal(0)] * len(edges)
    for part in slices:
        if part.month < as_of:
            continue
        index = next((i for i, cut in enumerate(cuts) if part.month < cut), len(cuts))
        totals[index] += part.amount
    return list(zip(edges, totals, strict=True))
