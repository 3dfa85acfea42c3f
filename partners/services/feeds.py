"""Feed files taken in as they come: raw rows append-only, billing events typed, unreadable rows parked.

AWS appends to its month files and delivers the whole file every day: a row already held counts as duplicate,
so importing again changes nothing.
"""

import hashlib
from datetime import datetime
from itertools import islice
from pathlib import Path

from o2c import locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import InvalidInput
from partners.domain import feeds as domain
from partners.models import BillingEvent, Channel, FeedException, FeedFile, FeedRow

CHUNK = 5_000


def import_file(
    path: Path,
    *,
    feed: str,
    channel: Channel,
    snapshot_at: datetime,
    actor: Actor,
    name: str = "",
    reason: str = "",
) -> FeedFile:
    """Import one file from disk; see `import_text`."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise InvalidInput(
            f"The file cannot be read: {problem}", record=str(path), remedy="Give a UTF-8 CSV file"
        ) from problem
    return import_text(
        text,
        name=name or path.name,
        feed=feed,
        channel=channel,
        snapshot_at=snapshot_at,
        actor=actor,
        reason=reason,
    )


def import_text(
    text: str,
    *,
    name: str,
    feed: str,
    channel: Channel,
    snapshot_at: datetime,
    actor: Actor,
    reason: str = "",
) -> FeedFile:
    """Import one file's content: received = accepted + duplicate + rejected. The same content again is a
    no-op.

    Raises InvalidInput when a documented column is missing; nothing is taken from the file then.
    """
    with acting(actor, reason=reason or f"feed file {name}"):
        locks.row(Channel, channel.pk)
        require(actor, "partners.feed.import", record=name)
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        held = FeedFile.objects.filter(channel=channel, feed=feed, sha256=sha256).first()
        if held is not None:
            return held
        try:
            header, rows = domain.read(text, feed, snapshot_at)
        except domain.FeedRefused as problem:
            raise InvalidInput(
                str(problem),
                record=name,
                remedy="Check that the file is this feed; ask AWS when a column is gone",
            ) from problem
        readable: list[domain.Row] = []
        rejected: list[domain.Rejected] = []
        for row in rows:
            if isinstance(row, domain.Row):
                readable.append(row)
            else:
                rejected.append(row)
        fresh = _fresh(channel, feed, readable)
        file = FeedFile.objects.create(
            channel=channel,
            feed=feed,
            name=name,
            sha256=sha256,
            columns=header.columns,
            unknown_columns=header.unknown,
            snapshot_at=snapshot_at,
            received=len(readable) + len(rejected),
            accepted=len(fresh),
            duplicate=len(readable) - len(fresh),
            rejected=len(rejected),
        )
        _store(file, fresh)
        FeedException.objects.bulk_create(
            FeedException(file=file, line_number=bad.line_number, problem=bad.problem, data=bad.data)
            for bad in rejected
        )
        return file


def _fresh(channel: Channel, feed: str, rows: list[domain.Row]) -> list[domain.Row]:
    """Rows whose content is not held yet, each once."""
    held = set(
        FeedRow.objects.filter(
            channel=channel, feed=feed, digest__in=[row.digest for row in rows]
        ).values_list("digest", flat=True)
    )
    fresh = []
    for row in rows:
        if row.digest not in held:
            held.add(row.digest)
            fresh.append(row)
    return fresh


def _store(file: FeedFile, rows: list[domain.Row]) -> None:
    remaining = iter(rows)
    while chunk := list(islice(remaining, CHUNK)):
        stored = FeedRow.objects.bulk_create(
            FeedRow(
                file=file,
                channel_id=file.channel_id,
                feed=file.feed,
                natural_key=row.natural_key,
                valid_from=row.valid_from,
                update_date=row.update_date,
                deleted=row.deleted,
                digest=row.digest,
                data=row.data,
            )
            for row in chunk
        )
        if file.feed == "billing_event":
            BillingEvent.objects.bulk_create(_event(file, row) for row in stored)


def _event(file: FeedFile, row: FeedRow) -> BillingEvent:
    typed = domain.billing_event(row.data, file.snapshot_at)
    fields = {name: getattr(typed, name) for name in domain.BillingEventRow.__dataclass_fields__}
    return BillingEvent(
        row=row, channel_id=file.channel_id, update_date=row.update_date, deleted=row.deleted, **fields
    )


def resolve_exception(pk: int, *, actor: Actor, reason: str = "") -> FeedException:
    """Say what became of a row that could not be read."""
    with acting(actor, reason=reason):
        row = locks.row(FeedException, pk)
        require(actor, "partners.feed.resolve_exception", record=str(row))
        if not reason:
            raise InvalidInput(
                "A parked row is closed with a reason", record=str(row), remedy="Say what was done"
            )
        row.resolve()
        row.resolution = reason
        row.save()
        return row
