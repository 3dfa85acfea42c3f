"""Figures of the console: metered and not yet billed, breaks at stake, not yet settled."""

from dataclasses import dataclass
from decimal import Decimal

from django.db import connection
from django.db.models import Count, Sum
from django.db.models.functions import Abs

from o2c.money import quantize
from partners.domain.balance import balance
from partners.models import Break, Channel, MeteringRecord
from partners.selectors.events import current
from partners.selectors.metering import unsent

UNBILLED = """
SELECT a.currency, sum(r.quantity * d.rate)
FROM partners_meteringrecord r
JOIN partners_agreementdimension d ON d.id = r.dimension_id
JOIN partners_awsagreement a ON a.id = d.agreement_id
WHERE EXISTS (SELECT 1 FROM partners_meteringresult x WHERE x.record_id = r.id AND x.disposition = 'accepted')
  AND NOT EXISTS (
    SELECT 1 FROM partners_billingevent e
    JOIN partners_agreementidentity i ON i.agreement_ref = e.agreement_ref
    WHERE i.agreement_id = a.id AND e.agreement_ref <> '' AND e.transaction_type = 'SELLER_REV_SHARE'
      AND e.action = 'INVOICED' AND r.hour >= e.usage_from AND r.hour <= e.usage_to)
GROUP BY 1
"""

Totals = list[tuple[str, Decimal]]


def metered_not_billed() -> Totals:
    """Accepted usage at listed rates that no AWS invoice covers yet, by currency."""
    with connection.cursor() as cursor:
        cursor.execute(UNBILLED)
        return [(currency, quantize(amount, currency)) for currency, amount in cursor.fetchall()]


def breaks_at_stake() -> list[tuple[str, Decimal, int]]:
    """Live breaks: currency, value whichever way it points, number."""
    rows = (
        Break.objects.filter(state__in=Break.LIVE)
        .values_list("currency")
        .annotate(at_stake=Sum(Abs("value")), number=Count("pk"))
        .order_by("currency")
    )
    return [(currency, value, number) for currency, value, number in rows]


def unsettled() -> Totals:
    """Billed by the channels and not yet paid out to us, by currency, by the structural balance rule."""
    totals: dict[str, Decimal] = {}
    for channel in Channel.objects.filter(active=True):
        events = current(channel.pk)
        for currency in {event.currency for event in events}:
            part = [event.structural for event in events if event.currency == currency]
            totals[currency] = totals.get(currency, Decimal(0)) + balance(part).open
    return sorted(totals.items())


@dataclass(frozen=True, slots=True)
class MeteringHealth:
    """How the last hours stand."""

    unsent: int
    newest: MeteringRecord | None


def metering_health() -> MeteringHealth:
    """Unsent hours, and the newest frozen one."""
    return MeteringHealth(unsent().count(), MeteringRecord.objects.order_by("-hour").first())


DAILY = """
SELECT (r.hour AT TIME ZONE 'UTC')::date AS day, sum(r.quantity * d.rate)
FROM partners_meteringrecord r JOIN partners_agreementdimension d ON d.id = r.dimension_id
WHERE r.hour >= (SELECT max(hour) FROM partners_meteringrecord) - interval '30 days'
GROUP BY 1 ORDER BY 1
"""


def daily_value() -> list[tuple[str, Decimal]]:
    """Value metered per UTC day, the last 30 days that have records."""
    with connection.cursor() as cursor:
        cursor.execute(DAILY)
        return [(f"{day:%d %b}", value) for day, value in cursor.fetchall()]
