"""The parts of a record as they were known at a moment, and in effect on a day.

Two times: history says what was known when; `starts_on` and `ends_on` (half-open) say what was in effect. 'As
it was on 15 August, as we knew it on 1 September' is both.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models

from o2c import vault
from o2c.console import format as fmt
from o2c.console.diffs import Names
from o2c.evidence.life import children, masked

DEPTH = 2
MOST = 200  # parts of one kind
SILENT = {"created_at", "recorded_at", "actor_id"}


@dataclass(frozen=True, slots=True)
class PartsThen:
    """The parts of one kind: their columns, and per part whether it is the same today."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[bool, Sequence[Any]]]  # (changed since, cells)
    cut: bool


def parts_then(obj: models.Model, at: dt.datetime, on: dt.date | None) -> list[PartsThen]:
    """What belonged to the record, by kind; empty kinds are left out. Some queries per kind."""
    return _below(type(obj), [obj.pk], at, on, DEPTH)


def _below(
    model: type[models.Model], pks: list[Any], at: dt.datetime, on: dt.date | None, depth: int
) -> list[PartsThen]:
    found = []
    for child, column in children(model) if depth and pks else ():
        rows = _known(child, column, pks, at)
        if rows:
            found.append(_table(child, column, [row for row in rows if in_effect(row, on)]))
            found += _below(child, [getattr(row, _key(child)) for row in rows], at, on, depth - 1)
    return [part for part in found if part.rows]


def _key(model: type[models.Model]) -> str:
    assert model._meta.pk is not None
    return str(model._meta.pk.attname)


def _known(child: type[models.Model], column: str, pks: list[Any], at: dt.datetime) -> list[Any]:
    """The newest row of each part that was known then, deleted ones left out."""
    key = _key(child)
    if not hasattr(child, "history"):
        facts = child._default_manager.filter(**{f"{column}__in": pks, "recorded_at__lte": at})
        return list(facts.order_by(key)[: MOST + 1])
    rows = child.history.filter(**{f"{column}__in": pks, "history_date__lte": at})
    newest = rows.order_by(key, "-history_id").distinct(key)[: MOST + 1]
    return [row for row in newest if row.history_type != "-"]


def in_effect(row: Any, on: dt.date | None) -> bool:
    """Whether the row's own days contain `on`; always where it has none, or no day is asked for."""
    starts, ends = getattr(row, "starts_on", None), getattr(row, "ends_on", None)
    return on is None or ((starts is None or starts <= on) and (ends is None or on < ends))


def _table(child: type[models.Model], column: str, rows: list[Any]) -> PartsThen:
    fields = [
        field
        for field in child._meta.concrete_fields
        if not field.primary_key and field.attname not in {column, *SILENT} and not fmt.hidden(field)
        if any(getattr(row, field.attname, None) not in (None, "", [], {}) for row in rows)
    ]
    listed = rows[:MOST]
    now = child._default_manager.in_bulk([getattr(row, _key(child)) for row in listed])
    tracked = [row for row in listed if hasattr(row, "instance_type")]
    names = Names(tracked)
    cells = [
        (_changed(row, now.get(getattr(row, _key(child))), fields), _cells(row, fields, names))
        for row in listed
    ]
    title = str(child._meta.verbose_name_plural)
    return PartsThen(
        title[:1].upper() + title[1:],
        [fmt.label(str(f.verbose_name)) for f in fields],
        cells,
        len(rows) > MOST,
    )


def _changed(row: Any, now: Any, fields: Sequence[Any]) -> bool:
    return now is None or any(getattr(row, f.attname, None) != getattr(now, f.attname) for f in fields)


def _cells(row: Any, fields: Sequence[Any], names: Names) -> list[Any]:
    return [shown(field, getattr(row, field.attname, None), row, names) for field in fields]


def shown(field: Any, value: Any, row: Any, names: Names) -> Any:
    """A value of history for the page; of a sensitive one the last characters."""
    return masked(field.name, value) if field.name in vault.names() else names.show(field, value, row)
