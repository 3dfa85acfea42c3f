"""From one unit price, as people and CRMs say it, to a price of the list price's model."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from o2c.errors import InvalidInput
from orders.models import Price

PER_UNIT = frozenset({"per_unit"})
AT_ONCE = frozenset({"flat", "one_time"})


def unit_override(sku: str, currency: str, day: dt.date, amount: Decimal) -> dict[str, str]:
    """The model of the SKU's list price on `day`, at `amount`.

    Raises InvalidInput for a tiered or metered list price: one number can't replace it.
    """
    rows = Price.objects.filter(
        sku__code=sku, currency=currency, state=Price.State.ACTIVE, effective_from__lte=day
    )
    listed = rows.order_by("-effective_from").first()
    return at_amount(listed.spec["model"] if listed else "per_unit", sku, amount)


def at_amount(model: str, sku: str, amount: Decimal) -> dict[str, str]:
    """A price of `model` at `amount`. Raises InvalidInput where one number does not make one."""
    if model in PER_UNIT:
        return {"model": model, "unit_amount": f"{amount:f}"}
    if model in AT_ONCE:
        return {"model": model, "amount": f"{amount:f}"}
    raise InvalidInput(
        f"{sku} is priced as {model!r}; one unit price can't replace that",
        remedy="Agree on a discount, or write the price out in full",
        code="unit_price_ambiguous",
    )
