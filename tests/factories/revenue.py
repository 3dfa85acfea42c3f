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

from billing.models import BillRun, TaxRate
from billing.services import dimensions, metering
from o2c import outbox
from o2c.access.models import User
from o2c.actor import Actor, acting
from o2c.ledger.models import AccountingPeriod, ExchangeRate, Journal, LegalEntity
from o2c.periods import Period, month_periods
from orders.models import Customer
from revenue.models import CloseRun, RecognitionRun
from revenue.selectors.checklist import unanswered
from revenue.services import close, exports, recognition
from tests.factories.access import make_user
from tests.factories.billing import RATES, bill, billing_team
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


def person(username: str, *roles: str, excused: bool = False) -> Actor:
    """Somebody with these shipped roles, made once; `excused` as `make_user` says."""
    found = User.objects.filter(username=username).first()
    return Actor.of(found or make_user(username, *roles, excused=excused))


def make_books(entity: str = "US") -> Books:
    """The books of one of our companies, months from August 2026 to September 2027 open."""
    books = Books(
        entity=make_entity(entity),
        team=orders_team(),
        # Proposes prices and builds contracts (S36): a stage for both.
        accountant=person("accountant", "revenue_accounting", "revenue_policy", excused=True),
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
        if not TaxRate.objects.exists():
            TaxRate.objects.bulk_create(
                TaxRate(
                    country=country,
                    region=region,
                    category=category,
                    name=name,
                    rate=Decimal(rate),
                    effective_from=dt.date(2020, 1, 1),
                )
                for country, region, category, name, rate in RATES
            )
    return books


def invoice(books: Books, through: str, issue_on: str = "") -> BillRun:
    """Bill everything due before `through`, post it and deliver the events."""
    run = bill(
        billing_team(),
        dt.date.fromisoformat(through),
        entity=books.entity.code,
        issue_on=dt.date.fromisoformat(issue_on) if issue_on else None,
    )
    deliver()
    return run


def use(books: Books, customer: Customer, tokens: str, on: str, event_id: str = "") -> None:
    """Metered tokens of a customer on a day, through the real intake."""
    dimensions.forget()
    actor = orders_team("usage-team", "billing.usage.ingest")
    outcomes = metering.ingest_events(
        "gateway",
        [
            {
                "id": event_id or f"{customer.number}-{on}-{tokens}",
                "customer": customer.number,
                "meter": "tokens",
                "time": f"{on}T12:00:00Z",
                "quantity": tokens,
            }
        ],
        actor=actor,
        as_of=dt.datetime.fromisoformat(f"{on}T13:00:00+00:00"),
    )
    assert sum(o.accepted for o in outcomes) == 1, outcomes


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
    if Journal.objects.filter(period=period, gl_export__isnull=True).exists():
        exports.build(period.pk, actor=books.accountant)
    run = close.start(period.pk, actor=books.accountant)
    run = close.run_tie_outs(run.pk, actor=books.accountant)
    for answer in unanswered(run):
        close.explain(run.pk, code=answer.code, reason=reason, actor=books.accountant)
    close.prepare(run.pk, actor=books.accountant)
    return close.lock(run.pk, actor=books.controller)
