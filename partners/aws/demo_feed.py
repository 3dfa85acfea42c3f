"""The seller feeds that AWS would deliver for what the stand-in metered: for demonstrations and tests.

Pure: usage, contracts and a moment in; month files out, as `<feed>_v1/year=YYYY/month=MM/data.csv`. A later
moment appends rows to the same files, as AWS does. Usage is billed on the 2nd of the next month, per
dimension; the buyer pays on the due date; AWS pays out some days later.
"""

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from o2c.money import quantize
from o2c.periods import add_months
from partners.domain.feeds import BILLING_EVENT_COLUMNS
from partners.domain.fees import fee

HISTORY = ("valid_from", "insert_date", "update_date", "delete_date")
BILLING_COLUMNS = (*HISTORY, *BILLING_EVENT_COLUMNS, "agreement_id", "buyer_invoice_id", "action_date")
USAGE_COLUMNS = (
    *HISTORY, "usage_feed_id", "usage_date", "product_id", "agreement_id", "end_user_account_id",
    "payer_account_id", "region", "dimension_key", "usage_unit", "usage_quantity", "pricing_currency",
    "estimated_revenue_in_pricing_currency", "recipient_account_id", "offer_id",
    "usage_rate_per_unit_in_pricing_currency", "charge_item_description",
)  # fmt: skip
ACCOUNT_COLUMNS = (
    *HISTORY, "account_id", "aws_account_id", "encrypted_account_id", "mailing_address_id", "tax_address_id",
    "tax_registration_number", "tax_legal_name",
)  # fmt: skip
Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Contract:
    """What the feed must know of an agreement: its ids, listed rates by dimension, fee rate, payment lags."""

    agreement_id: str
    account_id: str
    product_id: str
    offer_id: str
    seller_account: str
    currency: str
    rates: Mapping[str, Decimal]
    fee_rate: Decimal
    terms_days: int = 30
    payout_days: int = 3
    failing_months: frozenset[str] = frozenset()


def generate(
    usage: Iterable[Mapping[str, Any]], contracts: Sequence[Contract], as_of: datetime
) -> dict[str, str]:
    """The month files as they stand at `as_of`. `usage` are the stand-in's records (`/_fake/usage`)."""
    by_agreement = {contract.agreement_id: contract for contract in contracts}
    days: dict[tuple[str, str, str], int] = defaultdict(int)
    for record in usage:
        if record["agreement_id"] in by_agreement:
            days[record["agreement_id"], record["dimension"], str(record["hour"])[:10]] += int(
                record["quantity"]
            )
    events = [row for contract in contracts for row in _billing(contract, days)]
    files: dict[str, str] = {}
    files |= _files("billingeventfeed_v1", BILLING_COLUMNS, events, as_of)
    files |= _files("dailyusagefeed_v1", USAGE_COLUMNS, _daily(by_agreement, days), as_of)
    files |= _files("accountfeed_v1", ACCOUNT_COLUMNS, _accounts(contracts, days), as_of)
    return files


def feed_of(path: str) -> str:
    """The feed's name in `partners.domain.feeds.FEEDS` of a file that `generate` made."""
    names = {
        "billingeventfeed_v1": "billing_event",
        "dailyusagefeed_v1": "daily_usage",
        "accountfeed_v1": "account",
    }
    return names[path.split("/", 1)[0]]


def _files(folder: str, columns: Sequence[str], rows: Iterable[Row], as_of: datetime) -> dict[str, str]:
    by_month: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda item: item["insert_date"]):
        if datetime.fromisoformat(row["insert_date"]) <= as_of:
            by_month[row["insert_date"][:7]].append(row)
    files = {}
    for month, known in by_month.items():
        year, number = month.split("-")
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(known)
        files[f"{folder}/year={year}/month={number}/data.csv"] = text.getvalue()
    return files


def _id(*parts: object) -> str:
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:24]


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _dated(moment: datetime, **fields: str) -> Row:
    stamp = _stamp(moment)
    return {"valid_from": stamp, "insert_date": stamp, "update_date": stamp, "delete_date": "", **fields}


def _billing(contract: Contract, days: Mapping[tuple[str, str, str], int]) -> list[Row]:
    """Invoice, payment lines and payment of every usage month of one agreement."""
    totals: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for (agreement_id, dimension, day), quantity in days.items():
        if agreement_id == contract.agreement_id:
            totals[day[:7]][dimension] += quantity
    rows: list[Row] = []
    for month in sorted(totals):
        invoiced = _invoiced(contract, month, totals[month])
        rows += invoiced
        if invoiced:
            rows += _paid(contract, month, invoiced)
    return rows


