"""Product metering sends what was used, a day's or a month's worth at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from billing.services import metering
from o2c.demo.plan.catalogue import METERS
from o2c.demo.plan.deals import DealPlan
from o2c.demo.plan.usage import UsageRow, UsageSource, usage_rows
from o2c.demo.walk.cast import Cast
from o2c.demo.walk.selling import crm_id
from orders.models import OrderLine

SOURCE = "product-metering"
CHUNK = 10_000
DIMENSIONS = {code: tuple(dimensions) for code, _, _, dimensions in METERS}
Advance = Callable[[int], None]


def sources(plans: Iterable[DealPlan]) -> list[UsageSource]:
    """The usage lines of the plan, as metering knows them: customer number, meter, usage key."""
    lines = {
        (line.order.salesforce_opportunity_id, line.usage_key): line
        for line in OrderLine.objects.exclude(usage_key="").select_related("order__customer", "sku__meter")
    }
    found = []
    for deal in plans:
        for position, plan in enumerate(deal.lines):
            key = f"{deal.number:05d}-{position}"
            line = lines.get((crm_id("006", deal.number), key))
            if not plan.daily or line is None or line.sku.meter is None:
                continue
            found.append(
                UsageSource(
                    key=key,
                    customer=line.order.customer.number,
                    usage_key=key,
                    meter=line.sku.meter.code,
                    dimensions=DIMENSIONS[line.sku.meter.code],
                    time_zone=line.order.time_zone,
                    daily=plan.daily,
                    weight=plan.events,
                    starts_on=deal.starts_on,
                    ends_on=min(deal.ends_on, line.order.ends_on or deal.ends_on),
                )
            )
    return found


def as_event(row: UsageRow) -> dict[str, object]:
    """The event as the API takes it."""
    return {
        "id": row.event_id,
        "customer": row.customer,
        "meter": row.meter,
        "time": row.at.isoformat(),
        "quantity": str(row.quantity),
        "key": row.usage_key,
        "dimensions": row.dimensions,
    }


def strangers(since: dt.date, lost: str) -> Iterator[dict[str, object]]:
    """What every intake gets: events of a customer nobody knows, and one that cannot be read."""
    at = dt.datetime.combine(since, dt.time(12), tzinfo=dt.UTC)
    for n in range(6):
        yield {
            "id": f"{lost}-{since:%Y%m}-{n}", "customer": lost, "meter": "requests",
            "time": (at + dt.timedelta(days=n)).isoformat(), "quantity": "120",
        }  # fmt: skip
    yield {
        "id": f"broken-{since:%Y%m}", "customer": lost, "meter": "requests", "time": "yesterday",
        "quantity": "1",
    }  # fmt: skip


def meter(
    cast: Cast,
    plans: Iterable[DealPlan],
    *,
    seed: int,
    since: dt.date,
    until: dt.date,
    received_by: dt.date,
    total: int,
    advance: Advance,
) -> None:
    """Send the events of [since, until) that metering has by `received_by`, and last month's late ones.

    What arrives later than that comes with the next month's call.
    """
    previous = since - dt.timedelta(days=1)
    late = (
        row
        for row in usage_rows(
            sources(plans), seed=seed, since=previous.replace(day=1), until=since, total=total
        )
        if since < row.received_on <= received_by
    )
    now = (
        row
        for row in usage_rows(sources(plans), seed=seed, since=since, until=until, total=total)
        if row.received_on <= received_by
    )
    as_of = dt.datetime.combine(received_by + dt.timedelta(days=1), dt.time(6), tzinfo=dt.UTC)
    metering.source(SOURCE, actor=cast.metering, description="Telemetry of the product")
    metering.ingest_events(SOURCE, list(strangers(since, "C-999999")), actor=cast.metering, as_of=as_of)
    for rows in (late, now):
        while events := [as_event(row) for row in islice(rows, CHUNK)]:
            metering.ingest_events(SOURCE, events, actor=cast.metering, as_of=as_of)
            advance(len(events))
