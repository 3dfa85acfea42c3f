"""The buyer who came through AWS Marketplace: agreement, hourly metering, feeds and settlement.

The walk talks to the stand-in of AWS through boto3, on a loopback socket. The stand-in remembers in a file,
so a walk that goes on finds there what AWS was sent; its feeds are made from that, not from our own tables.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from o2c.access.system import system_actor
from o2c.demo.walk.cast import Cast
from o2c.ledger.models import LegalEntity
from orders.models import Order, OrderLine
from partners.aws.client import BotoMetering, UsageRecord
from partners.aws.connection import journal_path
from partners.aws.demo_feed import Contract, feed_of, generate
from partners.aws.fake import Buyer
from partners.aws.fake_server import FakeServer, running
from partners.domain.fees import rate_for
from partners.models import AwsAgreement, Channel, MeteringRecord
from partners.selectors.metering import unsent
from partners.services import (
    agreements,
    channels,
    feeds,
    metering,
    reconcile,
    registration,
    sending,
    settlement,
)

REASON = "Demonstration company"
SELLER_ACCOUNT = "640918273355"
PRODUCT_CODE = "9k2f7lumenapi04x1qexample"
PRODUCT_ID = "prod-lumenapi4xq2e"
PER_UNIT = Decimal(1000)
STEP = dt.timedelta(hours=5)
GRACE = dt.timedelta(minutes=15)
HOUR = dt.timedelta(hours=1)
RETURNED_MONTH = "2026-08"
"""The bank returns AWS's first payment, and AWS pays again two days later."""
TEST_CALL = dt.datetime(2026, 10, 14, 9, tzinfo=dt.UTC)
"""Somebody tried the metering API by hand for this hour: AWS holds another quantity than we send."""
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Aws:
    """The stand-in and a client of it."""

    server: FakeServer
    client: BotoMetering

    def at(self, moment: dt.datetime) -> dt.datetime:
        self.server.clock.fixed = moment
        return moment


@contextmanager
def aws() -> Iterator[Aws]:
    """The marketplace, for as long as the context lasts. A database without agreements begins a new file."""
    journal = journal_path()
    if not AwsAgreement.objects.exists():
        journal.unlink(missing_ok=True)
    with running(journal=journal) as server:
        yield Aws(server, BotoMetering(endpoint_url=server.url, stand_in=True))


def subscribe(cast: Cast, entity: LegalEntity, market: Aws) -> int:
    """Link every order of channel aws to its agreement, let its buyer register, start metering.

    Returns the number of agreements. Agreements that exist stay as they are.
    """
    channel = channels.ensure_aws(
        entity_id=entity.pk, seller_account=SELLER_ACCOUNT, actor=cast.petra, reason=REASON
    )
    orders = Order.objects.filter(channel="aws", state=Order.State.ACTIVE, aws_agreement__isnull=True)
    for order in orders.order_by("pk"):
        lines = list(order.lines.select_related("sku__meter").filter(sku__kind="usage").order_by("position"))
        agreement = agreements.open_agreement(
            order.pk,
            channel=channel,
            identity=_identity(order),
            dimensions=[_dimension(line) for line in lines],
            actor=cast.petra,
            reason="Offer accepted at AWS Marketplace",
        )
        started = max(dt.datetime.combine(order.starts_on, dt.time(), dt.UTC), _first_hour())
        _register(agreement, channel, market, started)
        agreements.activate(agreement.pk, actor=cast.petra, as_of=started, reason="subscribe-success")
    return AwsAgreement.objects.filter(channel=channel).count()


def _first_hour() -> dt.datetime:
    return dt.datetime(2026, 8, 1, tzinfo=dt.UTC)


def _identity(order: Order) -> agreements.IdentityTuple:
    return agreements.IdentityTuple(
        product_code=PRODUCT_CODE,
        customer_identifier=f"Zq7{order.pk:05d}LumenBuyer",
        aws_account_id=f"{731_000_000_000 + order.pk}",
        license_arn=f"arn:aws:license-manager:us-east-1:{SELLER_ACCOUNT}:license:l-{order.pk:032x}",
        product_id=PRODUCT_ID,
        agreement_ref=f"agmt-{order.pk:08d}lumenapi",
        offer_id=f"offer-{order.pk:08d}lumen",
    )


def _dimension(line: OrderLine) -> agreements.DimensionInput:
    """The line's own price for a thousand units; AWS meters whole numbers."""
    segment = line.segments.select_related("price").order_by("sequence")[0]
    unit_amount = Decimal(segment.price.spec["unit_amount"])
    key = line.sku.code.lower().replace("-", "_") + "_1k"
    return agreements.DimensionInput(key, line.pk, PER_UNIT, unit_amount * PER_UNIT)


