"""How customers pay: most in full and about on time, some late, short, twice too much, or not at all."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from o2c.money import quantize


@dataclass(frozen=True)
class PaymentPlan:
    """What arrives for one invoice: `reference` is what the bank tells us, sometimes not enough."""

    amount: Decimal
    received_on: dt.date
    reference: str
    short_reason: str = ""


def payment(
    seed: int, number: str, total: Decimal, currency: str, issued_on: dt.date, due_on: dt.date
) -> PaymentPlan | None:
    """How the invoice with this number is paid; None when nobody pays it in the walk."""
    random = Random(f"{seed}:{number}")
    draw = random.random()
    if draw < 0.04 or total <= 0:
        return None
    on_time = due_on - dt.timedelta(days=random.randint(0, 9))
    late = due_on + dt.timedelta(days=random.randint(3, 24))
    received = max(late if draw < 0.16 else on_time, issued_on + dt.timedelta(days=2))
    if 0.16 <= draw < 0.20:
        kept = quantize(total * Decimal(random.randint(2, 9)) / 1000, currency)
        return PaymentPlan(total - kept, received, number, "bank_charges")
    if 0.20 <= draw < 0.23:
        return PaymentPlan(total + quantize(Decimal(random.randint(10, 400)), currency), received, number)
    if 0.23 <= draw < 0.26:
        return PaymentPlan(total, received, "payment for services")
    return PaymentPlan(total, received, number)
