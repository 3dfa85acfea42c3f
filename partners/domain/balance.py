"""What the marketplace owes us, from the structure of the billing-event feed.

The feed's own `balance_impacting` column contradicts itself on DISBURSED rows, and a failed bank transfer
leaves its lines behind; this module is the structural rule of reference: marketplaces, 1.8.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

PENNY = Decimal("0.01")
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Event:
    """One billing event, its newest version. Amounts carry the seller's sign (positive: owed to us)."""

    event_id: str
    action: str
    transaction_type: str
    amount: Decimal
    parent_id: str = ""
    disbursement_id: str = ""
    balance_impacting: bool = False


@dataclass(frozen=True, slots=True)
class Balance:
    """Earned, collected by the marketplace, and settled to us (settled is negative)."""

    earned: Decimal
    collected: Decimal
    settled: Decimal

    @property
    def open(self) -> Decimal:
        """Still owed to us."""
        return self.earned + self.settled

    @property
    def uncollected(self) -> Decimal:
        """Billed by the marketplace and not yet paid by the buyer."""
        return self.earned - self.collected

    @property
    def awaiting(self) -> Decimal:
        """Paid by the buyer and not yet sent to us."""
        return self.collected + self.settled


@dataclass(frozen=True, slots=True)
class Proof:
    """A payment against its own lines. `gap` is sum of lines + payment: zero, or within a penny."""

    disbursement_id: str
    amount: Decimal
    lines: Decimal
    failed: bool

    @property
    def gap(self) -> Decimal:
        return self.lines + self.amount

    @property
    def holds(self) -> bool:
        return self.failed or abs(self.gap) <= PENNY


def is_payment(transaction_type: str) -> bool:
    """DISBURSEMENT and DISBURSEMENT_FAILURE rows are the payment itself, not a line of it."""
    return transaction_type.startswith("DISBURSEMENT")


def counts_in_balance(transaction_type: str, balance_impacting: bool) -> bool:
    """Whether an INVOICED or FORGIVEN row of this type is part of what we are owed."""
    if transaction_type.startswith("AWS_TAX_SHARE"):
        return balance_impacting
    return transaction_type.startswith(
        ("SELLER_", "AWS_REV_", "OTHER_SELLER_", "AWS_INFRA_SHARE", "INFRA_FEE", "BALANCE_ADJUSTMENT")
    )


def failed_disbursements(events: Iterable[Event]) -> set[str]:
    """Ids of DISBURSEMENT events that the bank returned."""
    return {event.parent_id for event in events if event.transaction_type == "DISBURSEMENT_FAILURE"}


def balance(events: Sequence[Event]) -> Balance:
    """The structural balance of one seller account and currency.

    Documented example (seller of record): +100 -80 -0.2 invoiced, 19.8 disbursed: open is 0.
    """
    dead = failed_disbursements(events)
    earned = collected = settled = ZERO
    for event in events:
        if is_payment(event.transaction_type):
            continue
        counted = counts_in_balance(event.transaction_type, event.balance_impacting)
        if event.action in ("INVOICED", "FORGIVEN") and counted:
            earned += event.amount
        elif event.action == "COLLECTED":
            collected += event.amount
        elif event.action == "DISBURSED" and event.disbursement_id not in dead:
            settled += event.amount
    return Balance(earned, collected, settled)


def proofs(events: Sequence[Event]) -> list[Proof]:
    """Each payment against the lines that name it."""
    dead = failed_disbursements(events)
    lines: dict[str, Decimal] = defaultdict(Decimal)
    for event in events:
        if event.action == "DISBURSED" and not is_payment(event.transaction_type):
            lines[event.disbursement_id] += event.amount
    return [
        Proof(event.event_id, event.amount, lines[event.event_id], event.event_id in dead)
        for event in events
        if event.transaction_type == "DISBURSEMENT"
    ]


def by_type(events: Iterable[Event], action: str = "INVOICED") -> dict[str, Decimal]:
    """Totals per transaction type of one action."""
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for event in events:
        if event.action == action:
            totals[event.transaction_type] += event.amount
    return dict(totals)
