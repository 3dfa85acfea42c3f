"""What an amendment asks for: the JSON of `Amendment.changes`, per kind, read strictly.

    quantity  {"lines": [{"line": 12, "quantity": "15"} | {"line": 12, "delta": "-3"}], "until":
    "2027-01-01"?} price     {"lines": [{"line": 12, "price": 34?, "override": {...} | null?,
    "discount_percent": "10"?}],
               "until": "2027-01-01"?}
    add_line  {"lines": [{"sku": "SEATS", "quantity": "5", "price": 34?, "override": {...}?,
               "discount_percent": "0"?, "ends_on": "2027-01-01"?, "timing": "advance"?, "frequency": ""?,
               "description": ""?, "usage_key": ""?, "schedule": [...]?}]}       orders/domain/schedules.py
    cancel    {"mode": "now" | "period_end" | "backdated", "lines": [12]?}           no lines: the whole order
    renew     {"term_months": 12, "uplift_percent": "5"?, "lines": [12]?, "reprice": "keep" | "list"?}
    plan      {"lines": [{"line": 12, "sku": "PRO", "quantity": "5"?, "price": 34?, "override": {...}?,
               "discount_percent": "0"?}]}                          without a quantity: the same
    pause     {"lines": [12]?, "until": "2027-01-01"?}                 no lines: all that is charged by period
    resume    {"lines": [12]?}
    transfer  {"customer": "C-000002"}                                 from the effective date on
    undo      {"amendment": 3}                                         the number of an applied amendment

Lines are primary keys of order lines. `delta` is added to whatever the quantity is on each day, `quantity`
replaces it; without `until` both hold to the end of the line. A line that moves to another list price loses
its override unless it brings a new one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from o2c.errors import InvalidInput
from orders.domain import price_spec
from orders.domain.price_spec import Findings, Spec

# Why a time of day is refused, wherever one could be given.
WHOLE_DAYS = "A contract changes at the beginning of a day in its time zone; give the date without a time"
CANCEL_MODES = ("now", "period_end", "backdated")
REPRICE = ("keep", "list")
TIMINGS = ("advance", "arrears")
FREQUENCIES = ("", "week", "month", "quarter", "half_year", "year")
MAX_QUANTITY = Decimal(10) ** 19
MAX_TERM_MONTHS = 120


@dataclass(frozen=True, slots=True)
class QuantityItem:
    """Exactly one of `quantity` (the new one) and `delta` (what is added) is given."""

    line: int
    quantity: Decimal | None
    delta: Decimal | None


@dataclass(frozen=True, slots=True)
class QuantityChange:
    items: tuple[QuantityItem, ...]
    until: dt.date | None


@dataclass(frozen=True, slots=True)
class PriceItem:
    """What is None stays as it is; `drop_override` says that a negotiated price ends."""

    line: int
    price: int | None
    override: Spec | None
    drop_override: bool
    discount_percent: Decimal | None


@dataclass(frozen=True, slots=True)
class PriceChange:
    items: tuple[PriceItem, ...]
    until: dt.date | None


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line to add; one that `replaces` another takes over its clauses, and its quantity unless said."""

    sku: str
    quantity: Decimal | None
    price: int | None
    override: Spec | None
    discount_percent: Decimal
    ends_on: dt.date | None
    timing: str
    frequency: str
    description: str
    usage_key: str
    schedule: tuple[Mapping[str, Any], ...] = ()
    replaces: int | None = None


@dataclass(frozen=True, slots=True)
class AddLines:
    items: tuple[NewLine, ...]


@dataclass(frozen=True, slots=True)
class Cancellation:
    """`lines` empty: every line, and with it the order."""

    mode: str
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Renewal:
    """`lines` empty: every recurring and usage line that runs to the end of the order."""

    term_months: int
    uplift_percent: Decimal
    lines: tuple[int, ...]
    reprice: str


@dataclass(frozen=True, slots=True)
class PlanChange:
    items: tuple[NewLine, ...]


@dataclass(frozen=True, slots=True)
class Pause:
    """`lines` empty: every line that is charged by period; `until` None: until it is resumed."""

    lines: tuple[int, ...]
    until: dt.date | None


@dataclass(frozen=True, slots=True)
class Resumption:
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Transfer:
    """`customer` is the number of the customer who takes the order over."""

    customer: str


@dataclass(frozen=True, slots=True)
class Undo:
    """`amendment` is the number of an amendment within its order."""

    amendment: int


Change = (
    QuantityChange
    | PriceChange
    | AddLines
    | Cancellation
    | Renewal
    | PlanChange
    | Pause
    | Resumption
    | Transfer
    | Undo
)


def read(kind: str, changes: object, *, record: str = "") -> Change:
    """The change that `changes` describes. Raises InvalidInput with every problem by its place."""
    found = Findings()
    reader = READERS.get(kind)
    if reader is None:
        raise InvalidInput(f"{kind!r} is not a kind of amendment", record=record)
    if not isinstance(changes, Mapping):
        raise InvalidInput("The changes must be an object", record=record)
    result = reader(changes, found)
    if found.by_path:
        raise InvalidInput(
            "The changes are not valid. " + "; ".join(found.lines()),
            record=record,
            remedy="Correct them and draft the amendment again",
            code="amendment_invalid",
            fields=found.by_path,
        )
    return result


