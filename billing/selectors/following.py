"""The prices that others follow: of the list, and agreed with the customer."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from billing.domain import specs
from billing.domain.following import Source, followed_skus, resolved
from billing.domain.prices import Followed, Price, Unreadable
from billing.domain.types import Line
from o2c.errors import InvalidInput
from orders.models import Price as ListPrice

Listed = Mapping[tuple[str, str], Sequence[Followed]]


def looked_up(
    lines: Mapping[int, list[Line]],
    orders: Mapping[int, Mapping[str, Any]],
    agreed: Sequence[Mapping[str, Any]],
) -> dict[int, list[Line]]:
    """The lines by order with prices that follow another one looked up. One statement where there are any."""
    codes = followed_skus(line for own in lines.values() for line in own)
    if not codes:
        return dict(lines)
    listed = list_prices(codes)
    return {
        pk: resolved(own, {code: _source(code, orders[pk], pk, listed, agreed) for code in codes})
        for pk, own in lines.items()
    }


def list_prices(codes: set[str]) -> Listed:
    """The active list prices of these metered SKUs, by SKU and currency."""
    found: dict[tuple[str, str], list[Followed]] = defaultdict(list)
    rows = ListPrice.objects.filter(sku__code__in=codes, sku__kind="usage", state=ListPrice.State.ACTIVE)
    columns = ("sku__code", "currency", "version", "spec", "effective_from", "effective_to")
    for code, currency, version, spec, start, end in rows.order_by("effective_from").values_list(*columns):
        price = _read(spec, f"{code} {currency} v{version}")
        found[code, currency].append(Followed(start, end, price, dt.date.min))
    return found


def _source(
    code: str,
    order: Mapping[str, Any],
    pk: int,
    listed: Listed,
    agreed: Sequence[Mapping[str, Any]],
) -> Source:
    own = [
        row
        for row in agreed
        if row["sku__code"] == code
        and row["customer_id"] == order["customer_id"]
        and row["order_id"] in (None, pk)
        and row["method"] == "replace"
        and not row["dimensions"]
        and (row["ends_on"] is None or row["starts_on"] < row["ends_on"])
    ]
    return Source(
        tuple(listed.get((code, order["currency"]), ())),
        tuple(
            Followed(
                row["starts_on"], row["ends_on"], _read(row["spec"], f"Override {row['id']}"), dt.date.min
            )
            for row in sorted(own, key=lambda row: row["order_id"] is not None)
        ),
    )


def _read(spec: Mapping[str, Any], record: str) -> Price:
    try:
        return specs.parse(spec, record=record)
    except InvalidInput as error:
        return Price(Unreadable(error))
