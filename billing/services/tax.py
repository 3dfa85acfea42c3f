"""Tax rates: loading them, and saying which one a document line carries."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from billing.domain import tax
from billing.domain.invoice_totals import TaxKey
from billing.models import TaxRate
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import Conflict, InvalidInput
from o2c.ledger.models import LegalEntity
from orders.models import Customer

FIELDS = ("country", "region", "category", "name", "rate", "effective_from", "effective_to", "source")
NO_TAX = TaxKey("", Decimal(0))


def load(path: Path, *, actor: Actor, reason: str = "") -> tuple[int, int]:
    """Load the rates of a CSV file with the columns of FIELDS; (added, already there).

    A row that is there unchanged is skipped, so loading twice changes nothing. A row whose rate
    differs from the one in force from the same day raises Conflict: rates on documents never change
    behind their back; a new rate is a new row, and the old one ends where it begins.
    """
    with acting(actor, reason=reason or f"Load tax rates from {path.name}"):
        require(actor, "billing.tax.maintain", record=path.name)
        known = {(r.country, r.region, r.category, r.effective_from): r for r in TaxRate.objects.all()}
        fresh: list[TaxRate] = []
        same = 0
        with path.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                rate = _parse(row, f"{path.name} line {number}")
                there = known.get((rate.country, rate.region, rate.category, rate.effective_from))
                if there is None:
                    fresh.append(rate)
                elif there.rate == rate.rate:
                    same += 1
                    _end(there, rate.effective_to)
                else:
                    raise Conflict(
                        f"The rate from {rate.effective_from} is {there.rate}, the file says {rate.rate}",
                        record=str(there),
                        remedy="Add a row that begins on the day of the change",
                    )
        TaxRate.objects.bulk_create(fresh)
        return len(fresh), same


def _end(there: TaxRate, effective_to: dt.date | None) -> None:
    """A rate that was open may be given its end; nothing else of it changes."""
    if effective_to is not None and there.effective_to is None:
        there.effective_to = effective_to
        there.save(update_fields=["effective_to"])


def _parse(row: dict[str, str], record: str) -> TaxRate:
    missing = [field for field in FIELDS if row.get(field) is None]
    if missing:
        raise InvalidInput(f"Columns are missing: {', '.join(missing)}", record=record)
    try:
        rate = Decimal(row["rate"])
        effective_from = dt.date.fromisoformat(row["effective_from"])
        effective_to = dt.date.fromisoformat(row["effective_to"]) if row["effective_to"] else None
    except (InvalidOperation, ValueError) as error:
        raise InvalidInput(str(error), record=record, remedy="Write 0.19 and 2026-01-31") from error
    if not Decimal(0) <= rate < Decimal(1):
        raise InvalidInput(f"{rate} is not a fraction", record=record, remedy="Write 0.19 for 19 percent")
    return TaxRate(
        country=row["country"].strip().upper(),
        region=row["region"].strip().upper(),
        category=row["category"].strip() or tax.STANDARD_CATEGORY,
        name=row["name"].strip(),
        rate=rate,
        effective_from=effective_from,
        effective_to=effective_to,
        source=row["source"].strip(),
    )


@dataclass(frozen=True, slots=True)
class LineTax:
    """What a line is taxed with. `missing` says that the table has no rate where tax is due."""

    key: TaxKey
    missing: bool = False


class Taxation:
    """The rate table of one moment, read once, asked for every line of a batch."""

    def __init__(self, issue_dates: Iterable[dt.date]) -> None:
        days = list(issue_dates)
        rows = TaxRate.objects.filter(effective_from__lte=max(days)).exclude(effective_to__lte=min(days))
        self._by_country: dict[str, list[tax.Rate]] = {}
        for row in rows:
            rate = tax.Rate(
                country=row.country,
                region=row.region,
                category=row.category,
                name=row.name,
                rate=row.rate,
                effective_from=row.effective_from,
                effective_to=row.effective_to,
            )
            self._by_country.setdefault(row.country, []).append(rate)
        self._known: dict[tuple[str, str, str, dt.date], LineTax] = {}

    def decide(
        self, entity: LegalEntity, customer: Customer, channel: str, tax_ids: dict[str, str] | None = None
    ) -> tuple[tax.Decision, str]:
        """The treatment of what `entity` sells to `customer`, and the tax number to print.

        `tax_ids` are the customer's further registrations by country.
        """
        tax_id = (tax_ids or {}).get(customer.country) or customer.tax_id
        decision = tax.decide(
            tax.Supply(
                seller_country=entity.country,
                buyer_country=customer.country,
                buyer_region=customer.region,
                buyer_tax_id=tax_id,
                buyer_exempt=customer.tax_exempt,
                through_marketplace=channel != "direct",
            )
        )
        return decision, tax_id

    def of_line(self, decision: tax.Decision, category: str, on: dt.date) -> LineTax:
        """The rate for a category of what is sold, on the issue date."""
        if not decision.is_taxed:
            return LineTax(NO_TAX)
        key = (decision.country, decision.region, category, on)
        if key not in self._known:
            rate = tax.find_rate(self._by_country.get(decision.country, ()), decision, category, on)
            taxed = LineTax(TaxKey(rate.name, rate.rate)) if rate else LineTax(NO_TAX, missing=True)
            self._known[key] = taxed
        return self._known[key]
