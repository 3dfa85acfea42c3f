"""Legal entities, exchange rates, and the opening of accounting periods.

Closing a period belongs to the revenue close.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from o2c import locks
from o2c.access import require
from o2c.access.services import reads
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.errors import InvalidInput, NotFound
from o2c.ledger.models import AccountingPeriod, ExchangeRate, LegalEntity
from o2c.ledger.policies import BANK
from o2c.money import minor_units
from o2c.periods import Period, month_periods
from o2c.vault import opened

Rate = tuple[str, str, dt.date, Decimal]
"""From currency, to currency, valid from this day, units of `to` for one unit of `from`."""


def save_entity(code: str, *, actor: Actor, reason: str = "", **columns: Any) -> LegalEntity:
    """Make the legal entity, or bring the one with this code up to date.

    Raises InvalidInput for an unknown currency; the database refuses to change one that has books.
    """
    with acting(actor, reason=reason):
        require(actor, "ledger.entity.maintain", record=code)
        entity = LegalEntity.objects.select_for_update().filter(code=code).first() or LegalEntity(code=code)
        for name, value in columns.items():
            setattr(entity, name, value)
        minor_units(entity.currency)
        known = LegalEntity.objects.filter(pk=entity.pk).values_list(*BANK).first()
        entity.save()
        if known is not None and known != tuple(_stored(entity, name) for name in BANK):
            approvals.gate("ledger.entity.change_bank", [entity.pk])
        return entity


def _stored(entity: LegalEntity, name: str) -> Any:
    """The value of a column as the database has it after saving."""
    column: Any = LegalEntity._meta.get_field(name)
    return column.get_prep_value(getattr(entity, name))


def reveal_bank(pk: int, *, actor: Actor, reason: str = "") -> dict[str, str]:
    """The bank details of a company of ours in clear; that somebody read them is recorded, and why.

    Raises InvalidInput without a reason.
    """
    with acting(actor, reason=reason):
        entity = LegalEntity.objects.filter(pk=pk).first()
        if entity is None:
            raise NotFound(f"There is no legal entity {pk}")
        require(actor, "ledger.bank.reveal", record=entity.code)
        if not reason.strip():
            raise InvalidInput("Say why", record=entity.code, fields={"reason": ["is missing"]})
        shown = {name: opened(getattr(entity, name)) for name in BANK}
        reads.record(reads.REVEAL, f"bank details of {entity.code}", 1, actor=actor, reason=reason)
        return shown


def load_rates(rates: Iterable[Rate], *, source: str, actor: Actor, reason: str = "") -> int:
    """Store exchange rates; returns how many were new. A rate that is known already stays as it is.

    Raises InvalidInput when a rate is not positive: journals may have used the known one, so a wrong
    rate is corrected by a rate of a later day.
    """
    rows = [
        ExchangeRate(from_currency=a, to_currency=b, valid_on=day, rate=rate, source=source)
        for a, b, day, rate in rates
    ]
    wrong = next((row for row in rows if row.rate <= 0), None)
    if wrong is not None:
        raise InvalidInput(f"{wrong.rate} is not an exchange rate", record=str(wrong))
    with acting(actor, reason=reason):
        require(actor, "ledger.rate.load", record=source)
        before = ExchangeRate.objects.count()
        ExchangeRate.objects.bulk_create(rows, ignore_conflicts=True, batch_size=5000)
        return ExchangeRate.objects.count() - before


def open_periods(
    entity: LegalEntity, span: Period, *, actor: Actor, reason: str = ""
) -> list[AccountingPeriod]:
    """Open the monthly periods that `span` touches and that do not exist yet; returns them all."""
    months = list(month_periods(span))
    with acting(actor, reason=reason):
        require(actor, "ledger.period.open", record=str(entity))
        AccountingPeriod.objects.bulk_create(
            [
                AccountingPeriod(entity=entity, name=f"{m.start:%Y-%m}", starts_on=m.start, ends_on=m.end)
                for m in months
            ],
            ignore_conflicts=True,
        )
    starts: list[dt.date] = [m.start for m in months]
    return list(entity.periods.filter(starts_on__in=starts).order_by("starts_on"))


def change_bank(
    pk: int,
    *,
    bank_name: str,
    bank_account: str,
    bank_routing: str = "",
    swift: str = "",
    actor: Actor,
    reason: str = "",
) -> LegalEntity:
    """Change where customers are told to pay. Only as an approved request does it, after its cooling-off."""
    with acting(actor, reason=reason):
        entity: LegalEntity = locks.row(LegalEntity, pk)
        require(actor, "ledger.entity.maintain", record=entity.code)
        entity.bank_name, entity.bank_account = bank_name, bank_account
        entity.bank_routing, entity.swift = bank_routing, swift
        entity.save()
        approvals.gate("ledger.entity.change_bank", [pk])
        return entity