def _invoiced(contract: Contract, month: str, quantities: Mapping[str, int]) -> list[Row]:
    first = datetime.fromisoformat(f"{month}-01").replace(tzinfo=UTC)
    following = datetime.combine(add_months(first.date(), 1), time(), UTC)
    billed_at = following + timedelta(days=1)
    common = {
        "product_id": contract.product_id,
        "action": "INVOICED",
        "currency": contract.currency,
        "balance_impacting": "1",
        "invoice_date": _stamp(billed_at),
        "action_date": _stamp(billed_at),
        "payment_due_date": _stamp(billed_at + timedelta(days=contract.terms_days)),
        "usage_period_start_date": _stamp(first),
        "usage_period_end_date": _stamp(following - timedelta(seconds=1)),
        "agreement_id": contract.agreement_id,
        "broker_id": "AWS_INC",
        "buyer_invoice_id": str(int(_id("invoice", contract.agreement_id, month)[:8], 16)),
    }
    rows = []
    for dimension, quantity in sorted(quantities.items()):
        # Rounding: AWS bills each dimension of a month in whole cents.
        amount = quantize(quantity * contract.rates[dimension], contract.currency)
        if amount:
            key = (contract.agreement_id, month, dimension)
            seller = {
                "from_account_id": _id("account", contract.account_id),
                "to_account_id": contract.seller_account,
            }
            fee_side = {"from_account_id": contract.seller_account, "to_account_id": "AWS"}
            buyer = {"end_user_account_id": _id("account", contract.account_id)}
            rows.append(
                _dated(billed_at, **common, **seller, **buyer, transaction_type="SELLER_REV_SHARE",
                       billing_event_id=_id("revenue", *key), amount=str(amount),
                       invoice_id=common["buyer_invoice_id"])
            )  # fmt: skip
            charged = fee(amount, contract.fee_rate, contract.currency)
            rows.append(
                _dated(billed_at, **common, **fee_side, transaction_type="AWS_REV_SHARE",
                       billing_event_id=_id("fee", *key), amount=str(-charged),
                       invoice_id=str(int(_id("fee invoice", *key)[:8], 16)))
            )  # fmt: skip
    return rows


def _paid(contract: Contract, month: str, invoiced: Sequence[Row]) -> list[Row]:
    """One payment of the month's lines; in a failing month the bank returns it and AWS pays again."""
    due = datetime.fromisoformat(invoiced[0]["payment_due_date"])
    paid_at = due + timedelta(days=contract.payout_days)
    rows = _payment(contract, invoiced, paid_at, _id("payment", contract.agreement_id, month))
    if month in contract.failing_months:
        payment = rows[-1]
        returned_at = paid_at + timedelta(days=1)
        rows.append(
            _dated(returned_at, action="DISBURSED", transaction_type="DISBURSEMENT_FAILURE",
                   currency=contract.currency,
                   billing_event_id=_id("failure", contract.agreement_id, month),
                   parent_billing_event_id=payment["billing_event_id"], amount=f"-{payment['amount']}",
                   from_account_id=contract.seller_account, to_account_id="AWS",
                   action_date=_stamp(returned_at))
        )  # fmt: skip
        rows += _payment(
            contract, invoiced, paid_at + timedelta(days=3), _id("again", contract.agreement_id, month)
        )
    return rows


def _payment(contract: Contract, invoiced: Sequence[Row], at: datetime, payment_id: str) -> list[Row]:
    rows = [
        _dated(at, action="DISBURSED", transaction_type=line["transaction_type"], currency=contract.currency,
               billing_event_id=_id("line", payment_id, line["billing_event_id"]),
               product_id=contract.product_id,
               parent_billing_event_id=line["billing_event_id"], disbursement_billing_event_id=payment_id,
               amount=str(-Decimal(line["amount"])), from_account_id=line["from_account_id"],
               to_account_id=line["to_account_id"], agreement_id=contract.agreement_id,
               action_date=_stamp(at),
               broker_id="AWS_INC")
        for line in invoiced
    ]  # fmt: skip
    total = sum((Decimal(line["amount"]) for line in invoiced), Decimal(0))
    rows.append(
        _dated(at, action="DISBURSED", transaction_type="DISBURSEMENT", currency=contract.currency,
               billing_event_id=payment_id, amount=str(total), from_account_id="AWS", balance_impacting="0",
               to_account_id=contract.seller_account, action_date=_stamp(at), broker_id="AWS_INC",
               bank_trace_id=f"ACH{payment_id[:15].upper()}")
    )  # fmt: skip
    return rows


def _daily(contracts: Mapping[str, Contract], days: Mapping[tuple[str, str, str], int]) -> list[Row]:
    rows = []
    for (agreement_id, dimension, day), quantity in sorted(days.items()):
        contract = contracts[agreement_id]
        delivered = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)
        rows.append(
            _dated(delivered, usage_feed_id=_id("usage", agreement_id, dimension, day), usage_date=day,
                   product_id=contract.product_id, agreement_id=agreement_id, dimension_key=dimension,
                   end_user_account_id=_id("account", contract.account_id), usage_unit="Units",
                   region="us-east-1",
                   payer_account_id=_id("account", contract.account_id), usage_quantity=f"{quantity}.00",
                   pricing_currency=contract.currency, recipient_account_id=contract.seller_account,
                   offer_id=contract.offer_id, charge_item_description=dimension,
                   usage_rate_per_unit_in_pricing_currency=f"{contract.rates[dimension]:.6f}",
                   estimated_revenue_in_pricing_currency=str(
                       quantize(quantity * contract.rates[dimension], contract.currency)))
        )  # fmt: skip
    return rows


def _accounts(contracts: Sequence[Contract], days: Mapping[tuple[str, str, str], int]) -> list[Row]:
    if not days:
        return []
    first = datetime.fromisoformat(min(day for _agreement, _dimension, day in days)).replace(tzinfo=UTC)
    return [
        _dated(first, account_id=_id("account", contract.account_id), aws_account_id=contract.account_id,
               encrypted_account_id=_id("customer", contract.account_id)[:12])
        for contract in contracts
    ]  # fmt: skip
