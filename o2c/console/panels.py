"""Tables and facts that an object page shows beside the record's own fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import QuerySet
from django.utils.safestring import SafeString

from o2c import money as o2c_money
from o2c import vault
from o2c.console import format as fmt

PANEL_ROWS = 25


@dataclass(frozen=True, slots=True)
class Fact:
    """A key fact for the header: label and value (formatted, or any value that format.show knows)."""

    label: str
    value: Any
    note: str = ""

    @property
    def shown(self) -> SafeString:
        return fmt.show(self.value)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a panel.

    source   field name, lookup path ("order.customer"), or function(row) -> value or HTML
    title    heading; made from the source when left out
    money    the amount's currency: a path on the row ("currency"), a literal code ("USD"), or "" if not money
    link     the cell opens the row's page
    numeric  right-align; on by itself for money and numbers
    total    add the column up under the table (one currency only)
    why      function(row) -> address of the explanation of the amount
    bare     without the currency, where another column of the row says it for all amounts
    """

    source: str | Callable[[Any], Any]
    title: str = ""
    money: str = ""
    link: bool = False
    numeric: bool | None = None
    total: bool = False
    why: Callable[[Any], str] | None = None
    bare: bool = False

    @property
    def heading(self) -> str:
        if self.title:
            return self.title
        name = self.source if isinstance(self.source, str) else getattr(self.source, "__name__", "")
        if name == "<lambda>":
            return ""
        return fmt.label(name.rpartition(".")[2])

    def raw(self, row: Any) -> Any:
        if callable(self.source):
            return self.source(row)
        value = row
        for name in self.source.split("."):
            value = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
            if value is None:
                return None
        return value() if callable(value) and not isinstance(value, models.Model | type) else value

    def currency(self, row: Any) -> str:
        if len(self.money) == 3 and self.money.isupper():
            return self.money
        return str(Column(self.money).raw(row) or "") if self.money else ""

    def cell(self, row: Any) -> Cell:
        value = self.raw(row)
        if self.money and isinstance(value, Decimal):
            why = self.why(row) if self.why else ""
            shown = fmt.money(value, self.currency(row), why=why, bare=self.bare)
        else:
            shown = self._field_value(row, value)
        if self.link and isinstance(row, models.Model) and (href := fmt.admin_url(row)):
            from django.utils.html import format_html

            shown = format_html('<a href="{}">{}</a>', href, shown)
        numeric = isinstance(value, Decimal | int) and not isinstance(value, bool)
        return Cell(shown, numeric if self.numeric is None else self.numeric)

    def _has_choices(self, row: Any) -> bool:
        """A choice is shown by its label, so its value is left alone."""
        if not isinstance(row, models.Model) or not isinstance(self.source, str):
            return False
        fields = {f.name: f for f in row._meta.concrete_fields}
        return bool(self.source in fields and fields[self.source].choices)

    def _field_value(self, row: Any, value: Any) -> SafeString:
        if vault.is_sealed(value):
            return fmt.show(value)
        if isinstance(value, str) and not isinstance(value, SafeString) and " " not in value and value:
            value = value if self._has_choices(row) else fmt.whole(value)
        if isinstance(row, models.Model) and isinstance(self.source, str) and "." not in self.source:
            try:
                model_field = row._meta.get_field(self.source)
            except FieldDoesNotExist:
                return fmt.show(value)
            if isinstance(model_field, models.Field):
                return fmt.show(value, field=model_field, obj=row)
        return fmt.show(value)


@dataclass(frozen=True, slots=True)
class Cell:
    shown: SafeString
    numeric: bool = False


