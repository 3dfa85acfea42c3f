"""Answers of the marketplace about our records: stored once, append-only, with the breaks they raise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from o2c.money import quantize
from partners.domain.outcomes import Disposition, handling
from partners.models import MeteringRecord, MeteringResult
from partners.services import breaks

WINDOW_PASSED = "TimestampOutOfBoundsException"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was answered about one record; `batch_id` is None when nothing was sent."""

    record_id: int
    status: str
    metering_record_id: str = ""
    message: str = ""
    batch_id: int | None = None


def store(outcomes: Sequence[Outcome], *, as_of: datetime) -> dict[str, int]:
    """Store answers and raise their breaks; returns how many records went to each disposition.

    A record that is accepted already takes no second acceptance: two senders that raced both learnt the
    same id. Inside the caller's `acting`.
    """
    results = [
        MeteringResult(
            record_id=outcome.record_id,
            batch_id=outcome.batch_id,
            status=outcome.status,
            disposition=handling(outcome.status).disposition,
            metering_record_id=outcome.metering_record_id,
            message=outcome.message,
            answered_at=as_of,
        )
        for outcome in outcomes
    ]
    MeteringResult.objects.bulk_create(results, ignore_conflicts=True)
    _raise_breaks([outcome for outcome in outcomes if handling(outcome.status).break_type], as_of)
    counts: dict[str, int] = {}
    for result in results:
        counts[result.disposition] = counts.get(result.disposition, 0) + 1
    return counts


def _raise_breaks(outcomes: Sequence[Outcome], as_of: datetime) -> None:
    records: Mapping[int, MeteringRecord] = MeteringRecord.objects.select_related(
        "dimension__agreement"
    ).in_bulk([outcome.record_id for outcome in outcomes])
    by_channel: dict[int, list[breaks.Found]] = {}
    for outcome in outcomes:
        record = records[outcome.record_id]
        if record.quantity == 0 and handling(outcome.status).disposition == Disposition.LOST:
            continue  # an hour without usage that went unsaid costs nobody anything
        by_channel.setdefault(record.dimension.agreement.channel_id, []).append(_found(record, outcome))
    for channel_id, found in by_channel.items():
        breaks.raise_many(channel_id, found, as_of=as_of)


def _found(record: MeteringRecord, outcome: Outcome) -> breaks.Found:
    rule = handling(outcome.status)
    dimension = record.dimension
    agreement = dimension.agreement
    # Rounding: the value shown on a break, in the agreement's currency.
    value = quantize(record.quantity * dimension.rate, agreement.currency)
    return breaks.Found(
        type=rule.break_type,
        leg="L1",
        key=f"{dimension.pk}:{record.hour:%Y-%m-%dT%H}",
        period=f"{record.hour:%Y-%m}",
        expected=Decimal(record.quantity),
        actual=Decimal(0),
        value=value,
        currency=agreement.currency,
        owner_role=rule.owner_role,
        escalate_after=rule.escalate_after,
        agreement_id=agreement.pk,
        evidence={
            "record_id": record.pk,
            "status": outcome.status,
            "message": outcome.message,
            "metering_record_id": outcome.metering_record_id,
            "dimension": dimension.key,
            "hour": record.hour.isoformat(),
            "quantity": record.quantity,
        },
    )
