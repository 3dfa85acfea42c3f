"""Prepaid commitments: revenue as they are burned, and what is never burned (606-10-55-46 to 55-49)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from o2c.money import quantize


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The commitment after a burn: cumulative revenue, and whether the estimate still holds."""

    burned: Decimal
    breakage: Decimal
    liability: Decimal
    needs_estimate: bool = False

    @property
    def revenue(self) -> Decimal:
        return self.burned + self.breakage


def drawdown(
    commitment: Decimal, burned: Decimal, currency: str, *, expected_breakage: Fraction = Fraction(0)
) -> Drawdown:
    """Cumulative revenue of a commitment of which `burned` (face value) has been used.

    `expected_breakage` is the share of the commitment that the customer is expected never to use;
    it is earned in proportion to the burn: 540 burned of 1,000 with a tenth expected unused earns
    60 of breakage. Zero is the remote method: breakage waits for expiry.

    A burn past what the estimate leaves needs a new estimate: the result then says so and stops at
    the commitment, because a liability never goes negative.
    """
    face = min(burned, commitment)
    expected_use = Fraction(commitment) * (1 - expected_breakage)
    expected_loss = Fraction(commitment) * expected_breakage
    over = Fraction(burned) > expected_use
    share = Fraction(0) if not expected_use else Fraction(face) / expected_use
    # rounding: cumulative breakage, once per reading
    breakage = quantize(min(expected_loss * share, Fraction(commitment) - Fraction(face)), currency)
    return Drawdown(face, breakage, commitment - face - breakage, needs_estimate=over)


def expire(commitment: Decimal, recognised: Decimal) -> Decimal:
    """Breakage revenue on expiry: whatever the liability still holds."""
    return commitment - recognised
