"""Usage hours: frozen once, sent once, answers kept.

Freezing is a difference: what the dimension has used in all so far, minus what earlier records accounted
for. So usage that arrives late for a frozen hour goes out with the next hour, and a second run finds nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from o2c.access import require
from o2c.actor import Actor, acting
from partners.domain.carry import FrozenHour, HourUsage, freeze
from partners.models import AgreementDimension, AgreementIdentity, MeteringRecord
from partners.selectors import metering as reads

HOUR = timedelta(hours=1)


def freeze_due(*, as_of: datetime, actor: Actor, reason: str = "") -> int:
    """Freeze every closed hour of every metered dimension; returns the number of new records.

    An hour is closed when it ended at least the sheet's grace ago. Two runs at once wait for each other on
    the dimensions' rows; the second finds nothing left.
    """
    with acting(actor, reason=reason or "hourly metering"):
        require(actor, "partners.metering.freeze")
        # The lock, in the order of the primary key: one freezer per dimension at a time.
        locked = reads.metered_dimensions().select_for_update(of=("self",))
        dimensions = {dimension.pk: dimension for dimension in locked}
        positions = reads.positions(dimensions)
        spans = {
            dimension.pk: span
            for dimension in dimensions.values()
            if (span := _span(dimension, positions.get(dimension.pk), as_of)) is not None
        }
        if not spans:
            return 0
        used = reads.usage(list(spans.values()))
        identities = _identities([dimensions[pk].agreement_id for pk in spans])
        records: list[MeteringRecord] = []
        for pk, span in spans.items():
            dimension = dimensions[pk]
            position = positions.get(pk) or reads.Position(pk, None, Decimal(0), Decimal(0))
            records += _records(dimension, identities[dimension.agreement_id], span, position, used)
        MeteringRecord.objects.bulk_create(records, batch_size=2000)
        return len(records)


def _span(
    dimension: AgreementDimension, position: reads.Position | None, as_of: datetime
) -> reads.Span | None:
    """The hours to freeze now, or None when there is none."""
    agreement = dimension.agreement
    assert agreement.started_at is not None
    started = _hour(agreement.started_at)
    first_new = position.last_hour + HOUR if position and position.last_hour else started
    through = _hour(as_of - agreement.channel.sheet.metering.freeze_grace)
    if agreement.ended_at is not None:
        through = min(through, _hour(agreement.ended_at + HOUR - timedelta(microseconds=1)))
    if first_new >= through:
        return None
    return reads.Span(dimension.pk, dimension.line_id, started, first_new, through)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _identities(agreement_ids: list[int]) -> dict[int, AgreementIdentity]:
    """The newest identity of each agreement."""
    newest = (
        AgreementIdentity.objects.filter(agreement_id__in=agreement_ids)
        .order_by("agreement_id", "-pk")
        .distinct("agreement_id")
    )
    return {identity.agreement_id: identity for identity in newest}


def _records(
    dimension: AgreementDimension,
    identity: AgreementIdentity,
    span: reads.Span,
    position: reads.Position,
    used: dict[tuple[int, datetime | None], Decimal],
) -> list[MeteringRecord]:
    """The frozen hours of one dimension as rows."""
    late = used.get((dimension.pk, None), Decimal(0)) - position.total_used
    hours = []
    hour = span.first_new
    while hour < span.through:
        hours.append(HourUsage(hour, used.get((dimension.pk, hour), Decimal(0)), late))
        late = Decimal(0)
        hour += HOUR
    total = position.total_used
    records = []
    for frozen in freeze(hours, carry_in=position.carry, per_unit=dimension.per_unit):
        total += frozen.used + frozen.late
        records.append(_record(dimension, identity, frozen, total))
    return records


def _record(
    dimension: AgreementDimension, identity: AgreementIdentity, frozen: FrozenHour, total: Decimal
) -> MeteringRecord:
    return MeteringRecord(
        dimension=dimension,
        identity=identity,
        hour=frozen.hour,
        used=frozen.used,
        late=frozen.late,
        carry_in=frozen.carry_in,
        quantity=frozen.quantity,
        per_unit=dimension.per_unit,
        carry_out=frozen.carry_out,
        total_used=total,
    )


@dataclass
class Unfrozen:
    """A metered dimension whose freezing is behind: an alarm of its own, since nothing unsent shows it."""

    dimension: AgreementDimension
    frozen_through: datetime | None


def behind(*, as_of: datetime) -> list[Unfrozen]:
    """Dimensions with an hour that should have been frozen more than the sheet's warning time ago."""
    dimensions = list(reads.metered_dimensions())
    positions = reads.positions([dimension.pk for dimension in dimensions])
    late = []
    for dimension in dimensions:
        position = positions.get(dimension.pk)
        warn_after = dimension.agreement.channel.sheet.metering.window.warn_after
        if _span(dimension, position, as_of - warn_after) is not None:
            late.append(Unfrozen(dimension, position.last_hour if position else None))
    return late
