"""What changed between two rows of history, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any

from django.db import models
from django.utils.html import strip_tags

from o2c.console import format as fmt

# Columns that say nothing about the business.
_SILENT = {"created_at", "updated_at"}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field before and after; `before` is None on the row that created the record."""

    label: str
    name: str
    before: Any
    after: Any
    raw: tuple[Any, Any] = (None, None)

    @property
    def texts(self) -> tuple[str, str, str]:
        """Label, before and after as short texts; a nested value says what of it changed."""
        before, after = self.raw
        if _nested(before) or _nested(after):
            return self.label, _size(before), _changed(before, after)
        return self.label, plain(self.before), plain(self.after)


@dataclass(frozen=True, slots=True)
class Version:
    """One row of history with what it changed against the row before it."""

    row: Any
    changes: Sequence[FieldChange]

    @property
    def kind(self) -> str:
        return {"+": "created", "~": "changed", "-": "deleted"}.get(self.row.history_type, "changed")


def plain(value: Any) -> str:
    """A formatted value as text; a dash for nothing."""
    return " ".join(unescape(strip_tags(str(value))).split()) or fmt.NONE


def _nested(value: Any) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(isinstance(part, dict | list) for part in parts)


def _size(value: Any) -> str:
    count = len(value) if isinstance(value, dict | list) else 0
    return f"{count} {'entry' if count == 1 else 'entries'}" if count else fmt.NONE


def _changed(before: Any, after: Any) -> str:
    """'12 entries', and which of them differ when both sides have names."""
    if not (isinstance(before, dict) and isinstance(after, dict) and before):
        return _size(after)
    differ = [fmt.label(name) for name in before | after if before.get(name) != after.get(name)]
    return f"{_size(after)}; changed: {', '.join(differ)}"


def versions(rows: Iterable[Any], names: Names | None = None) -> list[Version]:
    """Rows of history of one or more objects of one model, newest first, each with its changes.

    `rows` must be ordered newest first. The oldest row of each object is compared with nothing when it
    created the
    object; otherwise (it was cut off by a limit) its changes are unknown and left out. `names` may be shared
    by several calls.
    """
    listed = list(rows)
    older: dict[Any, Any] = {}
    found: list[Version] = []
    names = names or Names(listed)
    for row in reversed(listed):
        pk = getattr(row, row.instance_type._meta.pk.attname)
        previous = older.get(pk)
        found.append(Version(row, _changes(row, previous, names)))
        older[pk] = row
    return found[::-1]


def _changes(row: Any, previous: Any | None, names: Names) -> list[FieldChange]:
    if row.history_type == "-":
        return []
    if previous is None and row.history_type != "+":
        return []
    return list(_compare(row, previous, names))


def _compare(row: Any, previous: Any | None, names: Names) -> Iterator[FieldChange]:
    for field in row.instance_type._meta.concrete_fields:
        if field.primary_key or field.name in _SILENT or fmt.hidden(field):
            continue
        after = getattr(row, field.attname)
        before = getattr(previous, field.attname) if previous is not None else None
        if after == before or (previous is None and after in (None, "", [], {})):
            continue
        yield FieldChange(
            fmt.label(str(field.verbose_name)),
            field.name,
            names.show(field, before, previous) if previous is not None else None,
            names.show(field, after, row),
            (before, after),
        )


class Names:
    """Names of the records that foreign keys in history point at: one query per related model,
    not per value.
    """

    def __init__(self, rows: Sequence[Any]) -> None:
        wanted: dict[type[models.Model], set[Any]] = {}
        for row in rows:
            for field in row.instance_type._meta.concrete_fields:
                if field.is_relation and (value := getattr(row, field.attname)) is not None:
                    wanted.setdefault(field.related_model, set()).add(value)
        self.found = {model: model._base_manager.in_bulk(list(pks)) for model, pks in wanted.items()}

    def show(self, field: Any, value: Any, row: Any) -> Any:
        if field.is_relation and value is not None:
            related = self.found.get(field.related_model, {}).get(value)
            return fmt.link(related) if related is not None else f"#{value}"
        return fmt.show(value, field=field, obj=row if row is not None and hasattr(row, "currency") else None)
