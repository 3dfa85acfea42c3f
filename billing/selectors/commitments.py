"""The commitments of an order, as the charge engine takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from billing.domain.types import Commitment, Frequency, Kind, Line
from o2c.errors import InvalidInput

TERM = "term"
COUNTED = frozenset({Kind.RECURRING, Kind.USAGE})


def of_order(order: Mapping[str, Any], lines: Sequence[Line]) -> tuple[Commitment, ...]:
    """The clauses of `order` over its `lines`, in order of position; each is carried by its first usage line.

    A commitment whose usage line begins after what was loaded is left out: nothing of it is due.
    """
    found = []
    for clause in order["commitments"]:
        skus = set(clause.get("skus", ()))
        included = [one for one in lines if one.kind in COUNTED and (not skus or one.label in skus)]
        carrier = next((line for line in included if line.kind is Kind.USAGE), None)
        if carrier is None:
            continue
        if clause["per"] == TERM and order["ends_on"] is None:
            raise InvalidInput(
                "A commitment over the term needs an end of the term", record=f"order {order['id']}"
            )
        found.append(
            Commitment(
                amount=Fraction(clause["amount"]),
                per=None if clause["per"] == TERM else Frequency(clause["per"]),
                starts_on=order["starts_on"],
                ends_on=order["ends_on"],
                lines=frozenset(line.id for line in included),
                carrier=carrier.id,
                overage_factor=Fraction(clause.get("overage_factor", "1")),
            )
        )
    return tuple(found)
