"""The seller data feeds: their columns and keys, and reading a row (reference: marketplaces, 1.7 and 1.8).

Import by header name: a missing documented column refuses the file, an added one is kept in the raw row.
History columns are absent from some documented files; the file's snapshot time then stands in for them.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from partners.domain.amounts import blank_is_none, parse_time

HISTORY = frozenset({"valid_from", "valid_to", "insert_date", "update_date", "delete_date"})

BILLING_EVENT_COLUMNS = (
    "billing_event_id", "from_account_id", "to_account_id", "end_user_account_id", "product_id", "action",
    "transaction_type", "parent_billing_event_id", "disbursement_billing_event_id", "amount", "currency",
    "balance_impacting", "invoice_date", "payment_due_date", "usage_period_start_date",
    "usage_period_end_date", "invoice_id", "billing_address_id", "transaction_reference_id",
    "bank_trace_id", "broker_id",
)  # fmt: skip


class FeedRefused(ValueError):
    """The file as a whole cannot be read: it is not the feed it claims to be."""


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """A feed's key and the columns without which it is not that feed."""

    name: str
    key: tuple[str, ...]
    required: tuple[str, ...]


def _spec(name: str, key: str, more: str = "") -> FeedSpec:
    keys = tuple(key.split())
    return FeedSpec(name, keys, keys + tuple(more.split()))


FEEDS: dict[str, FeedSpec] = {
    spec.name: spec
    for spec in (
        _spec("account", "account_id", "aws_account_id encrypted_account_id"),
        _spec("address", "address_id", "aws_account_id company_name"),
        _spec(
            "agreement",
            "agreement_id",
            "status proposer_account_id acceptor_account_id offer_id start_time end_time",
        ),
        _spec("agreement_term", "agreement_id term_id", "term_type term_configuration"),
        _spec("agreement_charge", "agreement_id term_id time", "amount currency_code"),
        FeedSpec("billing_event", ("billing_event_id",), BILLING_EVENT_COLUMNS),
        _spec(
            "daily_usage",
            "usage_feed_id",
            "usage_date product_id agreement_id dimension_key usage_quantity"
            " estimated_revenue_in_pricing_currency",
        ),
        _spec("legacy_id_mapping", "mapping_type legacy_id", "new_id"),
        _spec("offer", "offer_id offer_revision", "name expiration_date"),
        _spec("offer_product", "offer_id offer_revision product_id"),
        _spec("offer_target", "offer_target_id", "offer_id target_type polarity value"),
        _spec("product", "product_id", "product_code title"),
        _spec("tax_item", "tax_item_id", "invoice_id tax_liable_party tax_amount tax_currency"),
    )
}


@dataclass(frozen=True, slots=True)
class Row:
    """One readable row: its key, both times, and its content with empty text made None."""

    line_number: int
    natural_key: str
    valid_from: datetime
    update_date: datetime
    deleted: bool
    digest: str
    data: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that cannot be read, and why."""

    line_number: int
    problem: str
    data: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a file, and those among them that the documentation does not name."""

    columns: list[str]
    unknown: list[str]


def read(text: str, feed: str, snapshot_at: datetime) -> tuple[Header, Iterator[Row | Rejected]]:
    """Read a feed file (RFC 4180, UTF-8). Raises FeedRefused for an unknown feed or a missing column.

    A file with a header and no row is normal.
    """
    spec = FEEDS.get(feed)
    if spec is None:
        raise FeedRefused(f"there is no feed {feed!r}; known are {', '.join(FEEDS)}")
    reader = csv.DictReader(io.StringIO(text))
    columns = [name.strip() for name in reader.fieldnames or []]
    missing = [name for name in spec.required if name not in columns]
    if missing:
        raise FeedRefused(f"the {feed} feed lacks the columns {', '.join(missing)}")
    known = set(spec.required) | HISTORY
    header = Header(columns, [name for name in columns if name not in known])
    return header, _rows(reader, spec, snapshot_at)


