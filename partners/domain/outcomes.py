"""What each answer of the metering service means for us (reference: marketplaces, 1.4, handling table).

Only `accepted` closes an hour. A DuplicateRecord looks like success and is not: AWS keeps the earlier
quantity and bills that one, so ours is a break.
"""

from dataclasses import dataclass
from datetime import timedelta


class Disposition:
    """What becomes of a metering record after an answer."""

    ACCEPTED = "accepted"
    RETRY = "retry"
    HELD = "held"
    LOST = "lost"

    choices = (
        (ACCEPTED, "Accepted, will be billed"),
        (RETRY, "To be sent again"),
        (HELD, "Held until its break is resolved"),
        (LOST, "Lost: the window has passed"),
    )
    SETTLED = (ACCEPTED, HELD, LOST)


@dataclass(frozen=True, slots=True)
class Handling:
    """The answer's disposition, the break it raises ("" for none), who owns it and when it escalates."""

    disposition: str
    break_type: str = ""
    owner_role: str = ""
    escalate_after: timedelta = timedelta(0)


_ENGINEERING = Handling(Disposition.HELD, "METER_DATA", "partner_ops", timedelta(hours=3))

HANDLING: dict[str, Handling] = {
    "Success": Handling(Disposition.ACCEPTED),
    "DuplicateRecord": Handling(Disposition.HELD, "METER_QTY", "billing_ops", timedelta(days=3)),
    "CustomerNotSubscribed": Handling(Disposition.HELD, "METER_REJECT", "partner_ops", timedelta(days=2)),
    "Unprocessed": Handling(Disposition.RETRY),
    "TimestampOutOfBoundsException": Handling(
        Disposition.LOST, "METER_LATE", "billing_ops", timedelta(days=5)
    ),
    "InvalidUsageDimensionException": _ENGINEERING,
    "InvalidUsageAllocationsException": _ENGINEERING,
    "InvalidTagException": _ENGINEERING,
    "InvalidCustomerIdentifierException": Handling(
        Disposition.HELD, "METER_REJECT", "partner_ops", timedelta(days=2)
    ),
    "InvalidLicenseException": Handling(Disposition.HELD, "METER_REJECT", "partner_ops", timedelta(days=2)),
    "InvalidProductCodeException": _ENGINEERING,
    "ThrottlingException": Handling(Disposition.RETRY),
    "InternalServiceErrorException": Handling(Disposition.RETRY),
}
"""By UsageRecordResult.Status, "Unprocessed" for UnprocessedRecords, or the exception of a refused batch."""

WHOLE_BATCH = frozenset(
    code for code, handling in HANDLING.items() if code.startswith(("Invalid", "Timestamp"))
)
"""Exceptions that refuse a whole batch because of some record in it: bisect."""

TRANSIENT = frozenset({"ThrottlingException", "InternalServiceErrorException", "DisabledApiException"})
"""Exceptions that say nothing about the records: try the same batch later."""


def handling(code: str) -> Handling:
    """The handling of an answer; an answer this table does not know holds the record and asks engineering."""
    return HANDLING.get(code, _ENGINEERING)
