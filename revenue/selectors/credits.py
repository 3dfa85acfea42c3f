"""Corrections of the price that no amendment made: credit memos and lines entered by hand.

A credit memo that corrects a charge the engine will not bill again lowers the transaction price over
the service period it names. A concession is contra revenue at once, posted by billing (4920), and is
not here; nor is a line that comes from a charge, because charges follow the contract.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.models import Invoice, InvoiceLine
from billing.postings import CONCESSION_REASONS


@dataclass(frozen=True, slots=True)
class Credit:
    """A change of the price of one line: negative lowers it. Service is [starts_on, ends_on)."""

    invoice: int
    issued_on: dt.date
    line: int
    starts_on: dt.date
    ends_on: dt.date
    amount: Decimal


def load(order_ids: Sequence[int]) -> dict[int, list[Credit]]:
    """The credits of these orders, by order, oldest document first. One query."""
    rows = (
        InvoiceLine.objects.filter(
            order_line__order_id__in=list(order_ids),
            kind__in=[InvoiceLine.Kind.CREDIT, InvoiceLine.Kind.MANUAL],
            proposal__isnull=True,
            invoice__state=Invoice.State.POSTED,
        )
        .exclude(invoice__reason_code__in=list(CONCESSION_REASONS))
        .order_by("invoice_id", "position")
        .values_list(
            "order_line__order_id",
            "invoice_id",
            "invoice__issue_date",
            "order_line_id",
            "service_from",
            "service_to",
            "net",
        )
    )
    found: dict[int, list[Credit]] = defaultdict(list)
    for order, invoice, issued, line, start, end, net in rows:
        start = start or issued
        found[order].append(Credit(invoice, issued, line, start, end or start + dt.timedelta(days=1), net))
    return found