@dataclass
class Panel:
    """A table on an object page.

    rows       a queryset (select_related what the columns read) or a list of records, dicts or dataclasses
    columns    names or Columns; the first string column links to the row when `link_rows`
    empty      what the panel says without rows, and what to do about it
    href       'all of them' link, e.g. format.list_url(Invoice, order__id__exact=order.pk)
    limit      rows shown; more are counted and lead to href
    note       one line under the title
    """

    title: str
    rows: QuerySet[Any] | Iterable[Any]
    columns: Sequence[Any]  # names and Columns
    empty: str = "Nothing here yet."
    href: str = ""
    limit: int = PANEL_ROWS
    note: str = ""
    link_rows: bool = True
    code: str = ""
    _fetched: list[Any] | None = field(default=None, init=False, repr=False)

    @property
    def slug(self) -> str:
        from django.utils.text import slugify

        return self.code or slugify(self.title)

    @property
    def resolved(self) -> list[Column]:
        columns = [c if isinstance(c, Column) else self._column(c) for c in self.columns]
        if self.link_rows and columns and not any(c.link for c in columns):
            first = columns[0]
            columns[0] = replace(first, link=True)
        return columns

    def _column(self, name: str) -> Column:
        """A column from a name alone: money and heading follow from the model's field."""
        if isinstance(self.rows, QuerySet) and "." not in name:
            try:
                model_field = self.rows.model._meta.get_field(name)
            except FieldDoesNotExist:
                return Column(name)
            title = str(getattr(model_field, "verbose_name", name))
            is_money = isinstance(model_field, o2c_money.AmountField)
            numeric = isinstance(model_field, models.DecimalField | models.IntegerField)
            return Column(name, fmt.label(title), numeric=is_money or numeric or None)
        return Column(name)

    def fetch(self) -> list[Any]:
        """At most limit + 1 rows, in one query; the extra row only says that there are more."""
        if self._fetched is None:
            rows = self.rows[: self.limit + 1] if isinstance(self.rows, QuerySet) else self.rows
            self._fetched = list(rows)
        return self._fetched

    @property
    def more(self) -> bool:
        return len(self.fetch()) > self.limit

    @property
    def headings(self) -> list[tuple[str, bool]]:
        """(heading, numeric) per column; numeric if the first row's cell is."""
        rows = self.fetch()
        first = [c.cell(rows[0]).numeric for c in self.resolved] if rows else [False] * len(self.columns)
        return list(zip([c.heading for c in self.resolved], first, strict=True))

    @property
    def body(self) -> list[list[Cell]]:
        columns = self.resolved
        return [[column.cell(row) for column in columns] for row in self.fetch()[: self.limit]]

    @property
    def footer(self) -> list[Cell]:
        """Totals of the columns that ask for one; empty list when none does or when rows were cut off."""
        columns = self.resolved
        if self.more or not self.fetch() or not any(c.total for c in columns):
            return []
        cells: list[Cell] = []
        for position, column in enumerate(columns):
            if not column.total:
                cells.append(Cell(fmt.show("Total") if position == 0 else SafeString("")))
                continue
            values = [column.raw(row) for row in self.fetch()]
            total = sum((Decimal(v) for v in values if isinstance(v, Decimal | int)), Decimal(0))
            cells.append(Cell(self._total(column, total), numeric=True))
        return cells

    def _total(self, column: Column, total: Decimal) -> SafeString:
        """Money only in one currency; amounts of several are never added up."""
        if not self._is_money(column):
            return fmt.number(total)
        currencies = {self._currency(column, row) for row in self.fetch()}
        return fmt.money(total, currencies.pop()) if len(currencies) == 1 else fmt.DASH

    def _is_money(self, column: Column) -> bool:
        row = self.fetch()[0]
        if column.money or not isinstance(row, models.Model) or not isinstance(column.source, str):
            return bool(column.money)
        field = {f.name: f for f in row._meta.concrete_fields}.get(column.source)
        return isinstance(field, o2c_money.AmountField)

    @staticmethod
    def _currency(column: Column, row: Any) -> str:
        if column.money:
            return column.currency(row)
        return fmt.currency_of(row) if isinstance(row, models.Model) else ""
