"""Margin as policies see it: what a discount leaves of the list price over what giving the service costs."""

from __future__ import annotations

from o2c.controls.approvals.declaring import rule

NOTHING_LEFT = -999


def margin_at(discount: str, cost: str) -> str:
    """SQL: the margin of a line at this discount, in percent of what the customer pays.

    Both arguments are SQL, in percent, the cost of the list price. -999 is the least, and of a line for free.
    """
    return (
        f"CASE WHEN {discount} >= 100 THEN {NOTHING_LEFT} ELSE greatest("
        f"round(100 - {cost} * 100 / (100 - {discount}), 2), {NOTHING_LEFT}) END"
    )


MARGINS = (
    rule("margin", "A line leaves less than 40 percent", ("approver",), ("min_margin", "<", "40")),
    rule(
        "low_margin",
        "A line leaves less than 15 percent",
        ("approver", "controller"),
        ("min_margin", "<", "15"),
    ),
)
