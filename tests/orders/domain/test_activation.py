"""The gate in front of billing names everything at once."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

from o2c.periods import Period
from orders.domain.activation import LineFacts, OrderFacts, SegmentFacts, blockers

TERM = Period(dt.date(2026, 8, 1), dt.date(2027, 8, 1))
SEGMENT = SegmentFacts(TERM, "SEATS USD v1", "SEATS", "USD", "active", ())
LINE = LineFacts(1, "SEATS", "recurring", False, "ratable_daily", "100", (SEGMENT,))
ORDER = OrderFacts(
    "USD", "C-000001 Globex", "USD", "active", "US", "US", TERM.start, TERM.end, None, Decimal(0), (LINE,)
)


def codes(order: OrderFacts) -> list[tuple[int, str]]:
    return [(found.position, found.code) for found in blockers(order)]


def test_a_complete_order_has_no_blocker() -> None:
    assert blockers(ORDER) == []


def test_everything_that_is_missing_is_said_at_once_with_line_and_sku() -> None:
    usage = LineFacts(2, "TOKENS", "usage", False, "", "", ())
    order = replace(
        ORDER,
        customer_currency="EUR",
        customer_state="inactive",
        entity="IE",
        signed_total=Decimal("100.00"),
        value=Decimal("4800.00"),
        lines=(LINE, usage),
    )
    assert codes(order) == [
        (0, "entity_mismatch"),
        (0, "currency_mismatch"),
        (0, "customer_inactive"),
        (0, "signed_total_mismatch"),
        (2, "no_meter"),
        (2, "no_revenue_treatment"),
        (2, "no_gl_segment"),
        (2, "no_segments"),
    ]
    assert str(blockers(order)[4]) == (
        "line 2 (TOKENS): the SKU has no meter. Give the SKU the meter that measures it"
    )


def test_segments_need_a_fitting_price_and_lie_in_the_term() -> None:
    wrong = SegmentFacts(
        Period(dt.date(2026, 7, 1), None), "P", "OTHER", "EUR", "retired", ("amount: is missing",)
    )
    order = replace(ORDER, lines=(replace(LINE, segments=(wrong,)),))
    assert codes(order) == [
        (1, "price_currency"),
        (1, "price_sku"),
        (1, "price_state"),
        (1, "price_invalid"),
        (1, "outside_term"),
    ]


def test_an_order_without_lines_is_no_order() -> None:
    assert codes(replace(ORDER, lines=())) == [(0, "no_lines")]
