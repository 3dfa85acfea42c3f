"""Approval rules of orders: what must be true, beside a second person's yes, before something goes ahead.

Each rule is a function from the record to the reasons why it may not go ahead yet. None is in force: approval
by a second person is enforced by the service and the database. Rules that depend on values (discount, term,
amount) come with the approval engine, which reads this table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from o2c.controls.approvals.registry import Act
from orders.models import Quote

Rule = Callable[[Quote], Sequence[str]]

ACTS: list[Act] = []
POLICIES: dict[str, dict[str, Any]] = {}

QUOTE_RULES: dict[str, Rule] = {}


def unmet(quote: Quote) -> list[str]:
    """Why the quote may not be approved yet; an empty list when nothing stands in the way."""
    return [reason for rule in QUOTE_RULES.values() for reason in rule(quote)]