def _known(source: Mapping[str, Any], path: str, found: Findings, *names: str) -> None:
    for name in sorted(set(map(str, source)) - set(names)):
        found.add(f"{path}{name}", "is not known here")


def _line_items(source: Mapping[str, Any], found: Findings) -> list[tuple[str, Mapping[str, Any]]]:
    items = source.get("lines")
    if not isinstance(items, list) or not items:
        found.add("lines", "must be a list with at least one line")
        return []
    good = []
    for position, item in enumerate(items):
        if isinstance(item, Mapping):
            good.append((f"lines[{position}].", item))
        else:
            found.add(f"lines[{position}]", "must be an object")
    return good


def _line(item: Mapping[str, Any], path: str, found: Findings, seen: set[int]) -> int:
    value = item.get("line")
    if not isinstance(value, int) or isinstance(value, bool):
        found.add(f"{path}line", "must be the id of an order line")
        return 0
    if value in seen:
        found.add(f"{path}line", f"line {value} is named twice")
    seen.add(value)
    return value


def _number(
    item: Mapping[str, Any],
    name: str,
    path: str,
    found: Findings,
    low: Decimal,
    high: Decimal,
    decimals: int = 9,
) -> Decimal | None:
    """The decimal string under `name`, when it is there; complains about anything else in its place."""
    if name not in item:
        return None
    value = item[name]
    if not isinstance(value, str):
        found.add(f"{path}{name}", 'must be a decimal string such as "15"')
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        found.add(f"{path}{name}", f"{value!r} is not a decimal")
        return None
    if not low <= number <= high:
        found.add(f"{path}{name}", f"{value} is not between {low} and {high}")
        return None
    if number != round(number, decimals):
        found.add(f"{path}{name}", f"{value} has more than {decimals} decimals")
        return None
    return number


def _date(item: Mapping[str, Any], name: str, path: str, found: Findings) -> dt.date | None:
    value = item.get(name)
    if value is None:
        return None
    try:
        return dt.date.fromisoformat(value)
    except (TypeError, ValueError):
        found.add(f"{path}{name}", f"{value!r} is not a date such as 2027-01-31. {WHOLE_DAYS}")
        return None


def _choice(
    item: Mapping[str, Any], name: str, path: str, found: Findings, choices: Sequence[str], default: str
) -> str:
    value = item.get(name, default)
    if value not in choices:
        found.add(f"{path}{name}", f"{value!r} is not one of {', '.join(repr(c) for c in choices)}")
        return default
    return str(value)


def _text(item: Mapping[str, Any], name: str, path: str, found: Findings, length: int) -> str:
    value = item.get(name, "")
    if not isinstance(value, str) or len(value) > length:
        found.add(f"{path}{name}", f"must be a text of at most {length} characters")
        return ""
    return value


def _override(item: Mapping[str, Any], path: str, found: Findings) -> Spec | None:
    spec = item.get("override")
    if spec is None:
        return None
    for problem in price_spec.problems(spec):
        found.add(f"{path}override", problem)
    return spec if isinstance(spec, Mapping) else None


def _price_id(item: Mapping[str, Any], path: str, found: Findings) -> int | None:
    value = item.get("price")
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        found.add(f"{path}price", "must be the id of a price")
        return None
    return value


def _ids(source: Mapping[str, Any], found: Findings) -> tuple[int, ...]:
    value = source.get("lines")
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(v, int) and not isinstance(v, bool) for v in value):
        found.add("lines", "must be a list of ids of order lines")
        return ()
    return tuple(sorted(set(value)))


def _quantity(source: Mapping[str, Any], found: Findings) -> QuantityChange:
    _known(source, "", found, "lines", "until")
    seen: set[int] = set()
    items = []
    for path, item in _line_items(source, found):
        _known(item, path, found, "line", "quantity", "delta")
        if ("quantity" in item) == ("delta" in item):
            found.add(path.rstrip("."), "give either a quantity or a delta")
        quantity = _number(item, "quantity", path, found, Decimal(0), MAX_QUANTITY)
        delta = _number(item, "delta", path, found, -MAX_QUANTITY, MAX_QUANTITY)
        items.append(QuantityItem(_line(item, path, found, seen), quantity, delta))
    return QuantityChange(tuple(items), _date(source, "until", "", found))


def _price(source: Mapping[str, Any], found: Findings) -> PriceChange:
    _known(source, "", found, "lines", "until")
    seen: set[int] = set()
    items = []
    for path, item in _line_items(source, found):
        _known(item, path, found, "line", "price", "override", "discount_percent")
        if not {"price", "override", "discount_percent"} & set(item):
            found.add(path.rstrip("."), "give a price, an override or a discount")
        override = _override(item, path, found)
        items.append(
            PriceItem(
                line=_line(item, path, found, seen),
                price=_price_id(item, path, found),
                override=override,
                drop_override=override is None and ("override" in item or item.get("price") is not None),
                discount_percent=_number(item, "discount_percent", path, found, Decimal(0), Decimal(100), 4),
            )
        )
    return PriceChange(tuple(items), _date(source, "until", "", found))


