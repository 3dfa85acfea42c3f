"""Opening accounting periods. Closing them belongs to the revenue close."""

from __future__ import annotations

import datetime as dt

from o2c.actor import Actor, acting
from o2c.ledger.models import AccountingPeriod, LegalEntity
from o2c.periods import Period, month_periods


def open_periods(
    entity: LegalEntity, span: Period, *, actor: Actor, reason: str = ""
) -> list[AccountingPeriod]:
    """Open the monthly periods that `span` touches and that do not exist yet; returns them all."""
    months = list(month_periods(span))
    with acting(actor, reason=reason):
        AccountingPeriod.objects.bulk_create(
            [
                AccountingPeriod(entity=entity, name=f"{m.start:%Y-%m}", starts_on=m.start, ends_on=m.end)
                for m in months
            ],
            ignore_conflicts=True,
        )
    starts: list[dt.date] = [m.start for m in months]
    return list(entity.periods.filter(starts_on__in=starts).order_by("starts_on"))
