"""Builders for contracts in tests of the charge engine: only what a test doesn't say is filled in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from billing.domain import specs
from billing.domain.settlement import due
from billing.domain.types import (
    Anchor,
    Billed,
    ChargeLine,
    Frequency,
    Kind,
    Line,
    Proration,
    Segment,
    Timeline,
    Timing,
    Usage,
    UsagePoint,
)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def per_unit(amount: str) -> dict[str, Any]:
    return {"model": "per_unit", "unit_amount": amount}


def flat(amount: str) -> dict[str, Any]:
    return {"model": "flat", "amount": amount}


def tiers(model: str, *rows: tuple[str | None, str, str]) -> dict[str, Any]:
    """Rows of (up_to, unit amount, flat amount)."""
    return {
        "model": model,
        "tiers": [{"up_to": up, "unit_amount": unit, "flat_amount": flat_} for up, unit, flat_ in rows],
    }


def segment(
    id: int,
    start: str,
    end: str | None,
    price: dict[str, Any],
    *,
    quantity: str = "1",
    discount: str = "0",
    period: Frequency | None = None,
    price_id: int | None = None,
) -> Segment:
    return Segment(
        id,
        day(start),
        day(end) if end else None,
        Decimal(quantity),
        specs.parse(price),
        price_ref=f"PRICE v{id}",
        price_id=hash(repr(price)) if price_id is None else price_id,
        period=period,
        discount_percent=Decimal(discount),
    )


def line(
    *segments: Segment,
    id: int = 1,
    kind: Kind = Kind.RECURRING,
    timing: Timing = Timing.ADVANCE,
    every: Frequency = Frequency.MONTH,
    anchor: Anchor = Anchor.ANNIVERSARY,
    anchor_on: str | None = None,
    proration: Proration = Proration.ACTUAL_DAYS,
    **more: Any,
) -> Line:
    return Line(
        id,
        kind,
        timing,
        every,
        segments,
        anchor=anchor,
        anchor_on=day(anchor_on) if anchor_on else None,
        proration=proration,
        **more,
    )


def calendar_line(*segments: Segment, **more: Any) -> Line:
    return line(*segments, anchor=Anchor.CALENDAR, **more)


def usage_line(*segments: Segment, **more: Any) -> Line:
    return line(*segments, kind=Kind.USAGE, timing=Timing.ARREARS, **more)


def contract(*lines: Line, currency: str = "USD", time_zone: str = "UTC") -> Timeline:
    return Timeline(1, currency, lines, time_zone)


def used(*points: tuple[str, str], line: int = 1) -> Usage:
    """Usage of one line as (date, quantity)."""
    return {line: [UsagePoint(day(on), Decimal(quantity)) for on, quantity in points]}


class Books:
    """Bills a contract again and again and keeps what was billed, as the database would."""

    def __init__(self) -> None:
        self.billed: list[Billed] = []

    def run(self, timeline: Timeline, through: str, usage: Usage | None = None) -> list[ChargeLine]:
        lines = due(timeline, usage or {}, self.billed, day(through))
        for row in lines:
            self.billed.append(
                Billed(
                    len(self.billed) + 1,
                    row.line,
                    row.segment,
                    row.kind,
                    row.period_from,
                    row.period_to,
                    row.covers_from,
                    row.covers_to,
                    Decimal(row.quantity.numerator) / Decimal(row.quantity.denominator),
                    row.amount,
                    row.currency,
                    row.revision,
                    row.due_on,
                )
            )
        return lines

    def amounts(self, timeline: Timeline, through: str, usage: Usage | None = None) -> list[str]:
        return [str(row.amount) for row in self.run(timeline, through, usage)]


def amounts(lines: Iterable[ChargeLine]) -> list[str]:
    return [str(row.amount) for row in lines]
