"""Metered usage as the charge engine takes it: points by line, added up in the database."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.db import connection

from billing.domain import parts
from billing.domain import timelines as cutting
from billing.domain.charges import needs_transactions
from billing.domain.proration import local_date
from billing.domain.types import Aggregation, Dimensions, Kind, Line, Timeline, UsagePoint

# Of an hourly total `h`: whether the meter's filters count it.
COUNTED = """NOT EXISTS (
  SELECT 1 FROM orders_meter fm CROSS JOIN jsonb_each(fm.filters) AS f(name, asked)
  JOIN billing_usagedimensions fd ON NOT f.asked @> coalesce(fd.values->f.name, 'null')
  WHERE fm.id = h.meter_id AND fd.id = h.dimensions_id)"""

# Aggregations that hourly totals can answer.
BY_HOURS = frozenset({Aggregation.SUM, Aggregation.COUNT})

HOURS = """
WITH cut AS MATERIALIZED (
    SELECT line_id, starts_on, starts_on::timestamp AT TIME ZONE zone AS begins,
           ends_on::timestamp AT TIME ZONE zone AS ends
    FROM unnest(%s::bigint[], %s::date[], %s::date[], %s::text[]) AS c(line_id, starts_on, ends_on, zone)
), summed AS (
    SELECT cut.line_id, cut.starts_on, h.dimensions_id, sum(h.quantity) AS quantity,
           sum(h.event_count)::bigint AS events
    FROM cut JOIN billing_usagehour h
      ON h.line_id = cut.line_id AND h.hour >= cut.begins AND h.hour < cut.ends
    GROUP BY cut.line_id, cut.starts_on, h.dimensions_id
)
SELECT s.line_id, s.starts_on, s.quantity, s.events, d.id, d.key
FROM summed s JOIN billing_usagedimensions d ON d.id = s.dimensions_id
"""

EVENTS = """
SELECT e.line_id, e.occurred_at, e.quantity, e.subject, d.id, d.key, z.zone
FROM unnest(%s::bigint[], %s::text[]) AS z(line_id, zone)
JOIN billing_usageevent e ON e.line_id = z.line_id
  AND e.occurred_at < %s::date::timestamp AT TIME ZONE z.zone
JOIN billing_usagedimensions d ON d.id = e.dimensions_id
WHERE NOT EXISTS (SELECT 1 FROM billing_usageretraction r WHERE r.event_id = e.id)
"""


def points(
    timelines: Iterable[Timeline], until: dt.date, also_at: Sequence[dt.date] = ()
) -> dict[int, list[UsagePoint]]:
    """Usage before `until` (in each contract's time zone) of all usage lines, by line id.

    Lines with a plain sum or count come from the hourly totals, cut at billing periods, price changes, months
    and the days `also_at`; the others need their single events. Two statements.
    """
    cuts: list[tuple[int, dt.date, dt.date, str]] = []
    single: list[tuple[int, str]] = []
    for timeline in timelines:
        for line in timeline.lines:
            if line.kind is Kind.USAGE and _by_hours(line):
                cuts += [(line.id, *cut, timeline.time_zone) for cut in _cuts(line, until, also_at)]
            elif line.kind is Kind.USAGE:
                single.append((line.id, timeline.time_zone))
    found: dict[int, list[UsagePoint]] = defaultdict(list)
    seen: dict[int, Dimensions] = {}
    with connection.cursor() as cursor:
        if cuts:
            cursor.execute(HOURS, [list(column) for column in zip(*cuts, strict=True)])
            for line_id, on, quantity, events, dims, key in cursor:
                found[line_id].append(UsagePoint(on, quantity, events, _dimensions(seen, dims, key)))
        if single:
            cursor.execute(EVENTS, [*(list(column) for column in zip(*single, strict=True)), until])
            for line_id, at, quantity, subject, dims, key, zone in cursor:
                dimensions = _dimensions(seen, dims, key)
                point = UsagePoint(local_date(at, zone), quantity, 1, dimensions, at, subject)
                found[line_id].append(point)
    return found


def _by_hours(line: Line) -> bool:
    return line.aggregation in BY_HOURS and not needs_transactions(line)


def _cuts(line: Line, until: dt.date, also_at: Sequence[dt.date]) -> Iterable[tuple[dt.date, dt.date]]:
    """The slots of the line before `until`, cut at the first of each month and at the days `also_at`."""
    for start, end in cutting.cuts(line, until):
        end = min(end, until)
        if start >= end:
            continue
        edges = [*parts.cuts_of(start, end, also_at), end]
        for stop in edges:
            yield start, stop
            start = stop


def _dimensions(seen: dict[int, Dimensions], pk: int, key: str) -> Dimensions:
    known = seen.get(pk)
    if known is None:
        known = seen[pk] = tuple(sorted(json.loads(key).items()))
    return known