def _buyer(agreement: AwsAgreement, subscribed: dt.datetime) -> Buyer:
    identity = agreement.identities.latest("pk")
    return Buyer(
        identity.customer_identifier,
        identity.aws_account_id,
        identity.license_arn,
        identity.product_code,
        identity.product_id,
        identity.agreement_ref,
        identity.offer_id,
        subscribed.isoformat(),
    )


def _register(agreement: AwsAgreement, channel: Channel, market: Aws, at: dt.datetime) -> None:
    """The buyer accepts at AWS and comes to our page with the token."""
    market.at(at)
    keys = set(agreement.dimensions.values_list("key", flat=True))
    known = market.server.metering.dimensions.get(PRODUCT_CODE, set())
    market.server.metering.add_product(PRODUCT_CODE, known | keys)
    token = market.server.metering.subscribe(_buyer(agreement, at))
    registration.register(
        token, channel=channel, client=market.client, as_of=at, actor=system_actor("aws"), reason=REASON
    )


def meter(cast: Cast, since: dt.date, until: dt.date, market: Aws, advance: Advance) -> int:
    """Freeze and send the hours of [since, until) in the rhythm of the clock; returns the hours accepted.

    Every five hours, so that each hour is well within AWS's window. Hours that were sent are left alone.
    """
    if not AwsAgreement.objects.exclude(state=AwsAgreement.State.PENDING).exists():
        return 0
    end = dt.datetime.combine(until, dt.time(), dt.UTC)
    newest = MeteringRecord.objects.order_by("-hour").values_list("hour", flat=True).first()
    moment = max(dt.datetime.combine(since, dt.time(), dt.UTC), newest + HOUR if newest else _first_hour())
    accepted = 0
    while moment < end or unsent().exists():
        moment = min(moment + STEP, end)
        now = market.at(moment + GRACE)
        metering.freeze_due(as_of=now, actor=cast.aws)
        _try_by_hand(market, now)
        sent = sending.send_due(as_of=now, client=market.client, actor=cast.aws)
        accepted += sent.accepted
        advance(sent.accepted)
        if moment == end:
            break
    return accepted


def _try_by_hand(market: Aws, now: dt.datetime) -> None:
    """The test call of TEST_CALL, made before the regular one: AWS keeps the first quantity it hears."""
    if not TEST_CALL < now <= TEST_CALL + STEP + HOUR:
        return
    record = (
        unsent()
        .filter(hour=TEST_CALL, quantity__gt=0)
        .select_related("dimension", "identity")
        .order_by("pk")
        .first()
    )
    if record is None:
        return
    identity = record.identity
    call = UsageRecord(
        key=record.pk,
        timestamp=record.hour,
        dimension=record.dimension.key,
        quantity=record.quantity + 500,
        aws_account_id=identity.aws_account_id,
        license_arn=identity.license_arn,
    )
    market.client.batch_meter_usage(identity.product_code, [call])


def settle(cast: Cast, on: dt.date, market: Aws) -> int:
    """Import the feeds as AWS has them by the morning of `on`, post fees and payments, reconcile every leg.

    Returns the number of journals. Twice is as good as once.
    """
    channel = Channel.objects.filter(code=channels.AWS).first()
    if channel is None:
        return 0
    as_of = dt.datetime.combine(on, dt.time(6, 30), dt.UTC)
    files = generate(market.server.metering.held, _contracts(channel, on), as_of)
    for path, text in sorted(files.items()):
        feeds.import_text(
            text,
            name=path,
            feed=feed_of(path),
            channel=channel,
            snapshot_at=as_of,
            actor=cast.aws,
            reason="Daily feed",
        )
    written = settlement.post(channel, as_of=on, actor=cast.aws, reason="Daily feed")
    if not channel.reconciliations.filter(as_of=as_of).exists():
        reconcile.run(channel, as_of=as_of, actor=cast.aws, reason="Daily feed")
    return written


def _contracts(channel: Channel, on: dt.date) -> list[Contract]:
    """What AWS knows of each agreement: its listed rates and its own fee."""
    sheet = channel.sheet
    found = []
    for agreement in AwsAgreement.objects.filter(channel=channel).order_by("pk"):
        identity = agreement.identities.latest("pk")
        fee_rate = rate_for(
            sheet.fees,
            product_type=agreement.product_type,
            programme=agreement.programme,
            tcv=agreement.total_contract_value,
            on=on,
        )
        found.append(
            Contract(
                agreement_id=identity.agreement_ref,
                account_id=identity.aws_account_id,
                product_id=identity.product_id,
                offer_id=identity.offer_id,
                seller_account=SELLER_ACCOUNT,
                currency=agreement.currency,
                rates={row.key: row.rate for row in agreement.dimensions.all()},
                fee_rate=fee_rate,
                failing_months=frozenset({RETURNED_MONTH}),
            )
        )
    return found
