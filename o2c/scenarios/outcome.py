"""What a scenario file expects: documents, balances, revenue, books. Only what is stated is compared."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from o2c.scenarios.reading import (
    Block,
    choice,
    date,
    decimal,
    key,
    listing,
    mapping,
    month,
    record,
    text,
    whole,
)


@dataclass(frozen=True, slots=True)
class ExpectedLine(Block):
    """A line of a document. Only what is stated is compared."""

    sku: str | None = key(text, default=None)
    kind: str | None = key(text, default=None)
    description: str | None = key(text, default=None)
    start: dt.date | None = key(date, name="from", default=None)
    until: dt.date | None = key(date, default=None)
    quantity: Decimal | None = key(decimal, default=None)
    net: Decimal | None = key(decimal, default=None)
    tax: Decimal | None = key(decimal, default=None)
    deal: str | None = key(text, default=None)


@dataclass(frozen=True, slots=True)
class ExpectedDocument(Block):
    """An invoice or a credit memo."""

    on: dt.date | None = key(date, default=None)
    due: dt.date | None = key(date, default=None)
    state: str | None = key(choice("posted", "void"), default=None)
    po_number: str | None = key(text, default=None)
    net: Decimal | None = key(decimal, default=None)
    tax: Decimal | None = key(decimal, default=None)
    total: Decimal | None = key(decimal, default=None)
    open: Decimal | None = key(decimal, default=None)
    lines: tuple[ExpectedLine, ...] | None = key(listing(record(ExpectedLine)), default=None)


@dataclass(frozen=True, slots=True)
class ExpectedBalance(Block):
    """What the customer owes, and what we hold of theirs."""

    receivable: Decimal | None = key(decimal, default=None)
    credit: Decimal | None = key(decimal, default=None)
    on_account: Decimal | None = key(decimal, default=None)
    net: Decimal | None = key(decimal, default=None)


@dataclass(frozen=True, slots=True)
class ExpectedJournalLine(Block):
    """One side of a journal."""

    account: str | None = key(text, default=None)
    debit: Decimal | None = key(decimal, default=None)
    credit: Decimal | None = key(decimal, default=None)


@dataclass(frozen=True, slots=True)
class ExpectedJournal(Block):
    """A posting in the books."""

    on: dt.date | None = key(date, default=None)
    rule: str | None = key(text, default=None)
    lines: tuple[ExpectedJournalLine, ...] | None = key(listing(record(ExpectedJournalLine)), default=None)


@dataclass(frozen=True, slots=True)
class ExpectedGrant(Block):
    """Credit of the customer for usage: bought, promotional, or carried over."""

    origin: str | None = key(text, default=None)
    granted: Decimal | None = key(decimal, default=None)
    remaining: Decimal | None = key(decimal, default=None)


@dataclass(frozen=True, slots=True)
class Expect(Block):
    """What must have come out. A part that is not stated is not checked; a stated list is complete."""

    invoices: tuple[ExpectedDocument, ...] | None = key(listing(record(ExpectedDocument)), default=None)
    credits: tuple[ExpectedDocument, ...] | None = key(listing(record(ExpectedDocument)), default=None)
    billed: Decimal | None = key(decimal, default=None)
    balance: ExpectedBalance | None = key(record(ExpectedBalance), default=None)
    schedule: Mapping[str, Decimal] | None = key(mapping(month, decimal), default=None)
    revenue: Mapping[str, Decimal] | None = key(mapping(month, decimal), default=None)
    rpo: Decimal | None = key(decimal, default=None)
    accounts: Mapping[str, Decimal] | None = key(mapping(text, decimal), default=None)
    journals: tuple[ExpectedJournal, ...] | None = key(listing(record(ExpectedJournal)), default=None)
    grants: tuple[ExpectedGrant, ...] | None = key(listing(record(ExpectedGrant)), default=None)
    parked_usage: int | None = key(whole, default=None)
