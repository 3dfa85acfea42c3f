"""Prepaid orders and metered usage for tests of credit.

prepaid = {"model": "prepaid", "amount": "900.00", "credit": "1000.00"}
order = commit_order(team, customer, {"priority": "1"})       # COMMIT with these terms, and TOKENS
use(customer, "400000000", "2026-08-10")                      # 1,000.00 at list price
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from billing.services import dimensions, metering
from orders.models import Customer, Order
from tests.factories.billing import Team
from tests.factories.orders import line, make_order, orders_team

PER_UNIT = Decimal("0.0000025")


def tokens(amount: str) -> str:
    """How many tokens come to `amount` at list price."""
    return f"{Decimal(amount) / PER_UNIT:f}"


def commit_order(
    team: Team,
    customer: Customer,
    *grants: dict[str, Any],
    amount: str = "900.00",
    credit: str = "1000.00",
    terms: dict[str, Any] | None = None,
    **values: Any,
) -> Order:
    """An active order with a prepaid line for each of `grants` (its terms), and one line of tokens."""
    prepaid = [
        line(
            "COMMIT",
            price_override={"model": "prepaid", "amount": amount, "credit": credit, "grant": own},
            override_reason="Agreed",
        )
        for own in grants
    ]
    return make_order(
        team.orders, customer, [*prepaid, line("TOKENS")], state="active", terms=terms or {}, **values
    )


def use(customer: Customer, amount: str, on: str, event_id: str = "", *, seen_on: str = "") -> None:
    """Metered tokens worth `amount` at list price on a day, through the real intake."""
    dimensions.forget()
    event: dict[str, object] = {
        "id": event_id or f"{customer.number}-{on}-{amount}",
        "customer": customer.number,
        "meter": "tokens",
        "time": f"{on}T12:00:00Z",
        "quantity": tokens(amount),
    }
    outcomes = metering.ingest_events(
        "gateway",
        [event],
        actor=orders_team("usage-team", "billing.usage.ingest"),
        as_of=dt.datetime.fromisoformat(f"{seen_on or on}T13:00:00+00:00"),
    )
    assert sum(outcome.accepted for outcome in outcomes) == 1, outcomes
