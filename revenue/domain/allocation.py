"""Step 4: divide the transaction price over the obligations (606-10-32-28 to 32-41)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from o2c.money import allocate


def split(total: Decimal, weights: Sequence[Fraction | Decimal | int], currency: str) -> list[Decimal]:
    """`total` in proportion to `weights`, in whole minor units, summing to `total`.

    Largest remainder; of equal remainders the last obligation takes the unit, so that the first
    invoices of a contract never carry the odd cent.

    >>> split(Decimal("100.00"), [1, 1, 1], "USD")
    [Decimal('33.33'), Decimal('33.33'), Decimal('33.34')]
    """
    return allocate(total, list(reversed(weights)), currency)[::-1]


def relative(price: Decimal, ssps: Mapping[str, Decimal], currency: str) -> dict[str, Decimal]:
    """The fixed price over the obligations in proportion to their stand-alone selling prices.

    All prices zero (a free trial of everything) splits evenly; no obligation gives nothing.
    """
    if not ssps:
        return {}
    weights: Sequence[Decimal | int] = list(ssps.values())
    if not any(weights):
        weights = [1] * len(ssps)
    return dict(zip(ssps, split(price, weights, currency), strict=True))


@dataclass(frozen=True, slots=True)
class Residual:
    """The outcome of the residual approach (606-10-32-34c): the figure, or why it is refused."""

    amount: Decimal
    refused: str = ""

    @property
    def is_allowed(self) -> bool:
        return not self.refused


def residual(
    price: Decimal,
    observable: Decimal,
    *,
    low: Decimal | None,
    high: Decimal | None,
    highly_variable: bool,
) -> Residual:
    """What is left of `price` for the one obligation whose price is not observable.

    `observable` is the sum that the other obligations sell for, bundles at their bundle price.
    Refused when the price is neither highly variable nor uncertain, or when the residual falls
    outside the range in which the item is sold (Example 34, case C).
    """
    amount = price - observable
    if not highly_variable:
        return Residual(amount, "the price is neither highly variable nor uncertain")
    if amount <= 0:
        return Residual(amount, f"the residual {amount} is not a price")
    if (low is not None and amount < low) or (high is not None and amount > high):
        return Residual(amount, f"the residual {amount} is outside the range {low} to {high}")
    return Residual(amount)


def with_bundle(
    price: Decimal, ssps: Mapping[str, Decimal], bundle: Sequence[str], bundle_price: Decimal, currency: str
) -> dict[str, Decimal]:
    """Give the whole discount to a bundle that regularly sells at that discount (606-10-32-37).

    It applies only when the contract's discount is substantially the bundle's: otherwise the
    discount is shared by all, which is plain relative allocation.
    """
    discount = sum(ssps.values(), Decimal(0)) - price
    bundled = {name: ssps[name] for name in bundle}
    if discount != sum(bundled.values(), Decimal(0)) - bundle_price:
        return relative(price, ssps, currency)
    parts = {name: ssp for name, ssp in ssps.items() if name not in bundled}
    parts |= relative(bundle_price, bundled, currency)
    return {name: parts[name] for name in ssps}


def mirror(total: Decimal, original: Sequence[Decimal], currency: str) -> list[Decimal]:
    """A credit over the cents of the document that it credits.

    A full credit mirrors every cent; a part of it follows the original amounts as weights.
    """
    if total == -sum(original, Decimal(0)):
        return [-part for part in original]
    return split(total, [abs(part) for part in original], currency)


@dataclass(frozen=True, slots=True)
class ChangeOfPrice:
    """A later change of variable consideration: what is caught up now, what waits."""

    catch_up: dict[str, Decimal]
    added: dict[str, Decimal]


def change_of_price(
    change: Decimal,
    promised_to: Mapping[str, Decimal],
    satisfied: Sequence[str],
    remaining: Mapping[str, Decimal],
    currency: str,
) -> ChangeOfPrice:
    """Spread a change of a variable price promised before a modification (606-10-32-42 to 32-45).

    The change goes to the obligations that the promise was made for, by SSP; the share of those
    already satisfied is revenue at once, the rest joins the pool of the modified contract.
    """
    shares = relative(change, promised_to, currency)
    catch_up = {name: shares[name] for name in promised_to if name in satisfied}
    waiting = change - sum(catch_up.values(), Decimal(0))
    return ChangeOfPrice(catch_up, relative(waiting, remaining, currency))