def _rows(reader: csv.DictReader[str], spec: FeedSpec, snapshot_at: datetime) -> Iterator[Row | Rejected]:
    for raw in reader:
        surplus = raw.pop(None, None)  # type: ignore[call-overload]
        data = {name.strip(): blank_is_none(value) for name, value in raw.items()}
        if surplus:
            yield Rejected(reader.line_num, f"the row has {len(surplus)} values more than the header", data)
            continue
        try:
            yield _row(data, spec, reader.line_num, snapshot_at)
        except ValueError as problem:
            yield Rejected(reader.line_num, str(problem), data)


def _row(data: dict[str, str | None], spec: FeedSpec, line_number: int, snapshot_at: datetime) -> Row:
    key = [data.get(name) for name in spec.key]
    if any(part is None for part in key):
        raise ValueError(f"the key {', '.join(spec.key)} is not complete")
    update_date = parse_time(data.get("update_date") or "") or snapshot_at
    valid_from = parse_time(data.get("valid_from") or "") or parse_time(data.get("invoice_date") or "")
    if spec.name == "billing_event":
        billing_event(data, snapshot_at)
    return Row(
        line_number=line_number,
        natural_key="|".join(str(part) for part in key),
        valid_from=valid_from or EPOCH,
        update_date=update_date,
        deleted=data.get("delete_date") is not None,
        digest=hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest(),
        data=data,
    )


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""valid_from of a row that carries none: it was always so, as far as the file knows."""


@dataclass(frozen=True, slots=True)
class BillingEventRow:
    """The typed content of a billing event. Times in UTC; `usage_to` inclusive, as printed."""

    billing_event_id: str
    action: str
    transaction_type: str
    amount: Decimal
    currency: str
    from_account_id: str
    to_account_id: str
    end_user_account_id: str
    product_id: str
    agreement_ref: str
    parent_id: str
    disbursement_id: str
    balance_impacting: bool
    invoice_id: str
    buyer_invoice_id: str
    invoiced_at: datetime | None
    due_at: datetime | None
    usage_from: datetime | None
    usage_to: datetime | None
    acted_at: datetime
    bank_trace_id: str
    broker_id: str


ACTIONS = frozenset({"INVOICED", "FORGIVEN", "COLLECTED", "DISBURSED"})


def billing_event(data: Mapping[str, str | None], snapshot_at: datetime) -> BillingEventRow:
    """Read a billing event. Raises ValueError saying which column is wrong.

    >>> row = {"billing_event_id": "I5", "action": "INVOICED", "transaction_type": "SELLER_REV_SHARE",
    ...        "amount": "73.5", "currency": "USD"}
    >>> billing_event(row, EPOCH).amount
    Decimal('73.5')
    """

    def text(name: str) -> str:
        return data.get(name) or ""

    action = text("action")
    if action not in ACTIONS:
        raise ValueError(f"the action {action!r} is not known")
    if not text("transaction_type"):
        raise ValueError("the transaction type is missing")
    try:
        amount = Decimal(text("amount"))
    except InvalidOperation:
        raise ValueError(f"the amount {text('amount')!r} is not a number") from None
    if not amount.is_finite():
        raise ValueError(f"the amount {text('amount')!r} is not a number")
    invoiced_at = parse_time(text("invoice_date"))
    acted_at = parse_time(text("action_date")) or parse_time(text("valid_from")) or invoiced_at or snapshot_at
    return BillingEventRow(
        billing_event_id=text("billing_event_id"),
        action=action,
        transaction_type=text("transaction_type"),
        amount=amount,
        currency=text("currency"),
        from_account_id=text("from_account_id"),
        to_account_id=text("to_account_id"),
        end_user_account_id=text("end_user_account_id"),
        product_id=text("product_id"),
        agreement_ref=text("agreement_id"),
        parent_id=text("parent_billing_event_id"),
        disbursement_id=text("disbursement_billing_event_id"),
        balance_impacting=text("balance_impacting") == "1",
        invoice_id=text("invoice_id"),
        # Fee and wholesale invoices have numbers of their own; the buyer's joins them (newer feeds only).
        buyer_invoice_id=text("buyer_invoice_id") or text("invoice_id"),
        invoiced_at=invoiced_at,
        due_at=parse_time(text("payment_due_date")),
        usage_from=parse_time(text("usage_period_start_date")),
        usage_to=parse_time(text("usage_period_end_date")),
        acted_at=acted_at,
        bank_trace_id=text("bank_trace_id"),
        broker_id=text("broker_id"),
    )
