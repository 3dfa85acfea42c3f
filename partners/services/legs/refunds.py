"""Legs L9R and L9M: refunds that we asked for against the feed's, and the feed's against our credit memos."""

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

from partners.domain.legs import Item, compare
from partners.models import MarketplaceRefund
from partners.selectors.refunds import GivenBack, given_back, matched_lines
from partners.services.breaks import Found
from partners.services.legs.context import Checked, Context, found
from partners.services.refund_matching import credit_memos

ZERO = Decimal(0)
SHOWN_WITHIN = timedelta(days=10)
"""AWS shows a refund in one to two days and pays within five working days (reference: marketplaces, 1.10)."""
State = MarketplaceRefund.State


def requested(context: Context) -> Checked:
    """L9R: each request with AWS against the lines that answer it. A line without one was not asked for."""
    lines = {line.event.event_id: line for line in given_back(context.events)}
    matched = matched_lines(context.channel.pk)
    refunds = {
        str(row): row
        for row in MarketplaceRefund.objects.filter(
            agreement__channel=context.channel, state__in=[State.SUBMITTED, State.CONFIRMED]
        ).select_related("file")
    }
    by_pk = {row.pk: key for key, row in refunds.items()}
    left = {key: row.amount for key, row in refunds.items()}
    right: dict[str, Decimal] = defaultdict(Decimal)
    for event_id, line in lines.items():
        right[by_pk[matched[event_id]] if event_id in matched else event_id] += line.amount
    due = [key for key in {*left, *right} if key not in refunds or _due(context, refunds[key])]
    leg = compare("L9R", left, right, only=due)
    rows = [
        _missing(context, item, refunds[item.key])
        if item.key in refunds
        else _unknown(context, item, lines[item.key])
        for item in leg.differing
    ]
    return Checked(leg, context.currency, rows)


def _due(context: Context, refund: MarketplaceRefund) -> bool:
    assert refund.file is not None
    return refund.state == State.CONFIRMED or refund.file.made_at + SHOWN_WITHIN < context.as_of


def _missing(context: Context, item: Item, refund: MarketplaceRefund) -> Found:
    return found(
        context, "REFUND_MISSING", "L9R", item, key=str(refund), period=f"{refund.requested_on:%Y-%m}",
        agreement_id=refund.agreement_id,
        evidence={"refund": str(refund), "invoice": refund.invoice_ref, "request": refund.adjustment_ref},
    )  # fmt: skip


def _unknown(context: Context, item: Item, line: GivenBack) -> Found:
    return found(
        context, "REFUND_UNKNOWN", "L9R", item, key=line.event.event_id, period=line.event.month,
        agreement_id=line.event.agreement_id, value=line.amount,
        evidence={"transaction_type": line.event.transaction_type, "invoice": line.invoice_ref},
    )  # fmt: skip


def credited(context: Context) -> Checked:
    """L9M: a refund in the feed posts nothing, the credit memo of our invoice does: each has one."""
    matched = matched_lines(context.channel.pk)
    orders = {row.pk: row.order_id for row in context.agreements.values()}
    free = credit_memos(sorted(orders.values()))
    booked = dict(
        MarketplaceRefund.objects.filter(
            agreement__channel=context.channel, credit_memo__isnull=False
        ).values_list("pk", "credit_memo__net")
    )
    left: dict[str, Decimal] = defaultdict(Decimal)
    right: dict[str, Decimal] = {}
    about: dict[str, GivenBack] = {}
    for line in given_back(context.events):
        refund = matched.get(line.event.event_id)
        key = f"refund:{refund}" if refund else line.event.event_id
        left[key] += line.amount
        about.setdefault(key, line)
        if refund in booked:
            right[key] = -booked[refund]
        elif refund is None and line.event.agreement_id in orders:
            memos = free[orders[line.event.agreement_id], line.amount]
            right[key] = -memos.pop(0).net if memos else ZERO
    leg = compare("L9M", left, right)
    rows = [
        found(
            context, "REFUND_UNBOOKED", "L9M", item, key=str(item.key), period=about[item.key].event.month,
            agreement_id=about[item.key].event.agreement_id,
            evidence={"invoice": about[item.key].invoice_ref},
        )
        for item in leg.differing
    ]  # fmt: skip
    return Checked(leg, context.currency, rows)
