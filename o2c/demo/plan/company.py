"""Our two legal entities, the people who work here, and the exchange rates of the walk."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random

MONTHS = (dt.date(2026, 8, 1), dt.date(2026, 9, 1), dt.date(2026, 10, 1), dt.date(2026, 11, 1))
"""First days of the months that the walk closes; the last is the first day after them."""

BOOKS_FROM = dt.date(2026, 8, 1)
BOOKS_UNTIL = dt.date(2027, 12, 31)

ENTITIES: tuple[dict[str, str], ...] = (
    {
        "code": "US", "name": "Lumen US", "legal_name": "Lumen Intelligence, Inc.", "currency": "USD",
        "country": "US", "time_zone": "America/New_York", "tax_id": "84-2917365",
        "registration": "Delaware 7204418", "line1": "548 Congress Avenue", "line2": "Suite 2100",
        "city": "Austin", "region": "TX", "postal_code": "78701", "email": "billing@lumen.example",
        "bank_name": "First Meridian Bank", "bank_account": "4401928837", "bank_routing": "111000614",
        "swift": "FMBKUS44",
    },
    {
        "code": "IE", "name": "Lumen Europe", "legal_name": "Lumen Intelligence Europe Limited",
        "currency": "EUR", "country": "IE", "time_zone": "Europe/Dublin", "tax_id": "IE6433435F",
        "registration": "CRO Dublin 688214", "line1": "14 Hanover Quay", "line2": "Grand Canal Dock",
        "city": "Dublin", "region": "", "postal_code": "D02 XN56", "email": "billing.eu@lumen.example",
        "bank_name": "Liffey Bank", "bank_account": "IE29AIBK93115212345678", "bank_routing": "",
        "swift": "AIBKIE2D",
    },
)  # fmt: skip


@dataclass(frozen=True)
class Persona:
    """A person who signs in, with the roles they hold."""

    username: str
    name: str
    roles: tuple[str, ...]


PERSONAS = (
    Persona("dana", "Dana Whitfield", ("deal_desk",)),
    Persona("mara", "Mara Sundqvist", ("master_data", "revenue_policy")),
    Persona("olivia", "Olivia Tran", ("order_entry",)),
    Persona("omar", "Omar Haddad", ("order_management",)),
    Persona("bea", "Bea Lindqvist", ("billing_ops",)),
    Persona("remy", "Remy Laurent", ("cash_receipts",)),
    Persona("colin", "Colin Achebe", ("collections",)),
    Persona("cora", "Cora Bennett", ("credit",)),
    Persona("rosa", "Rosa Marchetti", ("revenue_accounting",)),
    Persona("petra", "Petra Novak", ("partner_ops",)),
    Persona("anton", "Anton Keller", ("approver",)),
    Persona("carla", "Carla Mendes", ("controller",)),
    Persona("audrey", "Audrey Blake", ("auditor",)),
    Persona("ada", "Ada Forsyth", ("admin",)),
)

FIXINGS = {
    ("EUR", "USD"): "1.1642",
    ("GBP", "USD"): "1.3471",
    ("GBP", "EUR"): "1.1571",
    ("USD", "EUR"): "0.8590",
}


def exchange_rates(seed: int) -> Iterator[tuple[str, str, dt.date, Decimal]]:
    """(from, to, valid on, rate) for each working day from July to November 2026; a slow random walk."""
    random = Random(seed)
    for (source, target), start in FIXINGS.items():
        rate = Decimal(start)
        day = dt.date(2026, 7, 1)
        while day < dt.date(2026, 12, 1):
            if day.weekday() < 5:
                yield source, target, day, rate
                rate = (rate * (1 + Decimal(random.randint(-45, 45)).scaleb(-4) / 10)).quantize(
                    Decimal("0.0001")
                )
            day += dt.timedelta(days=1)
