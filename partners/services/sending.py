"""Sending frozen hours to AWS: each request is on record before it leaves, its answers after it returns.

A crash between the two is safe: the hours are still unsent here, they are sent again unchanged, and AWS
answers an identical record with Success. No call is made inside a database transaction.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from o2c.access import require
from o2c.actor import Actor, acting
from partners.aws.client import Metering, Unreachable, UsageRecord
from partners.domain.batches import send_bisecting, split
from partners.domain.window import Verdict
from partners.models import Channel, MeteringBatch, MeteringRecord
from partners.selectors.metering import unsent
from partners.services import results
from partners.services.channels import AWS

LOCK_SPACE = 20_117
"""First key of the advisory locks of senders; the second is the product's digest."""


@dataclass
class Sent:
    """What one run did. `unreachable` holds the reason for each product whose service gave no answer."""

    requests: int = 0
    accepted: int = 0
    retry: int = 0
    held: int = 0
    lost: int = 0
    busy: int = 0
    unreachable: list[str] = field(default_factory=list)

    def count(self, dispositions: dict[str, int]) -> None:
        for name, number in dispositions.items():
            setattr(self, name, getattr(self, name) + number)


def send_due(*, as_of: datetime, client: Metering, actor: Actor, reason: str = "") -> Sent:
    """Send every unsent frozen hour that the window still admits; value and record those it no longer does.

    One sender per product at a time (an advisory lock); another that comes meanwhile leaves it alone and
    counts it as busy. Running it again sends what is still unsent and nothing else.
    """
    require(actor, "partners.metering.send")
    channel = Channel.objects.filter(code=AWS).first()
    summary = Sent()
    if channel is None:
        return summary
    due = _due(channel)
    window = channel.sheet.metering.window
    late = [record for record in due if window.verdict(record.hour, as_of) is Verdict.LATE]
    if late:
        _give_up(late, as_of, summary, actor, reason)
    by_product: dict[str, list[MeteringRecord]] = defaultdict(list)
    for record in due:
        if window.verdict(record.hour, as_of) is Verdict.SENDABLE:
            by_product[record.identity.product_code].append(record)
    for product_code, records in sorted(by_product.items()):
        with _alone(product_code) as alone:
            if alone:
                _send_product(channel, records, as_of, client, summary, actor, reason)
            else:
                summary.busy += 1
    return summary


def anything_unsent() -> bool:
    """Whether a run would have something to say; saves a connection to AWS when not."""
    return unsent().exists()


def _due(channel: Channel) -> list[MeteringRecord]:
    """Read before the lock: another sender may just have sent some, which AWS then answers as the same
    again.
    """
    return list(
        unsent().filter(dimension__agreement__channel=channel).select_related("dimension", "identity")
    )


def _give_up(
    late: Sequence[MeteringRecord], as_of: datetime, summary: Sent, actor: Actor, reason: str
) -> None:
    """Hours whose window has passed are lost: said once, valued, never sent."""
    with acting(actor, reason=reason or "metering window passed"):
        outcomes = [
            results.Outcome(record.pk, results.WINDOW_PASSED, message="the window passed before it was sent")
            for record in late
        ]
        summary.count(results.store(outcomes, as_of=as_of))


@contextmanager
def _alone(product_code: str) -> Iterator[bool]:
    """Hold the product's advisory lock on this connection; False when another sender has it.

    The lock saves requests, it is not what makes sending safe. Behind a transaction pooler a connection is
    not ours between two statements, so there it is left out.
    """
    if connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]:
        yield True
        return
    key = int.from_bytes(hashlib.sha256(product_code.encode()).digest()[:4], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_SPACE, key])
        [held] = cursor.fetchone()
    try:
        yield bool(held)
    finally:
        if held:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK_SPACE, key])


def _send_product(
    channel: Channel,
    due: Sequence[MeteringRecord],
    as_of: datetime,
    client: Metering,
    summary: Sent,
    actor: Actor,
    reason: str,
) -> None:
    """The hours of one product, in as few requests as the service allows."""
    sheet = channel.sheet.metering
    product_code = due[0].identity.product_code
    records = [_wire(record) for record in due]

    def send(batch: list[UsageRecord]) -> None:
        with acting(actor, reason=reason or "hourly metering"):
            request = _prepare(product_code, batch, as_of)
        summary.requests += 1
        answers = client.batch_meter_usage(product_code, batch)
        outcomes = [
            results.Outcome(answer.key, answer.status, answer.metering_record_id, batch_id=request.pk)
            for answer in answers
        ]
        with acting(actor, reason=reason or "hourly metering"):
            summary.count(results.store(outcomes, as_of=as_of))

    for batch in split(
        records, lambda record: record.bytes, max_records=sheet.max_records, max_bytes=sheet.max_bytes
    ):
        try:
            refused = send_bisecting(batch, send)
        except Unreachable as error:
            summary.unreachable.append(f"{product_code}: {error.message}")
            return
        if refused:
            with acting(actor, reason=reason or "hourly metering"):
                outcomes = [
                    results.Outcome(item.record.key, item.code, message=item.message) for item in refused
                ]
                summary.count(results.store(outcomes, as_of=as_of))


def _wire(record: MeteringRecord) -> UsageRecord:
    identity = record.identity
    return UsageRecord(
        key=record.pk,
        timestamp=record.hour,
        dimension=record.dimension.key,
        quantity=record.quantity,
        customer_identifier=identity.customer_identifier,
        aws_account_id=identity.aws_account_id,
        license_arn=identity.license_arn,
    )


def _prepare(product_code: str, batch: Sequence[UsageRecord], as_of: datetime) -> MeteringBatch:
    wire = json.dumps([record.wire() for record in batch], default=str, sort_keys=True)
    return MeteringBatch.objects.create(
        product_code=product_code,
        records=[record.key for record in batch],
        request_sha256=hashlib.sha256(wire.encode()).hexdigest(),
        sent_at=as_of,
    )
