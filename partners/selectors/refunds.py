"""What is left to refund of an invoice at AWS, and which lines of the feed answer which request."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from o2c.money import quantize
from partners.models import AwsAgreement, MarketplaceRefund, RefundLine
from partners.selectors.events import CurrentEvent

ZERO = Decimal(0)
REVENUE, REFUND = "SELLER_REV_SHARE", "SELLER_REV_SHARE_REFUND"
BILLED = ("INVOICED", "FORGIVEN")


@dataclass(frozen=True, slots=True)
class Refundable:
    """Of one agreement on one invoice at AWS, before tax; `invoiced_on` is None when AWS never billed it."""

    billed: Decimal
    asked: Decimal
    unasked: Decimal
    invoiced_on: date | None

    @property
    def left(self) -> Decimal:
        """What could still be refunded."""
        return self.billed - self.asked - self.unasked


def refundable(agreement_id: int, invoice_ref: str) -> Refundable:
    """The figures that the database's own limit uses, in one query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM partners_refundable(%s, %s)", [agreement_id, invoice_ref])
        return Refundable(*cursor.fetchone())


INVOICES = """
SELECT x.invoice, b.invoiced_on, b.billed, b.asked + b.unasked, b.billed - b.asked - b.unasked
FROM (SELECT DISTINCT e.buyer_invoice_id AS invoice FROM partners_billingevent e
      WHERE e.channel_id = %(channel)s AND e.transaction_type = 'SELLER_REV_SHARE'
        AND e.action IN ('INVOICED', 'FORGIVEN') AND e.buyer_invoice_id <> ''
        -- Rows that name another agreement are left out at once; the others the function asks about.
        AND NOT EXISTS (SELECT 1 FROM partners_agreementidentity i
                        WHERE i.agreement_ref = e.agreement_ref AND i.agreement_ref <> ''
                          AND i.agreement_id <> %(agreement)s)) x
CROSS JOIN LATERAL partners_refundable(%(agreement)s, x.invoice) b
WHERE b.billed > 0 ORDER BY b.invoiced_on DESC, x.invoice
"""


def invoices(agreement: AwsAgreement) -> list[tuple[Any, ...]]:
    """Invoice at AWS, its day, billed, refunded or asked for, left; newest first, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(INVOICES, {"channel": agreement.channel_id, "agreement": agreement.pk})
        return cursor.fetchall()


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A refund line of the feed; `invoice_ref` is the invoice of what it takes back. Amount positive."""

    event: CurrentEvent
    invoice_ref: str
    amount: Decimal


def given_back(events: Sequence[CurrentEvent]) -> list[GivenBack]:
    """The refund lines among these events, as they stand."""
    known = {event.event_id: event for event in events}
    found = []
    for event in events:
        if event.action in BILLED and event.transaction_type == REFUND and event.amount:
            parent = known.get(event.parent_id)
            invoice = (parent.buyer_invoice_id if parent else "") or event.buyer_invoice_id
            # Rounding: feeds carry up to eight decimals, a request whole minor units.
            found.append(GivenBack(event, invoice, quantize(-event.amount, event.currency)))
    return found


def answered(
    refunds: Sequence[MarketplaceRefund], lines: Iterable[GivenBack]
) -> list[tuple[MarketplaceRefund, list[GivenBack]]]:
    """Which lines give what which request asked for: same agreement and invoice, same amount, oldest first.

    AWS may spread one request over the lines of the invoice; what it gives back at one moment is one request.
    """
    waiting: dict[tuple[int | None, str], list[list[GivenBack]]] = defaultdict(list)
    together: dict[tuple[Any, ...], list[GivenBack]] = defaultdict(list)
    for line in lines:
        together[line.event.agreement_id, line.invoice_ref, line.event.acted_at].append(line)
    for (agreement_id, invoice_ref, _at), group in together.items():
        waiting[agreement_id, invoice_ref].append(group)
    found = []
    for refund in refunds:
        groups = waiting[refund.agreement_id, refund.invoice_ref]
        match = _match(refund.amount, groups)
        if match:
            found.append((refund, match))
            for group in groups:
                group[:] = [line for line in group if line not in match]
    return found


def _match(amount: Decimal, groups: Sequence[list[GivenBack]]) -> list[GivenBack]:
    for group in groups:
        alone = next((line for line in group if line.amount == amount), None)
        if alone is not None:
            return [alone]
        if group and sum((line.amount for line in group), ZERO) == amount:
            return list(group)
    return []


def matched_lines(channel_id: int) -> dict[str, int]:
    """Refund lines that answered a request: event → refund."""
    return dict(RefundLine.objects.filter(channel_id=channel_id).values_list("billing_event_id", "refund_id"))
