"""Putting a held usage hour back among those to be sent."""

from datetime import datetime

from partners.domain.outcomes import Disposition
from partners.models import MeteringResult

RELEASED = "Released"


def release(record_id: int, *, as_of: datetime) -> None:
    """A held record goes out again with the next run. Inside the caller's `acting`."""
    MeteringResult.objects.create(
        record_id=record_id,
        status=RELEASED,
        disposition=Disposition.RETRY,
        answered_at=as_of,
        message="released by a resolved break",
    )
