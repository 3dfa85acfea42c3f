"""Reconciling a channel by legs: metered, accepted, billed by AWS, billed by us, fee, paid, proven, received,
given back, booked.

Each leg compares two independent sides, states its tolerance, records its totals and leaves typed breaks
(reference: marketplaces, 4). Running it twice on the same facts raises nothing new.
"""

from collections.abc import Callable
from datetime import datetime

from o2c import locks
from o2c.access import require
from o2c.actor import Actor, acting
from partners.models import AwsAgreement, Channel, ReconciliationRun
from partners.selectors.events import current
from partners.services import breaks, refund_matching
from partners.services.legs import bank as bank_legs
from partners.services.legs import billing as billing_legs
from partners.services.legs import metering as metering_legs
from partners.services.legs import payment as payment_legs
from partners.services.legs import refunds as refund_legs
from partners.services.legs.context import Checked, Context

RULE_VERSION = "2026-11"

LEGS: tuple[Callable[[Context], Checked], ...] = (
    metering_legs.submission,
    metering_legs.read_back,
    billing_legs.price,
    billing_legs.own_invoice,
    billing_legs.schedule,
    billing_legs.fee,
    payment_legs.settlement,
    payment_legs.proof,
    bank_legs.bank,
    refund_legs.requested,
    refund_legs.credited,
    payment_legs.notices,
    payment_legs.books,
)


def run(channel: Channel, *, as_of: datetime, actor: Actor, reason: str = "") -> list[ReconciliationRun]:
    """Compare every leg as of a moment; raise, refresh and clear breaks; return the legs' totals.

    Refunds that we asked for and the feed shows are confirmed first.
    """
    with acting(actor, reason=reason or "reconciliation"):
        locks.row(Channel, channel.pk)
        require(actor, "partners.reconciliation.run", record=channel.name)
        events = [event for event in current(channel.pk) if event.acted_at <= as_of]
        refund_matching.match(channel, events)
        context = Context(
            channel=channel,
            sheet=channel.sheet,
            as_of=as_of,
            events=events,
            agreements={row.pk: row for row in AwsAgreement.objects.filter(channel=channel)},
        )
        return [_record(context, leg(context)) for leg in LEGS]


def _record(context: Context, checked: Checked) -> ReconciliationRun:
    breaks.raise_many(context.channel.pk, checked.found, as_of=context.as_of)
    breaks.clear_gone(
        context.channel.pk,
        checked.leg.name,
        [(item.type, item.key) for item in checked.found],
        as_of=context.as_of,
        keep=checked.keep,
    )
    leg = checked.leg
    return ReconciliationRun.objects.create(
        channel=context.channel,
        leg=leg.name,
        currency=checked.currency,
        as_of=context.as_of,
        rule_version=RULE_VERSION,
        left_total=leg.left,
        right_total=leg.right,
        explained=sum((item.delta for item in leg.items), start=leg.left - leg.left),
        compared=len(leg.items),
        differing=len(leg.differing),
    )
