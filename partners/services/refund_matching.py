"""Requests for refunds and our credit memos found again: in the feed, and in our books."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from billing.models import Invoice
from partners.models import Channel, MarketplaceRefund, RefundLine
from partners.selectors.events import CurrentEvent
from partners.selectors.refunds import answered, given_back, matched_lines

State = MarketplaceRefund.State


def match(channel: Channel, events: Sequence[CurrentEvent]) -> int:
    """Confirm what the feed shows, and name the credit memo that books it. Inside the caller's `acting`.

    A line answers one request and a credit memo books one refund: unique keys hold both. Returns how many
    requests were confirmed.
    """
    submitted = list(
        MarketplaceRefund.objects.select_for_update(of=("self",))
        .filter(agreement__channel=channel, state=State.SUBMITTED)
        .order_by("pk")
    )
    known = matched_lines(channel.pk)
    fresh = [line for line in given_back(events) if line.event.event_id not in known]
    confirmed = answered(submitted, fresh)
    for refund, lines in confirmed:
        refund.confirm()
        refund.confirmed_on = lines[0].event.acted_on
        refund.save()
        RefundLine.objects.bulk_create(
            RefundLine(
                refund=refund, channel=channel, billing_event_id=line.event.event_id, amount=line.amount
            )
            for line in lines
        )
    _book(channel)
    return len(confirmed)


def _book(channel: Channel) -> None:
    """The oldest posted credit memo of the order over the same net that books no other refund."""
    unbooked = list(
        MarketplaceRefund.objects.select_for_update(of=("self",))
        .filter(agreement__channel=channel, state=State.CONFIRMED, credit_memo=None)
        .select_related("agreement")
        .order_by("pk")
    )
    free = credit_memos([refund.agreement.order_id for refund in unbooked])
    for refund in unbooked:
        memos = free[refund.agreement.order_id, refund.amount]
        if memos:
            refund.credit_memo = memos.pop(0)
            refund.save()


def credit_memos(order_ids: Sequence[int]) -> dict[tuple[int, Decimal], list[Invoice]]:
    """Posted credit memos that book no refund yet, by order and net (positive), oldest first."""
    found: dict[tuple[int, Decimal], list[Invoice]] = defaultdict(list)
    rows = Invoice.objects.filter(
        order_id__in=order_ids, kind=Invoice.Kind.CREDIT_MEMO, state=Invoice.State.POSTED,
        marketplace_refund=None,
    ).exclude(channel=Invoice.Channel.DIRECT)  # fmt: skip
    for memo in rows.order_by("pk"):
        if memo.order_id is not None:
            found[memo.order_id, -memo.net].append(memo)
    return found
