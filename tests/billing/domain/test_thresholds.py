"""Early invoices at thresholds: published figures (known_answers/billing.md, rows U22 to U24).

A plan of 31.00 in arrears and usage at 0.0002; the month begins on the 1st, so Lago's day 5 is the 6th.
"""

from __future__ import annotations

from decimal import Decimal

from billing.domain.settlement import early
from billing.domain.types import Billed, ChargeLine, Frequency, Timeline, Timing, Usage
from tests.billing.domain.contracts import (
    Books,
    calendar_line,
    contract,
    day,
    flat,
    per_unit,
    segment,
    usage_line,
    used,
)

D = Decimal
FIRST, SECOND, THIRD = ("2026-01-06", "1000000"), ("2026-01-16", "1000000"), ("2026-01-20", "1000000")


def deal(ends: str | None = None) -> Timeline:
    plan = calendar_line(
        segment(1, "2026-01-01", ends, flat("31.00")), id=1, timing=Timing.ARREARS, every=Frequency.MONTH
    )
    return contract(plan, usage_line(segment(2, "2026-01-01", ends, per_unit("0.0002")), id=2))


def invoice_early(books: Books, timeline: Timeline, usage: Usage, as_of: str, *thresholds: str) -> Decimal:
    lines = early(timeline, usage, books.billed, day(as_of), [D(one) for one in thresholds])
    for row in lines:
        books.billed.append(_billed(len(books.billed) + 1, row))
    return sum((row.amount for row in lines), D(0))


def _billed(pk: int, row: ChargeLine) -> Billed:
    units = D(row.quantity.numerator) / row.quantity.denominator
    return Billed(
        pk, row.line, row.segment, row.kind, row.period_from, row.period_to, row.covers_from, row.covers_to,
        units, row.amount, row.currency, row.revision, row.due_on,
    )  # fmt: skip


def month_end(books: Books, timeline: Timeline, usage: Usage) -> Decimal:
    return sum((row.amount for row in books.run(timeline, "2026-02-01", usage)), D(0))


def test_u22_one_threshold_is_billed_once_and_the_month_end_bills_the_rest() -> None:
    books, timeline = Books(), deal()

    assert invoice_early(books, timeline, used(FIRST, line=2), "2026-01-07", "200") == D("200.00")
    both = used(FIRST, SECOND, line=2)
    assert invoice_early(books, timeline, both, "2026-01-17", "200") == 0
    assert month_end(books, timeline, both) == D("231.00")  # fees 431.00, credit 200.00
    assert books.run(timeline, "2026-02-01", both) == []


def test_u23_ended_or_changed_before_the_month_is_over() -> None:
    for ends, rest in (("2026-01-19", "18.00"), ("2026-01-18", "17.00")):
        books, usage = Books(), used(FIRST, line=2)
        assert invoice_early(books, deal(), usage, "2026-01-07", "200") == D("200.00")
        assert month_end(books, deal(ends), usage) == D(rest)


def test_u24_two_thresholds() -> None:
    books, timeline = Books(), deal()

    assert invoice_early(books, timeline, used(FIRST, line=2), "2026-01-07", "200", "500") == D("200.00")
    assert invoice_early(books, timeline, used(FIRST, SECOND, line=2), "2026-01-17", "200", "500") == 0
    everything = used(FIRST, SECOND, THIRD, line=2)
    assert invoice_early(books, timeline, everything, "2026-01-21", "200", "500") == D("400.00")
    assert month_end(books, timeline, everything) == D("31.00")


def test_a_regular_run_before_the_end_of_the_period_leaves_what_was_billed_early_alone() -> None:
    books, timeline = Books(), deal()
    invoice_early(books, timeline, used(FIRST, line=2), "2026-01-07", "200")

    assert books.run(timeline, "2026-01-21", used(FIRST, SECOND, line=2)) == []
    taken_back = used(("2026-01-06", "400000"), line=2)
    assert [row.amount for row in books.run(timeline, "2026-01-21", taken_back)] == [D("-120.00")]
