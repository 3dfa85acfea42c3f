"""The catalogue: meters, products and SKUs by code, and the life of list prices."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.db.models import Max

from o2c import locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.errors import Conflict, InvalidInput, NotFound
from o2c.money import minor_units
from orders.domain import price_spec
from orders.models import Meter, Price, Product, Sku
from orders.services.common import BATCH, Problems, changed, move
from orders.services.inputs import PriceInput

METER_COLUMNS = frozenset(
    {"name", "unit", "aggregation", "event_type", "value_property", "dimensions", "filters"}
)
SKU_COLUMNS = frozenset({"name", "kind", "unit", "tax_category", "provisioned", "active"})
ATTRIBUTION = frozenset({"revenue_treatment", "gl_segment", "cost_percent"})


def save_meter(code: str, *, actor: Actor, reason: str = "", **columns: Any) -> Meter:
    """Make the meter, or bring the one with this code up to date.

    Raises InvalidInput when a meter that needs a value does not say which property it is in, or when it
    filters by a property that it does not keep apart.
    """
    with acting(actor, reason=reason):
        require(actor, "orders.catalogue.maintain", record=code)
        _only(columns, METER_COLUMNS, code)
        meter = Meter.objects.select_for_update().filter(code=code).first() or Meter(code=code, unit="unit")
        changed(meter, columns)
        if meter.aggregation not in Meter.Aggregation.values:
            raise InvalidInput(f"{meter.aggregation!r} is not an aggregation", record=code)
        if meter.aggregation != "count" and not meter.value_property:
            raise InvalidInput(
                f"A meter that takes the {meter.aggregation} needs the property that holds the value",
                record=code,
                fields={"value_property": ["is missing"]},
            )
        if wrong := _filter_problems(meter.filters, meter.dimensions):
            raise InvalidInput("The filters of the meter can't be read", record=code, fields=wrong)
        meter.save()
        return meter


def _filter_problems(filters: object, dimensions: Sequence[str]) -> dict[str, list[str]]:
    """What is wrong with `{property: [values]}`, by place; every property is one of the dimensions."""
    if not isinstance(filters, Mapping):
        return {"filters": ['must name values per property, {"token_kind": ["output"]}']}
    found: dict[str, list[str]] = {}
    for name, values in filters.items():
        if name not in dimensions:
            found[f"filters.{name}"] = ["is no dimension of the meter: add it to the dimensions"]
        elif not isinstance(values, list | tuple) or not values:
            found[f"filters.{name}"] = ["must list at least one value"]
        elif not all(isinstance(value, str) and value for value in values):
            found[f"filters.{name}"] = ["must list texts"]
    return found


def save_product(code: str, *, name: str, family: str = "", actor: Actor, reason: str = "") -> Product:
    """Make the product, or bring the one with this code up to date."""
    with acting(actor, reason=reason):
        require(actor, "orders.catalogue.maintain", record=code)
        product = Product.objects.select_for_update().filter(code=code).first() or Product(code=code)
        changed(product, {"name": name, "family": family})
        product.save()
        return product


def save_sku(
    code: str, *, product: str, meter: str = "", actor: Actor, reason: str = "", **columns: Any
) -> Sku:
    """Make the SKU, or bring the one with this code up to date; product and meter are codes.

    Revenue treatment and GL segment are not set here but by `attribute_sku`, which is somebody else's duty;
    an actor who has that duty too may give them at once.
    """
    with acting(actor, reason=reason):
        require(actor, "orders.catalogue.maintain", record=code)
        _only(columns, SKU_COLUMNS | ATTRIBUTION, code)
        sku = Sku.objects.select_for_update().filter(code=code).first() or Sku(code=code)
        sku.product = _by_code(Product, product)
        sku.meter = _by_code(Meter, meter) if meter else sku.meter
        changed(sku, {name: value for name, value in columns.items() if name in SKU_COLUMNS})
        if sku.kind not in Sku.Kind.values:
            raise InvalidInput(f"{sku.kind!r} is not a kind of SKU", record=code)
        sku.save()
        attribution = {name: value for name, value in columns.items() if name in ATTRIBUTION}
        return attribute_sku(code, actor=actor, reason=reason, **attribution) if attribution else sku


def attribute_sku(
    code: str,
    *,
    revenue_treatment: str | None = None,
    gl_segment: str | None = None,
    cost_percent: Decimal | None = None,
    actor: Actor,
    reason: str = "",
) -> Sku:
    """Say how the revenue of a SKU is recognised, under which GL segment it is exported, and what it costs us
    (percent of the list price, 0 to 100): policies ask what a discount leaves.
    """
    with acting(actor, reason=reason):
        require(actor, "orders.sku.attribute", record=code)
        sku = _by_code(Sku, code)
        if revenue_treatment and revenue_treatment not in Sku.Treatment.values:
            raise InvalidInput(f"{revenue_treatment!r} is not a revenue treatment", record=code)
        if cost_percent is not None and not 0 <= cost_percent <= 100:
            raise InvalidInput(
                f"A cost of {cost_percent} percent of the list price is not between 0 and 100", record=code
            )
        values = {
            "revenue_treatment": revenue_treatment,
            "gl_segment": gl_segment,
            "cost_percent": cost_percent,
        }
        changed(sku, {name: value for name, value in values.items() if value is not None})
        sku.save()
        return sku


def attribute(
    pk: int,
    *,
    revenue_treatment: str = "",
    gl_segment: str = "",
    cost_percent: Decimal | None = None,
    actor: Actor,
    reason: str = "",
) -> Sku:
    """The same for a SKU by primary key, as its page asks for it; an empty field stays as it is."""
    code = Sku.objects.filter(pk=pk).values_list("code", flat=True).first()
    if code is None:
        raise NotFound(f"There is no SKU with id {pk}")
    return attribute_sku(
        code,
        revenue_treatment=revenue_treatment or None,
        gl_segment=gl_segment or None,
        cost_percent=cost_percent,
        actor=actor,
        reason=reason,
    )


def set_meter(pk: int, *, meter: str, actor: Actor, reason: str = "") -> Sku:
    """Say which meter measures the SKU; `meter` is a code."""
    with acting(actor, reason=reason):
        sku = locks.row(Sku, pk)
        require(actor, "orders.catalogue.maintain", record=sku.code)
        sku.meter = _by_code(Meter, meter)
        sku.save()
        return sku


def draft_price(data: PriceInput, *, actor: Actor, reason: str = "") -> Price:
    """Draft one list price. See `draft_prices`."""
    return draft_prices([data], actor=actor, reason=reason)[0]


def draft_prices(items: Sequence[PriceInput], *, actor: Actor, reason: str = "") -> list[Price]:
    """Draft list prices, each the next version of its SKU and currency.

    Raises InvalidInput with every problem of every price, named by SKU and currency.
    """
    with acting(actor, reason=reason):
        require(actor, "orders.price.draft")
        skus = {sku.code: sku for sku in Sku.objects.filter(code__in={item.sku for item in items})}
        _check_prices(items, skus)
        versions = _versions([sku.pk for sku in skus.values()])
        drafts = []
        for item in items:
            sku = skus[item.sku]
            versions[sku.pk, item.currency] += 1
            drafts.append(
                Price(
                    sku=sku,
                    currency=item.currency,
                    spec=dict(item.spec),
                    period=item.period,
                    effective_from=item.effective_from,
                    effective_to=item.effective_to,
                    version=versions[sku.pk, item.currency],
                )
            )
        return Price.objects.bulk_create(drafts, batch_size=BATCH)


def activate_price(pk: int, *, actor: Actor, reason: str = "") -> Price:
    """Make one drafted price valid. See `activate_prices`."""
    return activate_prices([pk], actor=actor, reason=reason)[0]


def activate_prices(pks: Sequence[int], *, actor: Actor, reason: str = "") -> list[Price]:
    """Make drafted prices valid.

    An open-ended price of the same SKU and currency that is valid before ends where the new one begins; a new
    price that is open-ended itself ends where a later one begins. Raises Conflict when it would overlap in
    another way.
    """
    with acting(actor, reason=reason):
        require(actor, "orders.price.activate")
        drafts = locks.rows(Price, pks)
        groups = {(price.sku_id, price.currency) for price in drafts}
        others = Price.objects.select_for_update(of=("self",)).select_related("sku").order_by("pk")
        by_group: dict[tuple[int, str], list[Price]] = defaultdict(list)
        for other in others.filter(state="active", sku__in={sku for sku, _ in groups}):
            by_group[other.sku_id, other.currency].append(other)
        shortened: set[Price] = set()
        for draft in sorted(drafts, key=lambda price: price.effective_from):
            neighbours = by_group[draft.sku_id, draft.currency]
            shortened |= _make_room(draft, neighbours)
            neighbours.append(draft)
        Price.objects.bulk_update(shortened, ["effective_to"], batch_size=BATCH)
        move(drafts, "activate")
        approvals.gate("orders.price.activate", pks)  # each beside the others that become valid with it
        return drafts


def ask_activate_price(pk: int, *, actor: Actor, reason: str = "") -> Request:
    """Ask for a drafted price to be made valid, where its policy wants somebody else to look."""
    return approvals.submit("orders.price.activate", pk, actor=actor, reason=reason)


def activate_or_ask(pks: Sequence[int], *, actor: Actor, reason: str = "") -> list[Request]:
    """Make valid, day by day, what the policy of list prices leaves to one person; ask for the others.

    Returns the requests; their prices stay drafts until somebody else approved.
    """
    asked: list[Request] = []
    drafts = Price.objects.filter(pk__in=pks).order_by("effective_from", "pk")
    for _, same_day in groupby(drafts, key=lambda price: price.effective_from):
        days = [price.pk for price in same_day]
        waiting = approvals.needs_approval("orders.price.activate", days)
        if free := [pk for pk in days if pk not in waiting]:
            activate_prices(free, actor=actor, reason=reason)
        asked += [ask_activate_price(pk, actor=actor, reason=reason) for pk in days if pk in waiting]
    return asked


def retire_price(pk: int, *, actor: Actor, reason: str = "") -> Price:
    """Withdraw a price: no new segment may point at it; those that do keep it."""
    with acting(actor, reason=reason):
        price = locks.row(Price, pk)
        require(actor, "orders.price.retire", record=str(price))
        move([price], "retire")
        return price


def _make_room(draft: Price, neighbours: Iterable[Price]) -> set[Price]:
    """Put `draft` between the active prices; answer the rows whose end has changed."""
    shortened: set[Price] = set()
    for other in sorted(neighbours, key=lambda price: price.effective_from):
        if other.effective_from < draft.effective_from:
            if other.effective_to is None:
                other.effective_to = draft.effective_from
                shortened.add(other)
        elif other.effective_from > draft.effective_from and draft.effective_to is None:
            draft.effective_to = other.effective_from
            shortened.add(draft)
        if _overlap(draft, other):
            raise Conflict(
                f"{other} is valid from {other.effective_from} "
                f"to {other.effective_to or 'its successor'} already",
                record=str(draft),
                remedy="Choose other dates, or retire the other price first",
                code="price_overlap",
            )
    return shortened


def _overlap(left: Price, right: Price) -> bool:
    far = dt.date.max
    left_end, right_end = left.effective_to or far, right.effective_to or far
    return left.effective_from < right_end and right.effective_from < left_end


def _versions(sku_ids: Iterable[int]) -> dict[tuple[int, str], int]:
    """The last version per SKU and currency, zero for none; the SKUs are locked so that it stays the last."""
    list(Sku.objects.select_for_update().filter(pk__in=sku_ids).order_by("pk").values_list("pk"))
    rows = Price.objects.filter(sku__in=sku_ids).values_list("sku", "currency").annotate(Max("version"))
    found: dict[tuple[int, str], int] = defaultdict(int)
    found.update({(sku, currency): version for sku, currency, version in rows.order_by()})
    return found


def _check_prices(items: Sequence[PriceInput], skus: Mapping[str, Sku]) -> None:
    found = Problems()
    for index, item in enumerate(items):
        path = f"[{index}]." if len(items) > 1 else ""
        label = f"price of {item.sku} in {item.currency}: "
        sku = skus.get(item.sku)
        if sku is None:
            found.add(f"{path}sku", f"there is no SKU {item.sku!r}")
        try:
            minor_units(item.currency)
        except InvalidInput as error:
            found.add(f"{path}currency", error.message)
        if item.period not in Price.Interval.values:
            found.add(f"{path}period", f"{item.period!r} is not one of {', '.join(Price.Interval.values)}")
        if item.effective_to is not None and item.effective_to <= item.effective_from:
            found.add(f"{path}effective_to", f"{label}ends before it begins")
        for place, texts in price_spec.examine(item.spec, kind=sku.kind if sku else "").by_path.items():
            for text in texts:
                found.add(f"{path}spec.{place}" if place else f"{path}spec", label + text)
    found.raise_if_any("The price list", code="price_invalid")


def _only(columns: Mapping[str, Any], known: Iterable[str], record: str) -> None:
    if unknown := sorted(set(columns) - set(known)):
        raise InvalidInput(f"Unknown column: {', '.join(unknown)}", record=record)


def _by_code(model: Any, code: str) -> Any:
    """The row with this code, locked. Raises NotFound."""
    row = model.objects.select_for_update(of=("self",)).filter(code=code).first()
    if row is None:
        name = model._meta.verbose_name
        raise NotFound(f"There is no {name} {code!r}", remedy=f"Make the {name} first, or correct the code")
    return row
