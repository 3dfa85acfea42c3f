"""List columns that show themselves: money right-aligned with currency, ISO dates, badges, links."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.utils.html import format_html

from o2c import money as o2c_money
from o2c.console import format as fmt
from o2c.states import StateField

Column = Callable[[Any], Any]


def dressed(admin: Any, names: Sequence[Any]) -> list[Any]:
    """list_display with every plain field name replaced by a column that formats it.

    Others are left as they are.
    """
    return [_column(admin, name) for name in names]


def _column(admin: Any, name: Any) -> Any:
    if not isinstance(name, str) or hasattr(admin, name) or name == "__str__":
        return name
    try:
        field = admin.model._meta.get_field(name)
    except FieldDoesNotExist:
        return name
    if not isinstance(field, models.Field) or name in admin.list_editable:
        return name
    return _made(admin, field)


def _made(admin: Any, field: models.Field[Any, Any]) -> Column:
    """One column function per admin and field: the admin compares list_display entries by identity."""
    made: dict[str, Column] = admin.__dict__.setdefault("_dressed", {})
    if field.name not in made:
        made[field.name] = _show(admin, field)
    return made[field.name]


def _show(admin: Any, field: models.Field[Any, Any]) -> Column:
    def column(obj: Any) -> Any:
        if field.is_relation:
            related = getattr(obj, field.name) if getattr(obj, field.attname) is not None else None
            return fmt.DASH if related is None else related if is_link else fmt.link(related)
        value = getattr(obj, field.name)
        if isinstance(field, StateField):
            return fmt.state_badge(obj, field.name)
        shown = fmt.show(value, field=field, obj=obj)
        if field.name in admin.why_fields and value is not None:
            return format_html(
                '{} <a class="o-why" href="{}" title="Why this number?" aria-label="Why this number?">?</a>',
                shown,
                why_url(obj, field.name),
            )
        return shown

    names = list(admin.list_display)
    is_link = bool(names) and names[0] == field.name
    numeric = isinstance(field, models.DecimalField | models.IntegerField) and not field.choices
    column.__name__ = f"o_{'num_' if numeric else ''}{field.name}"
    column.short_description = fmt.label(str(field.verbose_name))  # type: ignore[attr-defined]
    column.admin_order_field = field.name  # type: ignore[attr-defined]
    return column


def why_url(obj: models.Model, field: str) -> str:
    """Address of 'why this number' for an amount of a record whose admin explains it; '' when it doesn't."""
    base = fmt.admin_url(obj)
    return f"{base.removesuffix('change/')}why/{field}/" if base else ""


def is_amount(field: Any) -> bool:
    return isinstance(field, o2c_money.AmountField)
