"""Fees, taxes and payments of the feed, taken to the ledger as differences.

What should have been posted for an event (its newest version) minus what has been posted for it. Importing
a feed again, or running this twice, posts nothing; a correction of AWS posts its difference in an open
period.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from django.db.models import Max, Sum

from o2c import ledger, locks, outbox
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.ledger.models import AccountingPeriod
from o2c.money import quantize
from partners import events, postings
from partners.domain.balance import is_payment
from partners.models import Channel, SettlementPosting
from partners.selectors.events import CurrentEvent, current, own_invoices

ZERO = Decimal(0)


def post(channel: Channel, *, as_of: date, actor: Actor, reason: str = "") -> int:
    """Post what is new or corrected; returns the number of journals. Events dated after `as_of` wait.

    Fees and taxes whose agreement is not known are not posted: the reconciliation shows them as IDENTITY.
    """
    with acting(actor, reason=reason or "marketplace settlement"):
        locks.row(Channel, channel.pk)
        require(actor, "partners.settlement.post", record=channel.name)
        known = [event for event in current(channel.pk) if event.acted_on <= as_of]
        done = _posted(channel)
        fresh: list[tuple[CurrentEvent, postings.Rule, SettlementPosting]] = []
        days = _PostingDays(as_of)
        for event in known:
            rule = postings.rule_for(event.action, event.transaction_type, event.balance_impacting)
            if rule is None or (event.agreement_id is None and not is_payment(event.transaction_type)):
                continue
            # Rounding: feeds carry up to eight decimals, journals whole minor units.
            amount = quantize(event.amount, event.currency)
            posted, sequence = done.get(event.event_id, (ZERO, 0))
            if amount != posted:
                fresh.append(
                    (event, rule, _posting(channel, event, rule, amount - posted, sequence + 1, days))
                )
        SettlementPosting.objects.bulk_create(posting for _event, _rule, posting in fresh)
        shares = _shares(known, [event for event, _rule, _posting in fresh])
        written = ledger.post([_entry(event, rule, posting, shares) for event, rule, posting in fresh])
        if fresh:
            outbox.publish(
                type=events.SETTLEMENT_POSTED,
                aggregate=f"partners.channel:{channel.pk}",
                payload={"channel": channel.code, "journals": written, "as_of": as_of.isoformat()},
            )
        return written


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


def _shares(known: Sequence[CurrentEvent], fresh: Sequence[CurrentEvent]) -> dict[str, list[postings.Share]]:
    """Per payment, what its lines settle: the buyer's price against our invoice, the rest against the
    agreement.
    """
    wanted = {event.event_id for event in fresh if event.transaction_type == "DISBURSEMENT"}
    wanted |= {event.parent_id for event in fresh if event.transaction_type == "DISBURSEMENT_FAILURE"}
    lines = [
        event
        for event in known
        if event.action == "DISBURSED"
        and not is_payment(event.transaction_type)
        and event.disbursement_id in wanted
    ]
    by_id = {event.event_id: event for event in known}
    orders = sorted({line.order_id for line in lines if line.order_id is not None})
    invoices = {(own.order_id, own.month): own.pk for own in own_invoices(orders) if own.kind == "invoice"}
    shares: dict[str, list[postings.Share]] = defaultdict(list)
    for line in lines:
        parent = by_id.get(line.parent_id)
        invoice_id = None
        if line.transaction_type == "SELLER_REV_SHARE" and parent is not None and line.order_id is not None:
            invoice_id = invoices.get((line.order_id, parent.month))
        about = f"billing.invoice:{invoice_id}" if invoice_id else postings.reference(line.agreement_id)
        amount = -quantize(line.amount, line.currency)
        shares[line.disbursement_id].append(postings.Share(amount, line.customer_id, about))
    return shares


def _entry(
    event: CurrentEvent,
    rule: postings.Rule,
    posting: SettlementPosting,
    shares: dict[str, list[postings.Share]],
) -> ledger.Entry:
    if event.transaction_type == "DISBURSEMENT_FAILURE":
        returned = [
            postings.Share(-share.amount, share.party_id, share.reference)
            for share in shares[event.parent_id]
        ]
        return postings.payment_entry(posting, rule, returned)
    if event.transaction_type == "DISBURSEMENT":
        # A corrected payment posts its difference without lines: its lines were settled the first time.
        lines = shares[event.event_id] if posting.sequence == 1 else []
        return postings.payment_entry(posting, rule, lines)
    share = postings.Share(posting.amount, event.customer_id, postings.reference(event.agreement_id))
    return postings.billed_entry(posting, rule, share)
