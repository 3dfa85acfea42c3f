"""What was metered, in totals: the left sides of the reconciliation and the figures of the console."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import connection

from billing.selectors.metered import COUNTED

# What AWS has for an hour: what it accepted, or, after DuplicateRecord, a quantity near ours that it keeps.
AT_AWS = """EXISTS (SELECT 1 FROM partners_meteringresult x
  WHERE x.record_id = r.id AND (x.disposition = 'accepted' OR x.status = 'DuplicateRecord'))"""

MONTHS = f"""
SELECT a.id, a.currency, d.id, d.key, d.rate, to_char(r.hour AT TIME ZONE 'UTC', 'YYYY-MM') AS month,
       sum(r.quantity) AS frozen,
       coalesce(sum(r.quantity) FILTER (WHERE EXISTS (
         SELECT 1 FROM partners_meteringresult x
         WHERE x.record_id = r.id AND x.disposition = 'accepted')), 0) AS accepted,
       coalesce(sum(r.quantity) FILTER (WHERE {AT_AWS}), 0) AS at_aws,
       count(*)
FROM partners_meteringrecord r
JOIN partners_agreementdimension d ON d.id = r.dimension_id
JOIN partners_awsagreement a ON a.id = d.agreement_id
WHERE a.channel_id = %s AND r.hour < %s
GROUP BY 1, 2, 3, 4, 5, 6
ORDER BY 1, 3, 6
"""  # noqa: S608 of parts written here


@dataclass(frozen=True, slots=True)
class MonthTotal:
    """A dimension's month: quantities frozen, accepted, and held by AWS whether accepted from us or
    before us.
    """

    agreement_id: int
    currency: str
    dimension_id: int
    dimension: str
    rate: Decimal
    month: str
    frozen: Decimal
    accepted: Decimal
    at_aws: Decimal
    records: int


def months(channel_id: int, before: datetime) -> list[MonthTotal]:
    """Totals per dimension and UTC month of the hours that began before `before`."""
    with connection.cursor() as cursor:
        cursor.execute(MONTHS, [channel_id, before])
        return [MonthTotal(*row) for row in cursor.fetchall()]


SHIFTED = f"""
WITH metered AS (
  SELECT d.id, d.agreement_id, d.line_id, d.per_unit, d.rate,
         date_trunc('month', r.hour AT TIME ZONE 'UTC') AS month, sum(r.used + r.late) AS accounted,
         max(a.started_at) AS started, max(a.ended_at) AS ended
  FROM partners_meteringrecord r
  JOIN partners_agreementdimension d ON d.id = r.dimension_id
  JOIN partners_awsagreement a ON a.id = d.agreement_id
  WHERE a.channel_id = %s GROUP BY 1, 6
)
SELECT m.agreement_id, to_char(m.month, 'YYYY-MM'),
       sum((coalesce(u.used, 0) - m.accounted) * m.rate / m.per_unit)
FROM metered m
LEFT JOIN LATERAL (
  SELECT sum(h.quantity) AS used FROM billing_usagehour h
  WHERE h.line_id = m.line_id AND {COUNTED}
    AND h.hour >= greatest(m.month AT TIME ZONE 'UTC', date_trunc('hour', m.started))
    AND h.hour < least((m.month + interval '1 month') AT TIME ZONE 'UTC', coalesce(m.ended, 'infinity'))
) u ON true
GROUP BY 1, 2
"""  # noqa: S608 of parts written here


def shifted_value(channel_id: int) -> dict[tuple[int, str], Decimal]:
    """Value of usage that happened in a month and was metered in another, by agreement and month.

    Late usage cannot be metered in its own hour any more; it goes out with a later one. Positive in the month
    it happened, negative in the month that carried it.
    """
    with connection.cursor() as cursor:
        cursor.execute(SHIFTED, [channel_id])
        return {(row[0], row[1]): row[2] for row in cursor.fetchall()}


DAYS = f"""
SELECT a.id, d.key, (r.hour AT TIME ZONE 'UTC')::date, sum(r.quantity)
FROM partners_meteringrecord r
JOIN partners_agreementdimension d ON d.id = r.dimension_id
JOIN partners_awsagreement a ON a.id = d.agreement_id
WHERE a.channel_id = %s AND r.hour >= %s AND r.hour < %s
  AND {AT_AWS}
GROUP BY 1, 2, 3
"""  # noqa: S608 of parts written here

FEED_DAYS = """
WITH newest AS (
  SELECT DISTINCT ON (natural_key) natural_key, data, deleted
  FROM partners_feedrow
  WHERE channel_id = %s AND feed = 'daily_usage'
  ORDER BY natural_key, valid_from DESC, update_date DESC, id DESC
)
SELECT i.agreement_id, n.data ->> 'dimension_key', left(n.data ->> 'usage_date', 10)::date,
       sum((n.data ->> 'usage_quantity')::numeric)
FROM newest n
LEFT JOIN LATERAL (SELECT agreement_id FROM partners_agreementidentity
                   WHERE agreement_ref = n.data ->> 'agreement_id' ORDER BY id DESC LIMIT 1) i ON true
WHERE NOT n.deleted
GROUP BY 1, 2, 3
"""

Day = tuple[int | None, str, date]


def at_aws_by_day(channel_id: int, start: datetime, end: datetime) -> dict[Day, Decimal]:
    """Quantity that AWS should have by agreement, dimension and UTC day; days without usage left out."""
    with connection.cursor() as cursor:
        cursor.execute(DAYS, [channel_id, start, end])
        return {(row[0], row[1], row[2]): Decimal(row[3]) for row in cursor.fetchall() if row[3]}


def feed_by_day(channel_id: int) -> dict[Day, Decimal]:
    """The daily-usage feed's newest quantities by agreement, dimension and day. Agreement None: not ours
    to name.
    """
    with connection.cursor() as cursor:
        cursor.execute(FEED_DAYS, [channel_id])
        return {(row[0], row[1], row[2]): row[3] for row in cursor.fetchall() if row[3]}


CHARGES = """
WITH newest AS (
  SELECT DISTINCT ON (natural_key) natural_key, data, deleted
  FROM partners_feedrow
  WHERE channel_id = %s AND feed = 'agreement_charge'
  ORDER BY natural_key, valid_from DESC, update_date DESC, id DESC
)
SELECT n.natural_key, i.agreement_id, (n.data ->> 'amount')::numeric, left(n.data ->> 'time', 10)::date
FROM newest n
LEFT JOIN LATERAL (SELECT agreement_id FROM partners_agreementidentity
                   WHERE agreement_ref = n.data ->> 'agreement_id' ORDER BY id DESC LIMIT 1) i ON true
WHERE NOT n.deleted
ORDER BY 4
"""


@dataclass(frozen=True, slots=True)
class ScheduledCharge:
    """An instalment that AWS says it will invoice: the expectation of a payment schedule."""

    key: str
    agreement_id: int | None
    amount: Decimal
    due_on: date


def scheduled_charges(channel_id: int) -> list[ScheduledCharge]:
    """The agreement-charge feed as it stands."""
    with connection.cursor() as cursor:
        cursor.execute(CHARGES, [channel_id])
        return [ScheduledCharge(*row) for row in cursor.fetchall()]
