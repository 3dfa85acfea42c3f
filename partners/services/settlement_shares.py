"""Which invoice of ours, or which agreement's account, a fee or a payment settles.

A fee lowers what AWS owes for the invoice of the same order and usage month. A payment settles that invoice
first, then the order's other open ones, oldest first: usage that we billed late was metered, and so is paid,
in a later month. What finds no open invoice stays on the agreement's account at AWS: tax that we remit, a fee
that came before our invoice, a difference that the reconciliation shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from o2c.money import quantize
from partners.domain.balance import is_payment
from partners.models import SettlementPosting, SettlementShare
from partners.selectors.events import CurrentEvent, OwnInvoice

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Target:
    """`amount` positive lowers what AWS owes us on this invoice or, without one, on this agreement's
    account.
    """

    amount: Decimal
    agreement_id: int | None
    customer_id: int | None
    invoice_id: int | None = None


class Allocator:
    """Gives each posting its targets; what it gives is no longer open for the next."""

    def __init__(
        self,
        known: Sequence[CurrentEvent],
        invoices: Sequence[OwnInvoice],
        open_amounts: dict[int, Decimal],
    ) -> None:
        self.events = {event.event_id: event for event in known}
        self.lines: dict[str, list[CurrentEvent]] = {}
        for event in known:
            if event.action == "DISBURSED" and not is_payment(event.transaction_type):
                self.lines.setdefault(event.disbursement_id, []).append(event)
        self.invoices = invoices
        self.open = open_amounts
        self.fees_on_invoices: set[str] = set(
            SettlementShare.objects.filter(
                invoice__isnull=False, posting__billing_event_id__in=list(self.events)
            ).values_list("posting__billing_event_id", flat=True)
        )

    def targets(self, event: CurrentEvent, posting: SettlementPosting) -> list[Target]:
        """What this posting settles. Only an event's first posting touches invoices; corrections go
        beside.
        """
        if event.transaction_type == "DISBURSEMENT_FAILURE":
            return self._returned(event, posting)
        if event.transaction_type == "DISBURSEMENT":
            return self._paid(event) if posting.sequence == 1 else []
        invoice_id = self._invoice(event)
        is_fee = event.transaction_type == "AWS_REV_SHARE" and posting.sequence == 1
        if not is_fee or invoice_id is None:
            return [Target(-posting.amount, event.agreement_id, event.customer_id)]
        targets = self._on_invoices(-posting.amount, event, [invoice_id])
        if targets[0].invoice_id is not None:
            self.fees_on_invoices.add(event.event_id)
        return targets

    def _invoice(self, event: CurrentEvent) -> int | None:
        """Our first invoice of the event's order and usage month."""
        return next(
            (
                own.pk
                for own in self.invoices
                if own.order_id == event.order_id and own.month == event.month and own.pk in self.open
            ),
            None,
        )

    def _others(self, event: CurrentEvent, invoice_id: int) -> list[int]:
        """This invoice first, then the order's others, oldest first, each once."""
        others = [own.pk for own in self.invoices if own.order_id == event.order_id and own.pk in self.open]
        return list(dict.fromkeys([invoice_id, *others]))

    def _on_invoices(self, amount: Decimal, event: CurrentEvent, invoice_ids: Sequence[int]) -> list[Target]:
        """`amount` on these invoices as far as they are open, the rest on the agreement's account."""
        targets = []
        for invoice_id in invoice_ids:
            on_invoice = max(min(amount, self.open[invoice_id]), ZERO)
            if on_invoice:
                self.open[invoice_id] -= on_invoice
                amount -= on_invoice
                targets.append(Target(on_invoice, event.agreement_id, event.customer_id, invoice_id))
        if amount:
            targets.append(Target(amount, event.agreement_id, event.customer_id))
        return targets

    def _paid(self, payment: CurrentEvent) -> list[Target]:
        """The lines of a payment, netted per invoice and per agreement."""
        by_invoice: dict[int, tuple[Decimal, CurrentEvent]] = {}
        beside: dict[int | None, tuple[Decimal, CurrentEvent]] = {}
        for line in self.lines.get(payment.event_id, []):
            amount = quantize(line.amount, line.currency)  # rounding: as the journal's lines
            parent = self.events.get(line.parent_id)
            invoice_id = self._invoice(parent) if parent is not None else None
            concerns_invoice = line.transaction_type == "SELLER_REV_SHARE" or (
                parent is not None and parent.event_id in self.fees_on_invoices
            )
            if invoice_id is not None and concerns_invoice:
                total, _ = by_invoice.get(invoice_id, (ZERO, line))
                by_invoice[invoice_id] = (total - amount, line)
            else:
                total, _ = beside.get(line.agreement_id, (ZERO, line))
                beside[line.agreement_id] = (total - amount, line)
        targets: list[Target] = []
        for invoice_id, (total, line) in by_invoice.items():
            targets += self._on_invoices(total, line, self._others(line, invoice_id))
        targets += [
            Target(total, line.agreement_id, line.customer_id) for total, line in beside.values() if total
        ]
        return targets

    def _returned(self, failure: CurrentEvent, posting: SettlementPosting) -> list[Target]:
        """The shares of the payment that failed, the other way round."""
        shares = SettlementShare.objects.filter(
            posting__channel_id=posting.channel_id, posting__billing_event_id=failure.parent_id
        ).select_related("invoice", "agreement")
        targets = []
        for share in shares:
            if share.invoice_id is not None and share.invoice_id in self.open:
                self.open[share.invoice_id] += share.amount
            customer_id = share.agreement.customer_id if share.agreement else None
            targets.append(Target(-share.amount, share.agreement_id, customer_id, share.invoice_id))
        return targets
