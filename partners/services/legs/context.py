"""What every leg reads, and what it gives back."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from o2c.money import quantize
from o2c.periods import add_months
from partners.domain.capability import CapabilitySheet
from partners.domain.legs import Item, Leg
from partners.models import AwsAgreement, Channel
from partners.selectors.events import CurrentEvent
from partners.services.breaks import Found

OWNERS: dict[str, tuple[str, timedelta]] = {
    "MISSING_METER": ("partner_ops", timedelta(hours=3)),
    "QUANTITY": ("partner_ops", timedelta(days=3)),
    "EXTRA": ("partner_ops", timedelta(days=3)),
    "MISSING_BILL": ("partner_ops", timedelta(days=1)),
    "PRICE": ("deal_desk", timedelta(days=5)),
    "OWN_INVOICE": ("billing_ops", timedelta(days=3)),
    "FEE": ("partner_ops", timedelta(days=10)),
    "SHORT_PAY": ("collections", timedelta(days=30)),
    "OVER_PAY": ("collections", timedelta(days=5)),
    "FAILED_DISB": ("collections", timedelta(0)),
    "PROOF": ("partner_ops", timedelta(days=3)),
    "BALANCE_ADJ": ("partner_ops", timedelta(days=10)),
    "BANK_OTHER": ("partner_ops", timedelta(0)),
    "BANK_MISSING": ("collections", timedelta(days=2)),
    "BANK_UNIDENTIFIED": ("collections", timedelta(days=5)),
    "REFUND_UNKNOWN": ("partner_ops", timedelta(days=3)),
    "REFUND_MISSING": ("partner_ops", timedelta(days=3)),
    "REFUND_UNBOOKED": ("billing_ops", timedelta(days=3)),
    "IDENTITY": ("partner_ops", timedelta(days=2)),
    "BOOKS": ("revenue_accounting", timedelta(days=1)),
    "ROUND": ("partner_ops", timedelta(0)),
}
"""Who owns a break of each type and when it escalates (reference: marketplaces, 4.2)."""


@dataclass(frozen=True)
class Context:
    """One reconciliation: the channel, its sheet, the moment, the events known, the agreements by id."""

    channel: Channel
    sheet: CapabilitySheet
    as_of: datetime
    events: list[CurrentEvent]
    agreements: dict[int, AwsAgreement]

    @property
    def today(self) -> date:
        return self.as_of.date()

    @property
    def currency(self) -> str:
        """The channel's currency; AWS sells usage in USD only (reference: marketplaces, 1.1)."""
        return next(iter(self.agreements.values())).currency if self.agreements else "USD"

    def billed_by(self, month: str) -> date:
        """The day by which AWS has billed a usage month: invoice day of the next month plus three."""
        first = date.fromisoformat(f"{month}-01")
        return add_months(first, 1) + timedelta(days=self.sheet.payment.invoice_day + 2)


@dataclass
class Checked:
    """A compared leg with the breaks it leaves. `keep` are break types of the leg that this run does not
    judge.
    """

    leg: Leg
    currency: str
    found: list[Found] = field(default_factory=list)
    keep: frozenset[str] = frozenset()


def found(
    context: Context,
    type_: str,
    leg: str,
    item: Item,
    *,
    key: str,
    period: str,
    agreement_id: int | None = None,
    value: Decimal | None = None,
    evidence: dict[str, Any] | None = None,
    clears_itself: bool = False,
) -> Found:
    """A break for an item; its value is the money difference unless another is given."""
    role, escalate_after = OWNERS[type_]
    agreement = context.agreements.get(agreement_id) if agreement_id else None
    currency = agreement.currency if agreement else context.currency
    amount = item.delta if value is None else value
    return Found(
        type=type_,
        leg=leg,
        key=key[:255],
        period=period,
        expected=item.left,
        actual=item.right,
        value=quantize(amount, currency),  # rounding: what a break shows, in whole minor units
        currency=currency,
        owner_role=role,
        escalate_after=escalate_after,
        agreement_id=agreement_id,
        evidence=evidence or {},
        clears_itself=clears_itself,
    )
