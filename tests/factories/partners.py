"""An AWS Marketplace agreement for tests, made through the services, and usage for it.

team = partner_team()                              # holds every duty of partners and orders
shop = make_shop(team)                             # channel, active order of channel aws, active agreement
use(shop, hour(10, 8), "1500")                     # 1,500 tokens on 10 August, 08:00 UTC
with fake_aws(shop) as aws: ...                    # the service on a loopback socket, its clock at aws.clock
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from billing.models import Invoice, UsageBatch, UsageDimensions, UsageEvent, UsageHour, UsageSource
from o2c.access.models import Role, User
from o2c.actor import Actor, acting
from o2c.ledger import services as books
from o2c.ledger.models import AccountingPeriod
from o2c.periods import add_months, month_of
from orders import duties as orders_duties
from orders.models import Order, OrderLine
from partners import duties as partners_duties
from partners.aws.client import BotoMetering
from partners.aws.demo_feed import Contract, feed_of, generate
from partners.aws.fake import Buyer
from partners.aws.fake_server import FakeServer, running
from partners.models import AwsAgreement, Channel, FeedFile
from partners.services import agreements, channels
from partners.services.agreements import DimensionInput, IdentityTuple
from partners.services.feeds import import_text
from tests.factories.access import make_role, make_user
from tests.factories.billing import bill, billing_team
from tests.factories.orders import line, make_customer, make_entity, make_order

SELLER_ACCOUNT = "111122223333"
PRODUCT_CODE = "lumen0api0example"
PRODUCT_ID = "prod-lumenexample1"
STARTED = datetime(2026, 8, 1, tzinfo=UTC)


def hour(day: int, hour_: int, minute: int = 0, *, month: int = 8) -> datetime:
    """A moment of 2026 in UTC."""
    return datetime(2026, month, day, hour_, minute, tzinfo=UTC)


def partner_team(username: str = "partner-team") -> Actor:
    """Somebody who holds every duty of partners and orders, and may open the books; made once."""
    user = User.objects.filter(username=username).first()
    if user is None:
        code = f"{username}-role"
        if not Role.objects.filter(code=code).exists():
            known = {**partners_duties.DUTIES, **orders_duties.DUTIES}
            extra = ["ledger.period.open", "billing.marketplace.settle", "partners.read", "orders.read"]
            make_role(code, [*known, *extra])
        user = make_user(username, code, excused=True)  # one person sets the stage
    return Actor.of(user)


@dataclass(frozen=True)
class Shop:
    """What a test has in hand."""

    team: Actor
    channel: Channel
    order: Order
    line: OrderLine
    agreement: AwsAgreement

    @property
    def buyer(self) -> Buyer:
        """The buyer as AWS knows it."""
        identity = self.agreement.identities.latest("pk")
        return Buyer(
            identity.customer_identifier,
            identity.aws_account_id,
            identity.license_arn,
            identity.product_code,
            identity.product_id,
            identity.agreement_ref,
            identity.offer_id,
            STARTED.isoformat(),
        )


def licence(number: int) -> str:
    return f"arn:aws:license-manager:us-east-1:{SELLER_ACCOUNT}:license:l-{number:032x}"


def identity(number: int = 1, **values: str) -> IdentityTuple:
    """Every id of the buyer with this number."""
    known = {
        "product_code": PRODUCT_CODE,
        "customer_identifier": f"cust{number:08d}",
        "aws_account_id": f"{number:012d}",
        "license_arn": licence(number),
        "product_id": PRODUCT_ID,
        "agreement_ref": f"agmt-example{number:04d}",
        "offer_id": f"offer-example{number:04d}",
    }
    return IdentityTuple(**{**known, **values})


def make_channel(team: Actor) -> Channel:
    """AWS Marketplace for our US entity, with open books for August to November 2026."""
    entity = make_entity("US")
    for month in (8, 9, 10, 11):
        if not AccountingPeriod.objects.filter(entity=entity, name=f"2026-{month:02d}").exists():
            books.open_periods(entity, month_of(datetime(2026, month, 1).date()), actor=team)
    return channels.ensure_aws(entity_id=entity.pk, seller_account=SELLER_ACCOUNT, actor=team)


def make_shop(
    team: Actor,
    number: int = 1,
    *,
    per_unit: str = "1000",
    rate: str = "0.0025",
    active: bool = True,
    **terms: Any,
) -> Shop:
    """One agreement that meters tokens in units of `per_unit` at `rate` dollars a unit."""
    channel = make_channel(team)
    customer = make_customer(team, name=f"Buyer {number}")
    order = make_order(
        team,
        customer,
        [line("TOKENS", timing="arrears")],
        state="active",
        terms={"channel": "aws", "time_zone": "UTC", **terms},
    )
    order_line = order.lines.get()
    agreement = agreements.open_agreement(
        order.pk,
        channel=channel,
        identity=identity(number),
        dimensions=[DimensionInput("tokens_1k", order_line.pk, Decimal(per_unit), Decimal(rate))],
        actor=team,
    )
    if active:
        agreement = agreements.activate(agreement.pk, actor=team, as_of=STARTED)
    return Shop(team, channel, order, order_line, agreement)


def use(shop: Shop, at: datetime, quantity: str) -> None:
    """Add metered usage to an hour: an event, and the hour's total as the intake would hold it."""
    meter = shop.line.sku.meter
    assert meter is not None
    with acting(shop.team, reason="test usage"):
        dimensions, _ = UsageDimensions.objects.get_or_create(key="{}", defaults={"values": {}})
        row, made = UsageHour.objects.get_or_create(
            line=shop.line,
            hour=at,
            dimensions=dimensions,
            defaults={
                "customer_id": shop.order.customer_id,
                "meter": meter,
                "quantity": Decimal(quantity),
                "event_count": 1,
            },
        )
        if not made:
            row.quantity += Decimal(quantity)
            row.event_count += 1
            row.save()
        source, _ = UsageSource.objects.get_or_create(code="shop")
        UsageEvent.objects.create(
            source=source,
            event_id=str(uuid4()),
            line=shop.line,
            dimensions=dimensions,
            occurred_at=at,
            quantity=Decimal(quantity),
            batch=UsageBatch.objects.create(
                source=source, channel="api", received=1, accepted=1, duplicate=0, parked=0
            ),
        )


