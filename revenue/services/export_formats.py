"""The files that general ledgers import, from aggregated lines. Text is defused, numbers stay numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from o2c.ledger.models import LegalEntity
from o2c.money import minor_units
from revenue.models import GlExport, GlExportLine

DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
ZERO = Decimal(0)

NETSUITE_COLUMNS = (
    "External ID", "Date", "Posting Period", "Subsidiary", "Currency", "Exchange Rate", "Memo", "Account",
    "Debit", "Credit", "Line Memo", "Class", "Transaction Currency", "Transaction Debit",
    "Transaction Credit",
)  # fmt: skip

# GL_INTERFACE by position: the template has no header. SEGMENT1 company, SEGMENT2 account, SEGMENT3 product.
ORACLE_SEGMENTS = 30
ORACLE_ATTRIBUTES = 20


@dataclass(frozen=True, slots=True)
class Batch:
    """What the file says about itself."""

    external_id: str
    entity: LegalEntity
    period: str


def text(value: str) -> str:
    """Text that no spreadsheet takes for a formula (CWE-1236)."""
    return "'" + value if value.startswith(DANGEROUS) else value


def number(value: Decimal, currency: str) -> str:
    """An amount with the currency's decimals and a point; blank for zero, as importers want it."""
    return f"{value:.{minor_units(currency)}f}" if value else ""


def netsuite(batch: Batch, lines: Sequence[GlExportLine]) -> bytes:
    """CSV journal import: the header of an entry is repeated on its lines, grouped by External ID.

    Amounts are in the subsidiary's currency, because one entry has one exchange rate there and ours
    carries balances at several; the transaction's own amounts come along as columns of ours.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(NETSUITE_COLUMNS)
    home = batch.entity.currency
    for line in lines:
        writer.writerow(
            [
                text(line.group),
                f"{line.posting_date:%m/%d/%Y}",
                batch.period,
                text(batch.entity.legal_name),
                home,
                "1",
                text(line.rule),
                line.account,
                number(line.functional_debit, home),
                number(line.functional_credit, home),
                text(f"{line.rule} {line.currency}"),
                text(line.segment),
                line.currency,
                number(line.debit, line.currency),
                number(line.credit, line.currency),
            ]
        )
    return out.getvalue().encode()


def oracle(batch: Batch, lines: Sequence[GlExportLine]) -> bytes:
    """GL_INTERFACE rows of the FBDI template: entered and accounted amounts, one side blank."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    home = batch.entity.currency
    for line in lines:
        day = f"{line.posting_date:%Y/%m/%d}"
        segments = [batch.entity.code, line.account, text(line.segment)]
        writer.writerow(
            [
                "NEW",
                text(batch.entity.code),
                day,
                "Order to Cash",
                text(line.rule),
                line.currency,
                day,
                "A",
                *segments,
                *[""] * (ORACLE_SEGMENTS - len(segments)),
                number(line.debit, line.currency),
                number(line.credit, line.currency),
                number(line.functional_debit, home),
                number(line.functional_credit, home),
                text(batch.external_id),  # REFERENCE1: batch name
                f"Order to cash {batch.period}",
                "",
                text(line.group),  # REFERENCE4: journal name
                text(line.rule),
                text(batch.external_id),
                "",
                "",
                "",
                text(f"{line.rule} {line.currency}"),  # REFERENCE10: line description
                "",  # statistical amount
                "User" if line.currency != home else "",
                day if line.currency != home else "",
                f"{line.rate:f}" if line.rate is not None and line.currency != home else "",
                text(batch.external_id),  # GROUP_ID
                *[""] * (ORACLE_ATTRIBUTES + 1),
                text(batch.entity.legal_name),
                batch.period,
            ]
        )
    return out.getvalue().encode()


FORMATS: dict[str, Callable[[Batch, Sequence[GlExportLine]], bytes]] = {
    GlExport.Format.NETSUITE: netsuite,
    GlExport.Format.ORACLE: oracle,
}
