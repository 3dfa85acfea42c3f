"""Credit of a customer: what they may owe us, what they do and will, and whether one more order fits.

Exposure is what the customer owes (open receivables, tax included) and what their active orders commit them
to and no document has billed yet. Usage has no committed value: it counts once it is billed. An order that a
marketplace collects is the marketplace's debt, not the customer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from o2c.money import minor_units

ZERO = Decimal(0)
OVER, HELD = "credit_limit", "credit_hold"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a customer stands, in its own currency.

    `limit` is None when its credit is not checked; `decision` names the decision in force, None when nobody
    decided and the currency has no standard either: then the limit is zero.
    """

    customer: str
    currency: str
    decision: int | None
    limit: Decimal | None
    held: bool
    receivable: Decimal
    unbilled: Decimal

    @property
    def exposure(self) -> Decimal:
        """What is owed and committed now."""
        return self.receivable + self.unbilled

    @property
    def headroom(self) -> Decimal | None:
        """What still fits under the limit; below zero when it is exceeded; None without a limit."""
        return None if self.limit is None else self.limit - self.exposure


@dataclass(frozen=True, slots=True)
class Release:
    """An order let through by a person: under this decision, up to this exposure."""

    pk: int
    decision: int | None
    covers: Decimal


@dataclass(frozen=True, slots=True)
class Asked:
    """One order that asks for credit.

    `value` is what it commits the customer to; `added` what becomes exposure with it, that of orders which
    go ahead together included.
    """

    standing: Standing
    value: Decimal
    added: Decimal
    release: Release | None = None

    @property
    def exposure_after(self) -> Decimal:
        return self.standing.exposure + self.added

    @property
    def over(self) -> Decimal:
        """By how much the limit would be exceeded; zero when it is not, or without a limit."""
        limit = self.standing.limit
        return ZERO if limit is None else max(self.exposure_after - limit, ZERO)

    @property
    def released(self) -> bool:
        """A release holds for the decision in view of which it was given, and as far as it reaches."""
        given = self.release
        return (
            given is not None
            and given.decision == self.standing.decision
            and self.exposure_after <= given.covers
        )


def problem(asked: Asked) -> tuple[str, str, str] | None:
    """Why the order is on credit hold, as (code, message, remedy); None when it may go ahead."""
    standing = asked.standing
    if asked.released or not (standing.held or asked.over):
        return None
    remedy = "Collect what is open, have the limit raised, or ask credit management to release this order"
    if standing.held:
        return HELD, f"The customer {standing.customer} is on credit hold", remedy
    limit, open_now, committed, added, over = (
        f"{amount:,.{minor_units(standing.currency)}f}"
        for amount in (standing.limit, standing.receivable, standing.unbilled, asked.added, asked.over)
        if amount is not None
    )
    return (
        OVER,
        f"The customer {standing.customer} has a credit limit of {limit} {standing.currency}: "
        f"{open_now} is open, {committed} committed and not billed yet, and this adds {added}, "
        f"which is {over} too much",
        remedy,
    )
