"""Reads of the metering path: what is to be frozen, what is to be sent, what is late."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from billing.selectors.metered import COUNTED
from partners.domain.outcomes import Disposition
from partners.models import AgreementDimension, AwsAgreement, MeteringRecord, MeteringResult


@dataclass(frozen=True, slots=True)
class Position:
    """Where freezing stands for one dimension: the last frozen hour, what it carried, all usage it
    accounted for.
    """

    dimension_id: int
    last_hour: datetime | None
    carry: Decimal
    total_used: Decimal


def metered_dimensions() -> QuerySet[AgreementDimension]:
    """Dimensions of agreements that are or were metered, in lock order."""
    return (
        AgreementDimension.objects.exclude(agreement__state=AwsAgreement.State.PENDING)
        .select_related("agreement__channel")
        .order_by("pk")
    )


def positions(dimension_ids: Iterable[int]) -> dict[int, Position]:
    """The newest frozen record of each dimension, in one query."""
    newest = (
        MeteringRecord.objects.filter(dimension_id__in=list(dimension_ids))
        .order_by("dimension_id", "-hour")
        .distinct("dimension_id")
        .values_list("dimension_id", "hour", "carry_out", "total_used")
    )
    return {row[0]: Position(*row) for row in newest}


USED = f"""
SELECT d.dimension_id, CASE WHEN h.hour >= d.first_new THEN h.hour END AS bucket, sum(h.quantity)
FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])
     AS d(dimension_id, line_id, started, first_new, through)
JOIN billing_usagehour h ON h.line_id = d.line_id AND h.hour >= d.started AND h.hour < d.through
WHERE {COUNTED}
GROUP BY 1, 2
"""  # noqa: S608 of parts written here


@dataclass(frozen=True, slots=True)
class Span:
    """Hours of one dimension: metered since `started`, new from `first_new` up to, not including,
    `through`.
    """

    dimension_id: int
    line_id: int
    started: datetime
    first_new: datetime
    through: datetime


def usage(spans: list[Span]) -> dict[tuple[int, datetime | None], Decimal]:
    """Usage by dimension and new hour; under None the sum of all hours before the first new one. One
    query.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            USED,
            [
                [span.dimension_id for span in spans],
                [span.line_id for span in spans],
                [span.started for span in spans],
                [span.first_new for span in spans],
                [span.through for span in spans],
            ],
        )
        return {(dimension_id, bucket): quantity for dimension_id, bucket, quantity in cursor.fetchall()}


def newest_disposition() -> Subquery:
    """The disposition of a record's newest answer; NULL before any."""
    return Subquery(
        MeteringResult.objects.filter(record=OuterRef("pk")).order_by("-pk").values("disposition")[:1]
    )


def unsent() -> QuerySet[MeteringRecord]:
    """Frozen hours that are neither accepted, held nor lost, oldest first."""
    accepted = MeteringResult.objects.filter(record=OuterRef("pk"), disposition=Disposition.ACCEPTED)
    return (
        MeteringRecord.objects.annotate(answer=newest_disposition())
        .filter(Q(answer__isnull=True) | Q(answer=Disposition.RETRY), ~Exists(accepted))
        .order_by("hour", "dimension_id")
    )


def accepted() -> QuerySet[MeteringRecord]:
    """Hours that AWS accepted and will bill."""
    return MeteringRecord.objects.filter(results__disposition=Disposition.ACCEPTED)