def bill_month(shop: Shop, month: int) -> Invoice:
    """Our own invoice of the order for a month of 2026, through a bill run released by a second person."""
    first = datetime(2026, month, 1).date()
    run = bill(billing_team(), add_months(first, 1))
    return Invoice.objects.get(run=run, order=shop.order)


def feeds(aws: Aws, shops: Sequence[Shop], as_of: datetime, **values: Any) -> dict[str, str]:
    """The month files that AWS would have delivered by a moment, for what it metered."""
    contracts = [
        Contract(
            agreement_id=shop.buyer.agreement_id,
            account_id=shop.buyer.aws_account_id,
            product_id=shop.buyer.product_id,
            offer_id=shop.buyer.offer_id,
            seller_account=SELLER_ACCOUNT,
            currency="USD",
            rates={row.key: row.rate for row in shop.agreement.dimensions.all()},
            fee_rate=Decimal("0.03"),
            **values,
        )
        for shop in shops
    ]
    return generate(aws.usage, contracts, as_of)


def deliver(shop: Shop, files: dict[str, str], as_of: datetime) -> list[FeedFile]:
    """Import the files as they stand at a moment."""
    return [
        import_text(
            text, name=path, feed=feed_of(path), channel=shop.channel, snapshot_at=as_of, actor=shop.team
        )
        for path, text in sorted(files.items())
    ]


@dataclass
class Aws:
    """The stand-in and a real boto3 client that talks to it."""

    server: FakeServer
    client: BotoMetering

    def set_clock(self, now: datetime) -> datetime:
        self.server.clock.fixed = now
        return now

    @property
    def usage(self) -> list[dict[str, Any]]:
        return self.server.metering.held

    @property
    def requests(self) -> list[tuple[str, int]]:
        return self.server.metering.requests


@contextmanager
def fake_aws(*shops: Shop, accepts_hours: int = 24) -> Iterator[Aws]:
    """The service on a loopback socket with these buyers subscribed."""
    with running(accepts_hours=accepts_hours) as server:
        server.metering.add_product(PRODUCT_CODE, {"tokens_1k", "seats"})
        for shop in shops:
            server.metering.subscribe(shop.buyer)
        yield Aws(server, BotoMetering(endpoint_url=server.url, stand_in=True))
