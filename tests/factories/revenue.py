"""Contracts, invoices and closed months for tests, made through the services that the product uses.

books = make_books()                        # entity US with the months of 2026-08 to 2027-09 open
order = make_order(books.team, customer, [line("SEATS", "10")], state="active")
deliver()                                   # events reach revenue: contracts are built
recognise(books, "2026-08")
close_month(books, "2026-08")
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from o2c import outbox
from o2c.access.models import User
from o2c.actor import Actor, acting
from o2c.ledger.models import AccountingPeriod, ExchangeRate, LegalEntity
from o2c.periods import Period, month_periods
from revenue.models import CloseRun, RecognitionRun
from revenue.services import close, exports, recognition
from tests.factories.access import make_user
from tests.factories.orders import make_entity, orders_team

FIRST, LAST = dt.date(2026, 8, 1), dt.date(2027, 10, 1)


@dataclass(frozen=True, slots=True)
class Books:
    """An entity with open months, and the people who work on its close."""

    entity: LegalEntity
    team: Actor
    accountant: Actor
    controller: Actor

    def period(self, name: str) -> AccountingPeriod:
        return AccountingPeriod.objects.get(entity=self.entity, name=name)


def person(username: str, *roles: str) -> Actor:
    """Somebody with these shipped roles, made once."""
    found = User.objects.filter(username=username).first()
    return Actor.of(found or make_user(username, *roles))


def make_books(entity: str = "US") -> Books:
    """The books of one of our companies, months from August 2026 to September 2027 open."""
    books = Books(
        entity=make_entity(entity),
        team=orders_team(),
        accountant=person("accountant", "revenue_accounting"),
        controller=person("controller", "controller"),
    )
    with acting(Actor.installer(), reason="test set-up"):
        AccountingPeriod.objects.bulk_create(
            [
                AccountingPeriod(
                    entity=books.entity, name=f"{m.start:%Y-%m}", starts_on=m.start, ends_on=m.end
                )
                for m in month_periods(Period(FIRST, LAST))
            ],
            ignore_conflicts=True,
        )
    return books


def make_rates(from_currency: str, to_currency: str, rates: dict[str, str]) -> None:
    """Exchange rates by day: {"2026-08-01": "1.10"}."""
    with acting(Actor.installer(), reason="test set-up"):
        ExchangeRate.objects.bulk_create(
            ExchangeRate(
                from_currency=from_currency,
                to_currency=to_currency,
                valid_on=dt.date.fromisoformat(day),
                rate=Decimal(rate),
                source="test",
            )
            for day, rate in rates.items()
        )


def deliver() -> None:
    """Deliver every event that waits."""
    outbox.drain()


def recognise(books: Books, month: str) -> RecognitionRun:
    return recognition.run(books.entity.pk, month, actor=books.accountant)


def close_month(books: Books, month: str, *, reason: str = "Known and immaterial") -> CloseRun:
    """Recognise, export, tie out, explain whatever differs, sign and lock."""
    recognise(books, month)
    period = books.period(month)
    exports.build(period.pk, actor=books.accountant)
    run = close.start(period.pk, actor=books.accountant)
    run = close.run_tie_outs(run.pk, actor=books.accountant)
    from revenue.selectors.checklist import unanswered

    for answer in unanswered(run):
        close.explain(run.pk, code=answer.code, reason=reason, actor=books.accountant)
    close.prepare(run.pk, actor=books.accountant)
    return close.lock(run.pk, actor=books.controller)
