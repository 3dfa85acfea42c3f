"""Legs L1 and L2: frozen against accepted, what AWS should have against the daily-usage feed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from partners.domain.legs import Item, compare
from partners.models import MeteringRecord
from partners.selectors.metered import at_aws_by_day, feed_by_day, months
from partners.selectors.metering import unsent
from partners.services.breaks import Found
from partners.services.legs.context import Checked, Context, found

READ_BACK_DAYS = 62
"""How far back the read-back compares: two months cover every restatement seen in the feeds."""
FEED_LAG = timedelta(days=2)


def submission(context: Context) -> Checked:
    """L1: what was frozen against what AWS accepted. Held and lost hours have their breaks from sending."""
    totals = months(context.channel.pk, context.as_of)
    left = {(row.dimension_id, row.month): row.frozen for row in totals}
    right = {(row.dimension_id, row.month): row.accepted for row in totals}
    leg = compare("L1", left, right)
    window = context.sheet.metering.window
    waiting = unsent().filter(dimension__agreement__channel=context.channel).select_related("dimension")
    late = [record for record in waiting if window.alarm(record.hour, context.as_of) in ("warn", "page")]
    return Checked(
        leg,
        context.currency,
        [_missing(context, record) for record in late],
        keep=frozenset({"METER_QTY", "METER_REJECT", "METER_LATE", "METER_DATA"}),
    )


def _missing(context: Context, record: MeteringRecord) -> Found:
    item = Item(record.pk, Decimal(record.quantity), Decimal(0))
    return found(
        context,
        "MISSING_METER",
        "L1",
        item,
        key=f"{record.dimension_id}:{record.hour:%Y-%m-%dT%H}",
        period=f"{record.hour:%Y-%m}",
        agreement_id=record.dimension.agreement_id,
        value=record.quantity * record.dimension.rate,
        evidence={"record_id": record.pk, "hour": record.hour.isoformat()},
    )


def read_back(context: Context) -> Checked:
    """L2: what AWS should have against its daily-usage feed, per UTC day, once the feed can have the day.

    An hour that AWS had from before counts with our quantity: the difference is what the earlier call sent.
    """
    end = datetime.combine(context.today - FEED_LAG, datetime.min.time(), UTC) + timedelta(days=1)
    start = end - timedelta(days=READ_BACK_DAYS)
    ours = at_aws_by_day(context.channel.pk, start, end)
    theirs = {
        key: quantity
        for key, quantity in feed_by_day(context.channel.pk).items()
        if start.date() <= key[2] < end.date()
    }
    # A feed that never came is a gap of the feed, not of every single day.
    covered = {key[2].strftime("%Y-%m") for key in theirs}
    due = [key for key in {*ours, *theirs} if key[2].strftime("%Y-%m") in covered]
    leg = compare("L2", ours, theirs, tolerance=context.sheet.tolerances.feed_quantity, only=due)
    rates = {(row.agreement_id, row.dimension): row.rate for row in months(context.channel.pk, end)}
    return Checked(leg, context.currency, [_quantity(context, item, rates) for item in leg.differing])


def _quantity(context: Context, item: Item, rates: dict[tuple[int, str], Decimal]) -> Found:
    agreement_id, dimension, day = item.key
    if agreement_id is None:
        kind = "IDENTITY"
    elif not item.left:
        kind = "EXTRA"
    else:
        kind = "QUANTITY"
    rate = rates.get((agreement_id, dimension), Decimal(0))
    return found(
        context,
        kind,
        "L2",
        item,
        key=f"{agreement_id}:{dimension}:{day}",
        period=f"{day:%Y-%m}",
        agreement_id=agreement_id,
        value=item.delta * rate,
        evidence={"dimension": dimension, "day": day.isoformat()},
    )
