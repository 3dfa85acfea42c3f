"""Reading a marketplace payment: terms, lateness, status, and what a difference of a penny means."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from o2c.money import allocate

PENNY = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Status:
    """A settlement's status as AWS's reports show it, and the difference expected - settled.

    `break_type` is ROUND for AWS's documented penny (closed by itself), SHORT_PAY or OVER_PAY beyond it.
    """

    label: str
    difference: Decimal
    break_type: str = ""

    @property
    def closes_itself(self) -> bool:
        return self.break_type in ("", "ROUND")


def payment_term(invoiced_on: date, due_on: date) -> str:
    """The term between buyer and marketplace; it is not disclosed, so it is derived from the two dates."""
    days = (due_on - invoiced_on).days
    return "Due on receipt" if days <= 0 else f"Net {days} days"


def lateness(due_on: date, disbursed_on: date) -> str:
    """How late money came after its due date, in AWS's buckets.

    >>> lateness(date(2026, 7, 2), date(2026, 8, 15))
    '31-60 days late'
    """
    days = (disbursed_on - due_on).days
    if days <= 0:
        return "Not due"
    for first, last in ((1, 30), (31, 60), (61, 90), (91, 120)):
        if days <= last:
            return f"{first}-{last} days late"
    return "121+ days late"


def status(net: Decimal, settled: Decimal, *, failed: bool = False, tolerance: Decimal = PENNY) -> Status:
    """Compare what was expected with what was paid out, both positive when owed to us."""
    difference = net - settled
    if failed and settled == 0:
        return Status("Failed", difference, "FAILED_DISB")
    if settled == 0 and net != 0:
        return Status("Not disbursed", difference)
    if difference == 0:
        return Status("Disbursed", difference)
    short = difference > 0
    label = "Partially disbursed" if short else "Disbursed"
    if abs(difference) <= tolerance:
        return Status(label, difference, "ROUND")
    return Status(label, difference, "SHORT_PAY" if short else "OVER_PAY")


def instalments(total: Decimal, count: int, currency: str) -> list[Decimal]:
    """Equal instalments of a flexible payment schedule; the last ones take the remainder, the sum is
    exact.
    """
    return allocate(total, [1] * count, currency)[::-1]
