"""Reports as Excel workbooks with live formulas: closing balances, totals and checks are computed there."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name, xl_rowcol_to_cell

from o2c.console.export import defused
from revenue.selectors.reports import Waterfall
from revenue.selectors.trial_balance import Row

ReadMe = Sequence[tuple[str, str]]
MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class _Book:
    """A workbook in memory with the formats that reports use."""

    def __init__(self) -> None:
        self.buffer = io.BytesIO()
        self.book: Any = xlsxwriter.Workbook(
            self.buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        )
        self.head = self.book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self.money = self.book.add_format({"num_format": "#,##0.00;[Red]-#,##0.00"})
        self.total = self.book.add_format({"num_format": "#,##0.00;[Red]-#,##0.00", "bold": True, "top": 1})
        self.bold = self.book.add_format({"bold": True, "top": 1})

    def sheet(self, name: str, titles: Sequence[str], widths: Sequence[int]) -> Any:
        sheet = self.book.add_worksheet(name)
        sheet.freeze_panes(1, 1)
        for column, (title, width) in enumerate(zip(titles, widths, strict=True)):
            sheet.set_column(column, column, width)
            sheet.write_string(0, column, title, self.head)
        return sheet

    def read_me(self, pairs: ReadMe) -> None:
        sheet = self.book.add_worksheet("Read me")
        sheet.set_column(0, 0, 18)
        sheet.set_column(1, 1, 90)
        for row, (key, value) in enumerate(pairs):
            sheet.write_string(row, 0, key, self.head)
            sheet.write_string(row, 1, defused(value))

    def done(self) -> bytes:
        self.book.close()
        return self.buffer.getvalue()


TRIAL_BALANCE = (
    "Account", "Name", "Currency", "Opening", "Debit", "Credit", "Closing",
    "Opening, functional", "Debit, functional", "Credit, functional", "Closing, functional",
)  # fmt: skip


def trial_balance(rows: Sequence[Row], read_me: ReadMe) -> bytes:
    """Closing balances, totals and the check that debits are credits, as formulas."""
    book = _Book()
    sheet = book.sheet("Trial balance", TRIAL_BALANCE, [10, 34, 10, *[18] * 8])
    for number, row in enumerate(rows, start=1):
        sheet.write_string(number, 0, row.account)
        sheet.write_string(number, 1, defused(row.name))
        sheet.write_string(number, 2, row.currency)
        figures = (row.opening, row.debit, row.credit)
        functional = (row.functional_opening, row.functional_debit, row.functional_credit)
        for start, three in ((3, figures), (7, functional)):
            for offset, value in enumerate(three):
                sheet.write_number(number, start + offset, value, book.money)
            a, b, c = (xl_rowcol_to_cell(number, start + k) for k in range(3))
            sheet.write_formula(number, start + 3, f"={a}+{b}-{c}", book.money)
    last = len(rows)
    if rows:
        total = last + 1
        sheet.write_string(total, 0, "Total", book.bold)
        for column in range(7, 11):  # only the functional currency adds up
            letter = xl_col_to_name(column)
            sheet.write_formula(total, column, f"=SUM({letter}2:{letter}{last + 1})", book.total)
        sheet.write_string(total + 1, 0, "Debit less credit, must be 0", book.bold)
        sheet.write_formula(total + 1, 8, f"=I{total + 1}-J{total + 1}", book.total)
        sheet.write_string(total + 2, 0, "Closing, must be 0", book.bold)
        sheet.write_formula(total + 2, 10, f"=K{total + 1}", book.total)
    book.read_me(read_me)
    return book.done()


def waterfall(report: Waterfall, read_me: ReadMe) -> bytes:
    """Cohorts by month; booked, remaining and the totals as formulas."""
    book = _Book()
    months = [f"{m:%Y-%m}" for m in report.months]
    titles = ["Contracts from", *months, "Booked", "Recognised", "Remaining"]
    sheet = book.sheet("Waterfall", titles, [16, *[14] * (len(titles) - 1)])
    first, last = 1, len(months)
    booked, recognised, remaining = last + 1, last + 2, last + 3
    for number, cohort in enumerate(report.cohorts, start=1):
        sheet.write_string(number, 0, f"{cohort.starts:%Y-%m}")
        for column, month in enumerate(report.months, start=1):
            if month in cohort.months:
                sheet.write_number(number, column, cohort.months[month], book.money)
        row = f"{xl_rowcol_to_cell(number, first)}:{xl_rowcol_to_cell(number, last)}"
        sheet.write_formula(number, booked, f"=SUM({row})", book.money)
        sheet.write_number(number, recognised, cohort.recognised, book.money)
        a, b = xl_rowcol_to_cell(number, booked), xl_rowcol_to_cell(number, recognised)
        sheet.write_formula(number, remaining, f"={a}-{b}", book.money)
    total = len(report.cohorts) + 1
    sheet.write_string(total, 0, "Total", book.bold)
    if report.cohorts:
        for column in range(1, remaining + 1):
            letter = xl_col_to_name(column)
            sheet.write_formula(total, column, f"=SUM({letter}2:{letter}{total})", book.total)
    book.read_me(read_me)
    return book.done()
