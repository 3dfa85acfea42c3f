"""Marketplace agreements: opened on an order, identified, activated, ended."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from o2c import clock, locks, numbering, outbox
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import Conflict, InvalidInput
from orders.models import Order, OrderLine
from partners import events
from partners.models import AgreementDimension, AgreementIdentity, AwsAgreement, Channel

ADDITIVE = ("sum", "count")
"""Aggregations whose hours add up to the month."""


@dataclass(frozen=True, slots=True)
class IdentityTuple:
    """Every id of a buyer at AWS; empty where unknown. Ids are text, trimmed."""

    product_code: str
    customer_identifier: str = ""
    aws_account_id: str = ""
    license_arn: str = ""
    product_id: str = ""
    agreement_ref: str = ""
    offer_id: str = ""
    payer_account_id: str = ""

    def trimmed(self) -> dict[str, str]:
        return {name: value.strip() for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class DimensionInput:
    """A dimension of the AWS product: `per_unit` of the line's meter make one unit, listed at `rate`."""

    key: str
    line_id: int
    per_unit: Decimal
    rate: Decimal


def open_agreement(
    order_id: int,
    *,
    channel: Channel,
    identity: IdentityTuple,
    dimensions: Sequence[DimensionInput],
    actor: Actor,
    programme: str = AwsAgreement.Programme.PUBLIC,
    total_contract_value: Decimal = Decimal(0),
    source: str = "agreement",
    reason: str = "",
) -> AwsAgreement:
    """Link an AWS agreement to an order of channel aws and say what is metered.

    Raises InvalidInput when the order is not sold through AWS or not kept in UTC, a dimension's line is not
    metered usage of this order, or the ids name no buyer.
    """
    with acting(actor, reason=reason):
        order = locks.row(Order, order_id)
        require(actor, "partners.agreement.open", record=order.number)
        _check_order(order)
        _check_dimensions(order, dimensions)
        [number] = numbering.take(order.entity_id, "AWS", order.starts_on.year)
        agreement = AwsAgreement.objects.create(
            number=number,
            channel=channel,
            order=order,
            customer_id=order.customer_id,
            entity_id=order.entity_id,
            currency=order.currency,
            programme=programme,
            total_contract_value=total_contract_value,
        )
        AgreementDimension.objects.bulk_create(
            AgreementDimension(
                agreement=agreement,
                key=item.key,
                line_id=item.line_id,
                per_unit=item.per_unit,
                rate=item.rate,
            )
            for item in dimensions
        )
        _append(agreement, identity, source)
        return agreement


def _check_order(order: Order) -> None:
    if order.channel != "aws":
        raise InvalidInput(
            f"The order is sold through channel {order.channel!r}",
            record=order.number,
            remedy="An AWS agreement belongs to an order with channel aws",
        )
    if order.time_zone != "UTC":
        raise InvalidInput(
            f"The order's days begin at midnight in {order.time_zone}",
            record=order.number,
            remedy="AWS bills by the UTC month: give the order the time zone UTC",
        )
    if AwsAgreement.objects.filter(order=order).exists():
        raise Conflict("The order has an AWS agreement already", record=order.number)


def _check_dimensions(order: Order, dimensions: Sequence[DimensionInput]) -> None:
    lines = {
        line.pk: line
        for line in OrderLine.objects.filter(
            order=order, pk__in=[item.line_id for item in dimensions]
        ).select_related("sku__meter")
    }
    for item in dimensions:
        line = lines.get(item.line_id)
        if line is None or line.sku.meter_id is None:
            raise InvalidInput(
                f"Dimension {item.key!r} does not point at a metered line of the order",
                record=order.number,
                remedy="Choose a line whose SKU has a meter",
            )
        if line.sku.meter is not None and line.sku.meter.aggregation not in ADDITIVE:
            raise InvalidInput(
                f"Dimension {item.key!r} meters {line.sku.meter.get_aggregation_display().lower()}",
                record=order.number,
                remedy="Only sums and counts can be sent hour by hour",
            )
        if item.per_unit <= 0:
            raise InvalidInput(f"Dimension {item.key!r} needs a positive unit size", record=order.number)


def _append(agreement: AwsAgreement, identity: IdentityTuple, source: str) -> AgreementIdentity | None:
    """Append the identity if it says something new; what it leaves empty keeps the value known before."""
    known = agreement.identities.order_by("-pk").first()
    fields = identity.trimmed()
    if known is not None:
        fields = {name: value or getattr(known, name) for name, value in fields.items()}
        if all(getattr(known, name) == value for name, value in fields.items()):
            return None
    if not fields["customer_identifier"] and not fields["aws_account_id"]:
        raise InvalidInput(
            "The ids name no buyer",
            record=agreement.number,
            remedy="Give the customer identifier or the AWS account id",
        )
    return AgreementIdentity.objects.create(agreement=agreement, source=source, **fields)


def append_identity(
    pk: int, identity: IdentityTuple, *, source: str, actor: Actor, reason: str = ""
) -> AgreementIdentity | None:
    """Record a changed id; returns None when nothing is new. Earlier ids stay for what was sent under
    them.
    """
    with acting(actor, reason=reason or f"identity from {source}"):
        agreement = locks.row(AwsAgreement, pk)
        require(actor, "partners.agreement.identify", record=agreement.number)
        return _append(agreement, identity, source)


def activate(pk: int, *, actor: Actor, reason: str = "", as_of: datetime | None = None) -> AwsAgreement:
    """Start metering from the hour of `as_of` (default: now). The order must be billable."""
    as_of = as_of or clock.now()
    with acting(actor, reason=reason):
        agreement = locks.row(AwsAgreement, pk)
        require(actor, "partners.agreement.activate", record=agreement.number)
        if agreement.order.state != Order.State.ACTIVE:
            raise Conflict(
                f"Its order {agreement.order.number} is {agreement.order.get_state_display().lower()}",
                record=agreement.number,
                remedy="Activate the order first",
            )
        agreement.activate()
        agreement.started_at = as_of
        agreement.save()
        outbox.publish(
            type=events.AGREEMENT_ACTIVATED,
            aggregate=f"partners.awsagreement:{pk}",
            payload={"agreement_id": pk, "order_id": agreement.order_id},
        )
        return agreement


def end(pk: int, *, actor: Actor, reason: str = "", as_of: datetime | None = None) -> AwsAgreement:
    """Stop metering at `as_of` (default: now). What is unsent goes out in the next run: AWS gives one
    hour.
    """
    as_of = as_of or clock.now()
    with acting(actor, reason=reason):
        agreement = locks.row(AwsAgreement, pk)
        require(actor, "partners.agreement.end", record=agreement.number)
        agreement.end()
        agreement.ended_at = as_of
        agreement.save()
        outbox.publish(
            type=events.AGREEMENT_ENDED,
            aggregate=f"partners.awsagreement:{pk}",
            payload={"agreement_id": pk, "order_id": agreement.order_id},
        )
        return agreement
