"""What came out of a scenario, in the shape in which a file expects it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from billing.models import Grant, Invoice, InvoiceLine, Receipt, UsageException
from o2c.ledger.models import Journal, JournalLine
from o2c.scenarios.happenings import documents
from o2c.scenarios.outcome import Expect
from o2c.scenarios.stage import Stage
from revenue.models import Recognition, ScheduleSlice
from revenue.selectors import reports

ZERO = Decimal(0)
Tree = dict[str, Any]


def observe(stage: Stage, expect: Expect, on: dt.date) -> Tree:
    """The parts that `expect` states, as they are at the end of day `on`."""
    parts: dict[str, Callable[[], Any]] = {
        "invoices": lambda: [_document(stage, row) for row in documents(stage)],
        "credits": lambda: [_document(stage, row) for row in documents(stage, credit=True)],
        "billed": lambda: billed(stage),
        "balance": lambda: _balance(stage),
        "schedule": lambda: _schedule(stage),
        "revenue": lambda: revenue(stage),
        "rpo": lambda: reports.remaining_total(on + dt.timedelta(days=1), entity_id=stage.entity.pk).get(
            stage.entity.currency, ZERO
        ),
        "accounts": lambda: _accounts(stage),
        "journals": lambda: _journals(stage),
        "grants": lambda: _grants(stage),
        "parked_usage": lambda: _parked(stage),
    }
    return {name: look() for name, look in parts.items() if getattr(expect, name) is not None}


def _document(stage: Stage, row: Invoice) -> Tree:
    return {
        "on": row.issue_date,
        "due": row.due_date,
        "state": row.state,
        "po_number": row.po_number,
        "net": row.net,
        "tax": row.tax,
        "total": row.total,
        "open": ZERO if row.state == Invoice.State.VOID else row.open_amount,
        "lines": [_line(stage, line) for line in _lines(row)],
    }


def _lines(row: Invoice) -> list[InvoiceLine]:
    return list(row.lines.select_related("order_line__order").order_by("position"))


def _line(stage: Stage, line: InvoiceLine) -> Tree:
    return {
        "sku": stage.spoken(line.sku_code),
        "kind": line.kind,
        "description": line.description,
        "from": line.service_from,
        "until": line.service_to,
        "quantity": line.quantity,
        "net": line.net,
        "tax": line.tax,
        "deal": line.order_line.order.title if line.order_line else "",
    }


def billed(stage: Stage) -> Decimal:
    """Net of every posted document, credits taken off."""
    posted = Invoice.objects.filter(entity=stage.entity, state=Invoice.State.POSTED)
    return posted.aggregate(net=Sum("net"))["net"] or ZERO


def _balance(stage: Stage) -> Tree:
    receivable = sum((row.open_amount for row in documents(stage) if row.state == "posted"), ZERO)
    credit = sum((row.open_amount for row in documents(stage, credit=True) if row.state == "posted"), ZERO)
    receipts = Receipt.objects.filter(entity=stage.entity).exclude(state=Receipt.State.REVERSED)
    on_account = sum((row.unapplied_amount for row in receipts), ZERO)
    return {
        "receivable": receivable,
        "credit": credit,
        "on_account": on_account,
        "net": receivable + credit - on_account,
    }


def _schedule(stage: Stage) -> dict[str, Decimal]:
    """Planned revenue by month, of the version of each contract that holds now."""
    months: dict[str, Decimal] = {}
    rows = ScheduleSlice.objects.filter(version__contract__entity=stage.entity).select_related(
        "version__contract"
    )
    for row in rows.order_by("month"):
        if row.version.number == row.version.contract.version:
            name = f"{row.month:%Y-%m}"
            months[name] = months.get(name, ZERO) + row.amount
    return {name: amount for name, amount in months.items() if amount}


def revenue(stage: Stage) -> dict[str, Decimal]:
    """Recognised revenue by the month that it belongs to."""
    rows = (
        Recognition.objects.filter(contract__entity=stage.entity)
        .values_list("effective_month")
        .annotate(amount=Sum("amount"))
        .order_by("effective_month")
    )
    return {f"{month:%Y-%m}": amount for month, amount in rows if amount}


def _accounts(stage: Stage) -> dict[str, Decimal]:
    """Balance per account, debit positive, those that are zero left out."""
    rows = (
        JournalLine.objects.filter(journal__entity=stage.entity)
        .values_list("account__code")
        .annotate(debit=Sum("debit"), credit=Sum("credit"))
        .order_by("account__code")
    )
    return {code: debit - credit for code, debit, credit in rows if debit != credit}


def _journals(stage: Stage) -> list[Tree]:
    rows = Journal.objects.filter(entity=stage.entity).prefetch_related("lines__account")
    return [
        {
            "on": row.posting_date,
            "rule": row.rule,
            "lines": [
                {"account": line.account.code, "debit": line.debit, "credit": line.credit}
                for line in sorted(row.lines.all(), key=lambda line: line.pk)
            ],
        }
        for row in rows.order_by("posting_date", "pk")
    ]


def _grants(stage: Stage) -> list[Tree]:
    rows = Grant.objects.filter(customer=stage.customer).order_by("starts_on", "pk")
    return [{"origin": row.origin, "granted": row.granted, "remaining": row.remaining} for row in rows]


def _parked(stage: Stage) -> int:
    return UsageException.objects.filter(
        customer_number=stage.customer.number, state=UsageException.State.OPEN
    ).count()
