"""Filters of lists as plain selects and dates in one form, reachable by keyboard, one query each at most.

An app names fields in `list_filter`; the kind of the field decides how it is asked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import get_fields_from_path
from django.core.cache import cache
from django.db import models
from django.http import HttpRequest
from django.utils.dateparse import parse_date

MOST_OPTIONS = 200
KEPT_SECONDS = 300


def dressed(model: type[models.Model], names: Sequence[Any]) -> list[Any]:
    """list_filter with every plain field name given the filter of its kind. Others are left as they are."""
    return [(name, _kind(model, name)) if isinstance(name, str) else name for name in names]


def _kind(model: type[models.Model], path: str) -> type[admin.FieldListFilter]:
    field = get_fields_from_path(model, path)[-1]
    if field.is_relation:
        return RelatedSelect
    if isinstance(field, models.BooleanField):
        return BooleanSelect
    if isinstance(field, models.DateField):
        return DateRange
    return ChoicesSelect if getattr(field, "choices", None) else ValuesSelect


def _first(value: Any) -> str:
    """Parameters come as lists; a select has one value."""
    if isinstance(value, list | tuple):
        value = value[-1] if value else ""
    return "" if value is None else str(value)


class Select:
    """What the template of a select needs: its name and its options."""

    template = "console/filter.html"
    lookup_kwarg: str
    lookup_val: Any

    def options(self) -> Sequence[tuple[str, str]]:
        raise NotImplementedError

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        chosen = _first(self.lookup_val)
        for value, text in self.options():
            yield {"value": value, "display": text, "selected": str(value) == chosen}


class ChoicesSelect(Select, admin.ChoicesFieldListFilter):  # type: ignore[misc]
    """One of the declared choices."""

    def options(self) -> Sequence[tuple[str, str]]:
        return [(str(value), str(text)) for value, text in self.field.flatchoices]


class BooleanSelect(Select, admin.BooleanFieldListFilter):  # type: ignore[misc]
    """Yes or no."""

    def options(self) -> Sequence[tuple[str, str]]:
        return [("1", "Yes"), ("0", "No")]


class RelatedSelect(Select, admin.RelatedFieldListFilter):  # type: ignore[misc]
    """One of the related records, as long as they are few. Of many only the chosen one is an option."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        rows = field.related_model._default_manager.select_related()
        found = list(rows[: MOST_OPTIONS + 1])
        if len(found) > MOST_OPTIONS:
            found = list(rows.filter(pk=_first(self.lookup_val))) if _first(self.lookup_val).isdigit() else []
        return sorted(((row.pk, str(row)) for row in found), key=lambda pair: pair[1])

    def has_output(self) -> bool:
        return bool(self.lookup_choices)

    def options(self) -> Sequence[tuple[str, str]]:
        return [(str(pk), str(text)) for pk, text in self.lookup_choices]


class ValuesSelect(Select, admin.AllValuesFieldListFilter):  # type: ignore[misc]
    """One of the values that occur. Which do is kept for some minutes: asking reads the whole table."""

    def __init__(
        self, field: Any, request: Any, params: Any, model: Any, model_admin: Any, field_path: str
    ) -> None:
        super().__init__(field, request, params, model, model_admin, field_path)
        key = f"console:filter:{model._meta.label_lower}:{field_path}"
        occurring: Any = self.lookup_choices
        kept: Any = cache.get_or_set(key, lambda: list(occurring[:MOST_OPTIONS]), KEPT_SECONDS)
        self.lookup_choices = kept

    def options(self) -> Sequence[tuple[str, str]]:
        return [(str(value), str(value)) for value in self.lookup_choices if value not in (None, "")]


class DateRange(admin.FieldListFilter):
    """From a day to a day, both included; of an instant, days are UTC."""

    template = "console/filter_dates.html"

    def __init__(
        self, field: Any, request: Any, params: Any, model: Any, model_admin: Any, field_path: str
    ) -> None:
        self.names = (f"{field_path}_from", f"{field_path}_to")
        self.since, self.until = (parse_date(_first(params.get(name))) for name in self.names)
        super().__init__(field, request, params, model, model_admin, field_path)

    def expected_parameters(self) -> list[str | None]:
        return list(self.names)

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.since is not None:
            queryset = queryset.filter(**{f"{self.field_path}__gte": self._bound(self.since)})
        if self.until is not None:
            following = self.until + dt.timedelta(days=1)
            queryset = queryset.filter(**{f"{self.field_path}__lt": self._bound(following)})
        return queryset

    def _bound(self, day: dt.date) -> dt.date:
        if isinstance(self.field, models.DateTimeField):
            return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
        return day

    def choices(self, changelist: Any) -> Iterator[Any]:
        for name, value, text in zip(self.names, (self.since, self.until), ("from", "to"), strict=True):
            yield {"name": name, "value": value.isoformat() if value else "", "display": text}