def _add_line(source: Mapping[str, Any], found: Findings) -> AddLines:
    _known(source, "", found, "lines")
    items = []
    names = list(NewLine.__dataclass_fields__)
    for path, item in _line_items(source, found):
        _known(item, path, found, *names)
        sku = _text(item, "sku", path, found, 60)
        if not sku:
            found.add(f"{path}sku", "is missing")
        quantity = _number(item, "quantity", path, found, Decimal(0), MAX_QUANTITY)
        discount = _number(item, "discount_percent", path, found, Decimal(0), Decimal(100), 4)
        items.append(
            NewLine(
                sku=sku,
                quantity=quantity,
                price=_price_id(item, path, found),
                override=_override(item, path, found),
                discount_percent=discount or Decimal(0),
                ends_on=_date(item, "ends_on", path, found),
                timing=_choice(item, "timing", path, found, TIMINGS, "advance"),
                frequency=_choice(item, "frequency", path, found, FREQUENCIES, ""),
                description=_text(item, "description", path, found, 300),
                usage_key=_text(item, "usage_key", path, found, 100),
                schedule=_schedule(item, path, found),
            )
        )
    return AddLines(tuple(items))


def _schedule(item: Mapping[str, Any], path: str, found: Findings) -> tuple[Mapping[str, Any], ...]:
    value = item.get("schedule")
    if value is None:
        return ()
    if not isinstance(value, list) or not value or not all(isinstance(one, Mapping) for one in value):
        found.add(f"{path}schedule", "must be a list of instalments")
        return ()
    if item.get("frequency"):
        found.add(f"{path}frequency", "a line is billed by a schedule or by periods, not both")
    return tuple(value)


def _cancel(source: Mapping[str, Any], found: Findings) -> Cancellation:
    _known(source, "", found, "mode", "lines")
    return Cancellation(_choice(source, "mode", "", found, CANCEL_MODES, "now"), _ids(source, found))


def _renew(source: Mapping[str, Any], found: Findings) -> Renewal:
    _known(source, "", found, "term_months", "uplift_percent", "lines", "reprice")
    months = source.get("term_months")
    if not isinstance(months, int) or isinstance(months, bool) or not 1 <= months <= MAX_TERM_MONTHS:
        found.add("term_months", f"must be a whole number of months between 1 and {MAX_TERM_MONTHS}")
        months = 1
    uplift = _number(source, "uplift_percent", "", found, Decimal(-100), Decimal(1000), 4)
    reprice = _choice(source, "reprice", "", found, REPRICE, "keep")
    return Renewal(months, uplift or Decimal(0), _ids(source, found), reprice)


def _plan(source: Mapping[str, Any], found: Findings) -> PlanChange:
    _known(source, "", found, "lines")
    seen: set[int] = set()
    items = []
    for path, item in _line_items(source, found):
        _known(item, path, found, "line", "sku", "quantity", "price", "override", "discount_percent")
        sku = _text(item, "sku", path, found, 60)
        if not sku:
            found.add(f"{path}sku", "is missing")
        discount = _number(item, "discount_percent", path, found, Decimal(0), Decimal(100), 4)
        items.append(
            NewLine(
                sku=sku,
                quantity=_number(item, "quantity", path, found, Decimal(0), MAX_QUANTITY),
                price=_price_id(item, path, found),
                override=_override(item, path, found),
                discount_percent=discount or Decimal(0),
                ends_on=None,
                timing="advance",
                frequency="",
                description="",
                usage_key="",
                replaces=_line(item, path, found, seen),
            )
        )
    return PlanChange(tuple(items))


def _pause(source: Mapping[str, Any], found: Findings) -> Pause:
    _known(source, "", found, "lines", "until")
    return Pause(_ids(source, found), _date(source, "until", "", found))


def _resume(source: Mapping[str, Any], found: Findings) -> Resumption:
    _known(source, "", found, "lines")
    return Resumption(_ids(source, found))


def _transfer(source: Mapping[str, Any], found: Findings) -> Transfer:
    _known(source, "", found, "customer")
    customer = _text(source, "customer", "", found, 20)
    if not customer:
        found.add("customer", "is missing: the number of the customer who takes over")
    return Transfer(customer)


def _undo(source: Mapping[str, Any], found: Findings) -> Undo:
    _known(source, "", found, "amendment")
    number = source.get("amendment")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        found.add("amendment", "must be the number of an amendment of this order")
        number = 0
    return Undo(number)


READERS: dict[str, Callable[[Mapping[str, Any], Findings], Change]] = {
    "quantity": _quantity,
    "price": _price,
    "add_line": _add_line,
    "cancel": _cancel,
    "renew": _renew,
    "plan": _plan,
    "pause": _pause,
    "resume": _resume,
    "transfer": _transfer,
    "undo": _undo,
}
