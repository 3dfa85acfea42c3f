"""AWS's billing adjustment tool: the file that it takes and the file that it answers.

Reference: marketplaces, 1.5. The columns and the forms of month and amount are those of AWS's samples. Ids
are text: a spreadsheet corrupts them.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

COLUMNS = (
    "seller_id", "aws_account_id", "invoice_id", "product_code", "month_id", "refund_amount", "agreement_id",
)  # fmt: skip
ANSWER_COLUMNS = (
    "timestamp", "phase", "agreement_id", "invoice_id", "amount", "status", "billing_adjustment_request_id",
    "message",
)  # fmt: skip
CURRENCY = "USD"
"""The tool's amounts are dollars."""
COMPLETED, FAILED, PENDING = "COMPLETED", "VALIDATION_FAILED", "PENDING"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Asked:
    """One row of the request."""

    seller_id: str
    aws_account_id: str
    invoice_id: str
    product_code: str
    month: date
    amount: Decimal
    agreement_id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One row of the answer. `request_id` is empty when AWS made no request of it."""

    agreement_id: str
    invoice_id: str
    amount: Decimal
    status: str
    request_id: str
    message: str


class AnswerRefused(ValueError):
    """The file is not an answer of the tool."""


def request(rows: Sequence[Asked]) -> str:
    """The input file: the same rows give the same bytes.

    >>> row = Asked("1", "2", "3", "prod-x", date(2025, 6, 1), Decimal("1200"), "agmt-y")
    >>> print(request([row]).splitlines()[1])
    1,2,3,prod-x,25-Jun,"$1,200.00",agmt-y
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(
            [
                row.seller_id,
                row.aws_account_id,
                row.invoice_id,
                row.product_code,
                f"{row.month:%y}-{MONTHS[row.month.month - 1]}",
                f"${row.amount:,.2f}",
                row.agreement_id,
            ]
        )
    return text.getvalue()


def answers(text: str) -> list[Answer]:
    """The rows of the output file, in its order. Raises AnswerRefused naming the column or row at fault."""
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in ANSWER_COLUMNS if name not in (reader.fieldnames or [])]
    if missing:
        raise AnswerRefused(f"the file lacks the columns {', '.join(missing)}")
    return [_answer(row, reader.line_num) for row in reader]


def _answer(row: dict[str, str], line: int) -> Answer:
    values = {name: (row[name] or "").strip() for name in ANSWER_COLUMNS}
    if values["status"] not in (COMPLETED, FAILED, PENDING):
        raise AnswerRefused(f"line {line}: the status {values['status']!r} is not known")
    if (values["status"] == COMPLETED) != bool(values["billing_adjustment_request_id"]) and (
        values["status"] != PENDING
    ):
        raise AnswerRefused(f"line {line}: {values['status']} and the request id contradict each other")
    try:
        amount = Decimal(values["amount"])
    except InvalidOperation:
        raise AnswerRefused(f"line {line}: the amount {values['amount']!r} is not a number") from None
    return Answer(
        values["agreement_id"],
        values["invoice_id"],
        amount,
        values["status"],
        values["billing_adjustment_request_id"],
        values["message"],
    )
