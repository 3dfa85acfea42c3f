"""Journals of the marketplace channel: which feed row debits and credits what.

`RULES` is read in order; the first prefix that fits a row's action and type decides. Amounts carry the
seller's sign: a positive amount is owed to us, so it debits the marketplace receivable and credits the
counter account; a negative one does the reverse. SELLER_REV_SHARE posts nothing here: our own invoice of
channel aws has debited the receivable (billing), and the reconciliation compares the two.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from o2c import ledger
from partners.domain.balance import PENNY
from partners.models import Break, SettlementPosting

RECEIVABLE = "1105"
CASH = "1000"
ROUNDING = "7190"
SHORT_PAYMENT = "6110"
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the table: actions and type prefix, the rule's name in the ledger, the counter account."""

    name: str
    actions: tuple[str, ...]
    prefix: str
    counter: str
    memo: str
    only_balance_impacting: bool = False


BILLED = ("INVOICED", "FORGIVEN")

RULES: tuple[Rule, ...] = (
    Rule("marketplace.fee", BILLED, "AWS_REV_SHARE", "6200", "Listing fee"),
    Rule("marketplace.infrastructure", BILLED, "AWS_INFRA_SHARE", "6200", "Infrastructure share"),
    Rule("marketplace.tax", BILLED, "SELLER_TAX_SHARE", "2150", "Tax collected for us, ours to remit"),
    Rule("marketplace.tax", BILLED, "OTHER_SELLER_TAX_SHARE", "2150", "Tax of another seller"),
    # Tax that AWS collects and remits is its own; where it changes our balance it is a cost of the fee.
    Rule("marketplace.fee_tax", BILLED, "AWS_TAX_SHARE", "6200", "Tax on the listing fee", True),
    Rule("marketplace.adjustment", BILLED, "BALANCE_ADJUSTMENT", SHORT_PAYMENT, "Balance adjustment by AWS"),
    Rule(
        "marketplace.payment_failed",
        ("DISBURSED",),
        "DISBURSEMENT_FAILURE",
        CASH,
        "Payment returned by the bank",
    ),
    Rule("marketplace.payment", ("DISBURSED",), "DISBURSEMENT", CASH, "Disbursement"),
)


def rule_for(action: str, transaction_type: str, balance_impacting: bool) -> Rule | None:
    """The rule of a feed row, or None when the row posts nothing."""
    for rule in RULES:
        if action in rule.actions and transaction_type.startswith(rule.prefix):
            return None if rule.only_balance_impacting and not balance_impacting else rule
    return None


@dataclass(frozen=True, slots=True)
class Share:
    """Part of a posting against the receivable: positive lowers it, negative raises it."""

    amount: Decimal
    party_id: int | None
    reference: str


def side(account: str, amount: Decimal, party_id: int | None = None, reference: str = "") -> ledger.Line:
    """A line that debits a positive amount and credits a negative one."""
    return ledger.Line(
        account=account,
        debit=max(amount, ZERO),
        credit=max(-amount, ZERO),
        party_id=party_id,
        reference=reference,
    )


def _receivable(shares: Iterable[Share]) -> list[ledger.Line]:
    """One line per customer and reference."""
    totals: dict[tuple[int | None, str], Decimal] = defaultdict(Decimal)
    for share in shares:
        totals[share.party_id, share.reference] += share.amount
    return [
        side(RECEIVABLE, -amount, party, reference) for (party, reference), amount in totals.items() if amount
    ]


def billed_entry(posting: SettlementPosting, rule: Rule, shares: Iterable[Share]) -> ledger.Entry:
    """Fee, tax or adjustment: a positive amount raises the receivable, a negative one lowers it."""
    return _entry(posting, rule, [side(rule.counter, -posting.amount), *_receivable(shares)])


def payment_entry(posting: SettlementPosting, rule: Rule, shares: Sequence[Share]) -> ledger.Entry:
    """A payment (positive) or its return (negative): cash against the receivable of what it settles.

    AWS's documented penny between payment and lines is rounding; a larger difference stays on the
    receivable without a customer, where its break points.
    """
    gap = posting.amount - sum((share.amount for share in shares), ZERO)
    lines = [side(rule.counter, posting.amount), *_receivable(shares)]
    if gap:
        lines.append(side(ROUNDING if abs(gap) <= PENNY else RECEIVABLE, -gap))
    return _entry(posting, rule, lines)


def write_off_entry(row: Break, on: date) -> ledger.Entry:
    """Writing a break off: what we will not get leaves the receivable as a short payment."""
    customer_id = row.agreement.customer_id if row.agreement else None
    return ledger.Entry(
        entity_id=row.agreement.entity_id if row.agreement else row.channel.entity_id,
        currency=row.currency,
        posting_date=on,
        effective_date=on,
        event_key=f"partners.break:{row.pk}",
        rule="marketplace.write_off",
        source=f"partners.break:{row.pk}",
        memo=row.note[:200],
        lines=[
            side(SHORT_PAYMENT, row.value),
            side(RECEIVABLE, -row.value, customer_id, reference(row.agreement_id)),
        ],
    )


def reference(agreement_id: int | None) -> str:
    """The sub-ledger key of an agreement on a journal line."""
    return f"aws_agreement:{agreement_id}" if agreement_id else ""


def _entry(posting: SettlementPosting, rule: Rule, lines: list[ledger.Line]) -> ledger.Entry:
    return ledger.Entry(
        entity_id=posting.entity_id,
        currency=posting.currency,
        posting_date=posting.posted_on,
        effective_date=posting.effective_on,
        event_key=posting.event_key,
        rule=rule.name,
        source=f"partners.billing_event:{posting.billing_event_id}"[:80],
        memo=rule.memo,
        lines=lines,
    )
