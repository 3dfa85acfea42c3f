"""The schedule of a line: JSON instalments, by date or by milestone, read strictly.

    [{"on": "2026-09-01", "amount": "40000.00", "name": "On signature"},
     {"milestone": "Acceptance", "amount": "60000.00"}]

An instalment has a date, or it is a milestone: it is billed when somebody records that it was reached. A
schedule says when a line is billed and not what it is worth: its amounts sum to the line's committed value.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from o2c.errors import InvalidInput
from o2c.money import minor_units
from orders.domain.price_spec import DECIMAL, Findings

CUSTOM = "custom"
MOST_INSTALMENTS = 240
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Instalment:
    """An amount of a schedule; `on` is None for a milestone, which is known by its name."""

    name: str
    amount: Decimal
    on: dt.date | None

    @property
    def is_milestone(self) -> bool:
        return self.on is None


def read(schedule: Sequence[Mapping[str, Any]]) -> tuple[Instalment, ...]:
    """A stored schedule, in its order.

    >>> read([{"milestone": "Acceptance", "amount": "60.00"}])[0].is_milestone
    True
    """
    found = []
    for position, item in enumerate(schedule, start=1):
        if "milestone" in item:
            found.append(Instalment(item["milestone"], Decimal(item["amount"]), None))
        else:
            name = item.get("name") or f"Instalment {position}"
            found.append(Instalment(name, Decimal(item["amount"]), dt.date.fromisoformat(item["on"])))
    return tuple(found)


def has_milestones(schedule: Iterable[Mapping[str, Any]]) -> bool:
    return any("milestone" in item for item in schedule)


def total(schedule: Sequence[Mapping[str, Any]]) -> Decimal:
    """What a schedule bills when everything in it has come."""
    return sum((one.amount for one in read(schedule)), Decimal(0))


def examine(
    schedule: object, *, currency: str, starts_on: dt.date, ends_on: dt.date | None
) -> dict[str, list[str]]:
    """Everything that is wrong with a schedule of a line on `[starts_on, ends_on)`, by place."""
    found = Findings()
    if not isinstance(schedule, list | tuple) or not schedule:
        found.add("", "must be a list with at least one instalment")
        return found.by_path
    if len(schedule) > MOST_INSTALMENTS:
        found.add("", f"has {len(schedule)} instalments; at most {MOST_INSTALMENTS} are allowed")
        return found.by_path
    names: set[str] = set()
    for index, item in enumerate(schedule):
        place = f"[{index}]"
        if not isinstance(item, Mapping):
            found.add(place, "must be an object")
            continue
        _amount(item.get("amount"), f"{place}.amount", currency, found)
        if "milestone" in item:
            _known(item, place, {"milestone", "amount"}, found)
            _milestone(item["milestone"], f"{place}.milestone", names, found)
        else:
            _known(item, place, {"on", "amount", "name"}, found)
            _date(item.get("on"), f"{place}.on", starts_on, ends_on, found)
            name = item.get("name", "")
            if not isinstance(name, str) or len(name) > LONGEST_NAME:
                found.add(f"{place}.name", f"must be a text of at most {LONGEST_NAME} characters")
    return found.by_path


def _known(item: Mapping[str, Any], place: str, names: set[str], found: Findings) -> None:
    for name in sorted(set(map(str, item)) - names):
        found.add(f"{place}.{name}", "is not known here")


def _amount(value: object, place: str, currency: str, found: Findings) -> None:
    if not isinstance(value, str) or not DECIMAL.match(value) or Decimal(value) == 0:
        found.add(place, 'must be a decimal string above zero such as "40000.00"')
    elif Decimal(value) != round(Decimal(value), minor_units(currency)):
        found.add(place, f"{value} can't be paid in {currency}: it has {minor_units(currency)} decimals")


def _milestone(value: object, place: str, names: set[str], found: Findings) -> None:
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_NAME:
        found.add(place, f"must be a name of at most {LONGEST_NAME} characters")
    elif value in names:
        found.add(place, f"{value!r} is named twice")
    else:
        names.add(value)


def _date(value: object, place: str, starts_on: dt.date, ends_on: dt.date | None, found: Findings) -> None:
    try:
        day = dt.date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        day = None
    if day is None:
        found.add(place, f"{value!r} is not a date such as 2026-09-01; a milestone has its name instead")
    elif day < starts_on or (ends_on is not None and day >= ends_on):
        found.add(place, f"{day} is not inside of the line, [{starts_on}, {ends_on or '…'})")


def milestone(schedule: Sequence[Mapping[str, Any]], name: str, *, record: str) -> Instalment:
    """The milestone of that name. Raises InvalidInput, naming those that there are."""
    milestones = [one for one in read(schedule) if one.is_milestone]
    for one in milestones:
        if one.name == name:
            return one
    raise InvalidInput(
        f"There is no milestone {name!r}",
        record=record,
        remedy=f"Choose one of {', '.join(one.name for one in milestones)}" if milestones else "",
        code="unknown_milestone",
    )
