"""Lists as Excel workbooks: amounts as numbers, totals as live formulas, a sheet that says what it is.

Text that a spreadsheet could take for a formula is defused (CWE-1236). Every download leaves an
`ExportEvent` with the
hash of the file.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import xlsxwriter
from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import strip_tags
from django.utils.text import slugify
from django.views.decorators.http import require_POST
from xlsxwriter.utility import xl_col_to_name

from o2c import clock
from o2c import money as o2c_money
from o2c.access.services import reads
from o2c.actor import acting
from o2c.console import format as fmt
from o2c.console.acts import request_id_of
from o2c.console.models import ExportEvent
from o2c.console.permissions import actor, holds, person

DUTY = "console.list.export"
LIMIT = 100_000
CHUNK = 2_000
EXACT_DIGITS = 15  # what a spreadsheet's number holds exactly; longer amounts are written as text
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True, slots=True)
class ExportColumn:
    """A column of the sheet. `kind`: money, number, date, moment or text."""

    title: str
    kind: str
    read: Any  # function(obj) -> value


@require_POST
def export(request: HttpRequest, *, admin: Any) -> HttpResponse:
    """The filtered list (the query string is the list's), or the rows selected in it, as a workbook."""
    opts = admin.model._meta
    back = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
    if not admin.exportable or not admin.has_view_permission(request) or not holds(request.user, DUTY):
        raise PermissionDenied(f"Exporting needs the duty {DUTY}.")
    changelist = admin.get_changelist_instance(request)
    queryset = changelist.queryset
    if selected := request.POST.getlist("_selected_action"):
        queryset = queryset.filter(pk__in=selected)
    count = queryset.count()
    if count > LIMIT:
        messages.error(
            request, f"{count:,} rows are too many for a workbook ({LIMIT:,} at most). Filter the list."
        )
        return HttpResponseRedirect(f"{back}?{request.GET.urlencode()}")
    title = str(opts.verbose_name_plural)
    content = workbook(
        title, columns_of(admin, request), queryset.iterator(chunk_size=CHUNK), _readme(request, title)
    )
    name = f"{slugify(title)}-{clock.now():%Y%m%d-%H%M%S}.xlsx"
    _record(request, admin, title, name, content, count)
    response = HttpResponse(content, content_type=MEDIA_TYPE)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def _record(request: HttpRequest, admin: Any, title: str, name: str, content: bytes, count: int) -> None:
    with acting(actor(request), reason=f"export of {title}", request_id=request_id_of(request)):
        ExportEvent.objects.create(
            user=person(request),
            model=admin.model._meta.label_lower,
            title=title,
            filters=request.GET.urlencode(),
            rows=count,
            file_name=name,
            sha256=hashlib.sha256(content).hexdigest(),
        )
        reads.record(reads.EXPORT, f"{title}: {name}", count, actor=actor(request))


def _readme(request: HttpRequest, title: str) -> list[tuple[str, str]]:
    return [
        ("List", title),
        ("Filter", request.GET.urlencode() or "none"),
        ("Taken at (UTC)", f"{clock.now():%Y-%m-%d %H:%M:%S}"),
        ("Taken by", str(request.user)),
        (
            "Totals",
            "are formulas over the rows of the sheet 'Rows': change the filter there and they follow.",
        ),
    ]


def columns_of(admin: Any, request: HttpRequest) -> list[ExportColumn]:
    """`export_fields` of the admin, else the columns of the list;
    the record's currency is added when money is there.
    """
    names = list(admin.export_fields or admin.list_display)
    found = [_column(admin, name) for name in names]
    if any(c.kind == "money" for c in found) and not any(c.title == "Currency" for c in found):
        found.append(ExportColumn("Currency", "text", fmt.currency_of))
    return found


def _column(admin: Any, name: str) -> ExportColumn:
    title = fmt.label(name)
    method = getattr(admin, name, None)
    if callable(method):
        title = str(getattr(method, "short_description", title))
        return ExportColumn(title, "text", lambda obj: strip_tags(str(method(obj) or "")))
    if name == "__str__":
        return ExportColumn(str(admin.model._meta.verbose_name).capitalize(), "text", str)
    field = _field(admin.model, name)
    if field is not None and fmt.hidden(field):
        raise ImproperlyConfigured(f"{admin.model._meta.label}.{name} must not leave the system.")
    return ExportColumn(title, _kind(field), lambda obj: _read(obj, name))


def _field(model: type[models.Model], path: str) -> Any:
    field: Any = None
    current: Any = model
    for name in path.split("__"):
        if current is None or name not in {f.name for f in current._meta.get_fields()}:
            return None
        field = current._meta.get_field(name)
        current = getattr(field, "related_model", None)
    return field


def _kind(field: Any) -> str:
    if isinstance(field, o2c_money.AmountField):
        return "money"
    if isinstance(field, models.DecimalField | models.IntegerField) and not field.choices:
        return "number"
    if isinstance(field, models.DateTimeField):
        return "moment"
    return "date" if isinstance(field, models.DateField) else "text"


def _read(obj: Any, path: str) -> Any:
    for name in path.split("__"):
        if obj is None:
            return None
        display = getattr(obj, f"get_{name}_display", None)
        obj = display() if callable(display) else getattr(obj, name)
    return obj() if callable(obj) else obj


def defused(text: str) -> str:
    """Text that no spreadsheet takes for a formula: a leading apostrophe where it begins like one."""
    return f"'{text}" if text.startswith(DANGEROUS) else text


def workbook(
    title: str, columns: Sequence[ExportColumn], rows: Iterable[Any], readme: Sequence[tuple[str, str]]
) -> bytes:
    """The workbook as bytes: sheets 'Rows', 'Totals' (when there is money) and 'Read me'."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(
        buffer,
        {
            "in_memory": True,
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "default_date_format": "yyyy-mm-dd",
            "remove_timezone": True,
        },
    )
    formats = _formats(book)
    sheet = book.add_worksheet("Rows")
    sheet.freeze_panes(1, 0)
    for position, column in enumerate(columns):
        sheet.set_column(position, position, {"text": 26, "money": 18}.get(column.kind, 14))
        sheet.write_string(0, position, column.title, formats["head"])
    currencies: set[str] = set()
    number = 0
    for number, obj in enumerate(rows, start=1):
        for position, column in enumerate(columns):
            value = column.read(obj)
            _write(sheet, number, position, value, column.kind, formats)
            if column.title == "Currency" and value:
                currencies.add(str(value))
    if number:
        sheet.autofilter(0, 0, number, len(columns) - 1)
    _totals(book, columns, number, sorted(currencies), formats)
    _sheet_of_pairs(book, "Read me", [("Title", title), ("Rows", str(number)), *readme], formats)
    book.close()
    return buffer.getvalue()


def _formats(book: Any) -> dict[str, Any]:
    return {
        "head": book.add_format({"bold": True, "bottom": 1}),
        "money": book.add_format({"num_format": "#,##0.00######;[Red]-#,##0.00######"}),
        "number": book.add_format({"num_format": "#,##0.#########"}),
        "date": book.add_format({"num_format": "yyyy-mm-dd"}),
        "moment": book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        "text": book.add_format({}),
    }


def _write(sheet: Any, row: int, column: int, value: Any, kind: str, formats: dict[str, Any]) -> None:
    if value is None or value == "":
        sheet.write_blank(row, column, None)
    elif isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, Decimal | int):
        digits = (
            len(value.normalize().as_tuple().digits) if isinstance(value, Decimal) else len(str(abs(value)))
        )
        if digits > EXACT_DIGITS:
            sheet.write_string(row, column, str(value))
        else:
            sheet.write_number(row, column, value, formats["money" if kind == "money" else "number"])
    elif isinstance(value, datetime):
        sheet.write_datetime(row, column, value.astimezone(UTC), formats["moment"])
    elif isinstance(value, date):
        sheet.write_datetime(row, column, datetime(value.year, value.month, value.day), formats["date"])  # noqa: DTZ001
    else:
        sheet.write_string(row, column, defused(str(value))[:32_767])


def _totals(
    book: Any, columns: Sequence[ExportColumn], rows: int, currencies: Sequence[str], formats: dict[str, Any]
) -> None:
    """One line per currency, one live SUMIF per money column:
    rows filtered out by hand in Excel still count.
    """
    money = [(i, c) for i, c in enumerate(columns) if c.kind == "money"]
    if not money or not rows or not currencies:
        return
    key = next(i for i, c in enumerate(columns) if c.title == "Currency")
    sheet = book.add_worksheet("Totals")
    sheet.set_column(0, len(money), 20)
    sheet.write_string(0, 0, "Currency", formats["head"])
    for offset, (_, column) in enumerate(money, start=1):
        sheet.write_string(0, offset, column.title, formats["head"])
    for line, currency in enumerate(currencies, start=1):
        sheet.write_string(line, 0, defused(currency))
        for offset, (position, _) in enumerate(money, start=1):
            amounts, keys = _range(position, rows), _range(key, rows)
            sheet.write_formula(line, offset, f"=SUMIF({keys},$A{line + 1},{amounts})", formats["money"])


def _range(column: int, rows: int) -> str:
    letter = xl_col_to_name(column)
    return f"Rows!${letter}$2:${letter}${rows + 1}"


def _sheet_of_pairs(book: Any, name: str, pairs: Iterable[tuple[str, str]], formats: dict[str, Any]) -> None:
    sheet = book.add_worksheet(name)
    sheet.set_column(0, 0, 18)
    sheet.set_column(1, 1, 90)
    for row, (key, value) in enumerate(pairs):
        sheet.write_string(row, 0, key, formats["head"])
        sheet.write_string(row, 1, defused(value))
