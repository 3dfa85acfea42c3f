"""Fees, taxes and payments of the feed, taken to the ledger as differences.

What should have been posted for an event (its newest version) minus what has been posted for it. Importing
a feed again, or running this twice, posts nothing; a correction of AWS posts its difference in an open
period. What concerns an invoice of ours settles it in billing in the same transaction, so that the invoice's
open amount is what AWS still owes for it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from django.db.models import Max, Sum

from billing.services import marketplace
from o2c import ledger, locks, outbox
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.ledger.models import AccountingPeriod
from o2c.money import quantize
from partners import events, postings
from partners.domain.balance import is_payment
from partners.models import Channel, SettlementPosting, SettlementShare
from partners.selectors.events import CurrentEvent, OwnInvoice, current, own_invoices
from partners.services.settlement_shares import Allocator, Target

ZERO = Decimal(0)
FIRST_SEQUENCE = 1


@dataclass
class Fresh:
    """An event with something to post: its rule, the posting, and what it settles."""

    event: CurrentEvent
    rule: postings.Rule
    posting: SettlementPosting
    targets: list[Target] = field(default_factory=list)


def post(channel: Channel, *, as_of: date, actor: Actor, reason: str = "") -> int:
    """Post what is new or corrected; returns the number of journals. Events dated after `as_of` wait.

    Fees and taxes whose agreement is not known are not posted: the reconciliation shows them as IDENTITY.
    """
    with acting(actor, reason=reason or "marketplace settlement"):
        locks.row(Channel, channel.pk)
        require(actor, "partners.settlement.post", record=channel.name)
        known = [event for event in current(channel.pk) if event.acted_on <= as_of]
        fresh = _fresh(channel, known, as_of)
        if not fresh:
            return 0
        SettlementPosting.objects.bulk_create(item.posting for item in fresh)
        invoices = _invoices(known)
        open_amounts = marketplace.open_amounts(sorted({own.pk for own in invoices}))
        allocator = Allocator(known, invoices, open_amounts)
        for item in fresh:
            item.targets = allocator.targets(item.event, item.posting)
            _settle(item, actor)
        written = ledger.post([_entry(item) for item in fresh])
        outbox.publish(
            type=events.SETTLEMENT_POSTED,
            aggregate=f"partners.channel:{channel.pk}",
            payload={"channel": channel.code, "journals": written, "as_of": as_of.isoformat()},
        )
        return written


def _fresh(channel: Channel, known: Sequence[CurrentEvent], as_of: date) -> list[Fresh]:
    """Events whose newest amount is not what was posted, oldest first; bills before payments of a day."""
    done = _posted(channel)
    days = _PostingDays(as_of)
    fresh = []
    for event in known:
        rule = postings.rule_for(event.action, event.transaction_type, event.balance_impacting)
        if rule is None or (event.agreement_id is None and not is_payment(event.transaction_type)):
            continue
        # Rounding: feeds carry up to eight decimals, journals whole minor units.
        amount = quantize(event.amount, event.currency)
        posted, sequence = done.get(event.event_id, (ZERO, 0))
        if amount != posted:
            fresh.append(
                Fresh(event, rule, _posting(channel, event, rule, amount - posted, sequence + 1, days))
            )
    return sorted(fresh, key=lambda item: (item.event.acted_at, item.event.action == "DISBURSED"))


def _posted(channel: Channel) -> dict[str, tuple[Decimal, int]]:
    """Per event: the amount posted so far and the last sequence."""
    rows = (
        SettlementPosting.objects.filter(channel=channel)
        .values_list("billing_event_id")
        .annotate(Sum("amount"), Max("sequence"))
    )
    return {event_id: (amount, sequence) for event_id, amount, sequence in rows}


class _PostingDays:
    """The day on which an event posts: its own, or `as_of` when the books of its day are closed."""

    def __init__(self, as_of: date) -> None:
        self.as_of = as_of
        self.closed = [
            (period.entity_id, period.starts_on, period.ends_on)
            for period in AccountingPeriod.objects.filter(state=AccountingPeriod.State.CLOSED)
        ]

    def of(self, entity_id: int, day: date) -> date:
        shut = any(entity == entity_id and first <= day < end for entity, first, end in self.closed)
        return self.as_of if shut else day


def _posting(
    channel: Channel,
    event: CurrentEvent,
    rule: postings.Rule,
    amount: Decimal,
    sequence: int,
    days: _PostingDays,
) -> SettlementPosting:
    entity_id = event.entity_id or channel.entity_id
    return SettlementPosting(
        channel=channel,
        agreement_id=event.agreement_id,
        entity_id=entity_id,
        billing_event_id=event.event_id,
        sequence=sequence,
        rule=rule.name,
        amount=amount,
        currency=event.currency,
        effective_on=event.acted_on,
        posted_on=days.of(entity_id, event.acted_on),
    )


def _invoices(known: Iterable[CurrentEvent]) -> list[OwnInvoice]:
    """Our invoices of the orders that the events are about, oldest first."""
    orders = sorted({event.order_id for event in known if event.order_id is not None})
    return [own for own in own_invoices(orders) if own.kind == "invoice"]


def _settle(item: Fresh, actor: Actor) -> None:
    """Tell billing what the targets settle, and keep the shares with billing's applications."""
    posting = item.posting
    note = f"{item.rule.memo} {posting.billing_event_id}"
    settled = [target for target in item.targets if target.invoice_id is not None]
    if item.event.transaction_type == "DISBURSEMENT_FAILURE":
        undone = SettlementShare.objects.filter(
            posting__channel_id=posting.channel_id,
            posting__billing_event_id=item.event.parent_id,
            application__isnull=False,
        ).values_list("application_id", flat=True)
        made = marketplace.unsettle(list(undone), on=posting.posted_on, note=note, actor=actor)
    elif settled:
        parts = [(target.invoice_id, target.amount) for target in settled if target.invoice_id is not None]
        made = marketplace.settle(parts, applied_on=posting.posted_on, note=note, actor=actor)
    else:
        made = []
    by_invoice: dict[int | None, list[int]] = defaultdict(list)
    for application in made:
        by_invoice[application.invoice_id].append(application.pk)
    SettlementShare.objects.bulk_create(
        SettlementShare(
            posting=posting,
            agreement_id=target.agreement_id,
            invoice_id=target.invoice_id,
            application_id=by_invoice[target.invoice_id].pop(0) if target.invoice_id else None,
            amount=target.amount,
        )
        for target in item.targets
    )


def _entry(item: Fresh) -> ledger.Entry:
    shares = [
        postings.Share(
            target.amount,
            target.customer_id,
            f"billing.invoice:{target.invoice_id}"
            if target.invoice_id
            else postings.reference(target.agreement_id),
        )
        for target in item.targets
    ]
    if is_payment(item.event.transaction_type):
        return postings.payment_entry(item.posting, item.rule, shares)
    return postings.billed_entry(item.posting, item.rule, shares)
