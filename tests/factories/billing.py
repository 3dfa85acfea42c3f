"""People of billing, books, tax rates, and posted invoices, made through the services of the product.

team = billing_team()                  # .ops, .approver, .controller, .cash: four people
books()                                    # US (USD) and IE (EUR) with open periods for 2026, tax rates
invoice = post_invoice(team, customer, "100.00")
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from billing.models import BillRun, Invoice, Receipt, TaxRate
from billing.services import findings, invoices, receipts, runs
from o2c.access.models import User
from o2c.actor import Actor, acting
from o2c.ledger.models import ExchangeRate, LegalEntity
from o2c.ledger.services import open_periods
from o2c.periods import Period
from orders.models import Customer
from tests.factories.access import make_user
from tests.factories.orders import make_entity, orders_team

YEAR = Period(dt.date(2026, 1, 1), dt.date(2027, 1, 1))
RATES: tuple[tuple[str, str, str, str, str], ...] = (
    ("US", "TX", "saas", "Sales tax", "0.0825"),
    ("US", "CA", "saas", "Sales tax", "0"),
    ("US", "NY", "standard", "Sales tax", "0.08875"),
    ("US", "TX", "standard", "Sales tax", "0.0825"),
    ("IE", "", "standard", "VAT", "0.23"),
    ("DE", "", "standard", "VAT", "0.19"),
    ("FR", "", "standard", "VAT", "0.20"),
)
DAY = dt.date(2026, 8, 31)


def person(username: str, *roles: str, excused: bool = False) -> Actor:
    """A person with these shipped roles, made once; `excused` as `make_user` says."""
    user = User.objects.filter(username=username).first() or make_user(username, *roles, excused=excused)
    return Actor.of(user)


@dataclass(frozen=True)
class Team:
    """Who does what in billing. Made when first asked for; several roles: sets the stage for others."""

    @cached_property
    def ops(self) -> Actor:
        return person("bea", "billing_ops", "master_data", excused=True)

    @cached_property
    def approver(self) -> Actor:
        return person("abe", "approver")

    @cached_property
    def controller(self) -> Actor:
        return person("connie", "controller", "revenue_accounting", "approver", excused=True)

    @cached_property
    def cash(self) -> Actor:
        return person("cal", "collections", "cash_receipts", excused=True)

    @cached_property
    def orders(self) -> Actor:
        return orders_team()


def billing_team() -> Team:
    team = Team()
    _ = (team.ops, team.approver, team.controller, team.cash, team.orders)
    return team


def books(team: Team | None = None) -> dict[str, LegalEntity]:
    """Both companies with the periods of 2026 open, euro rates and the tax rates of RATES; made once."""
    team = team or billing_team()
    entities = {code: make_entity(code) for code in ("US", "IE")}
    for entity in entities.values():
        open_periods(entity, YEAR, actor=team.controller)
    with acting(Actor.installer(), reason="test set-up"):
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
        if not ExchangeRate.objects.exists():
            for pair, day, rate in (
                (("EUR", "USD"), "2026-01-01", "1.10"),
                (("EUR", "USD"), "2026-09-15", "1.20"),
                (("USD", "EUR"), "2026-01-01", "0.90"),
                (("USD", "EUR"), "2026-09-15", "0.80"),
            ):
                ExchangeRate.objects.create(
                    from_currency=pair[0],
                    to_currency=pair[1],
                    valid_on=dt.date.fromisoformat(day),
                    rate=Decimal(rate),
                    source="test",
                )
    return entities


def post_invoice(
    team: Team, customer: Customer, *nets: str, issued: dt.date = DAY, terms_days: int = 30, po: str = ""
) -> Invoice:
    """A posted invoice with one line entered by hand per net, before tax."""
    draft = invoices.draft(
        customer_id=customer.pk,
        lines=[invoices.ManualLine(f"Work {n}", Decimal(net)) for n, net in enumerate(nets, start=1)],
        issue_date=issued,
        terms_days=terms_days,
        po_number=po,
        actor=team.ops,
        reason="test",
    )
    return invoices.post(draft.pk, actor=team.approver)


def receive(
    team: Team,
    customer: Customer | None,
    amount: str,
    *,
    on: dt.date = dt.date(2026, 9, 10),
    reference: str = "",
    entity: LegalEntity | None = None,
    currency: str = "",
    external_id: str | None = None,
) -> Receipt:
    """A recorded receipt of a customer, or of nobody yet."""
    owner = entity or (customer.entity if customer else make_entity("US"))
    return receipts.record(
        entity_id=owner.pk,
        customer_id=customer.pk if customer else None,
        currency=currency or (customer.currency if customer else owner.currency),
        amount=Decimal(amount),
        received_on=on,
        reference=reference,
        external_id=external_id,
        actor=team.cash,
    )


def bill(
    team: Team,
    through: dt.date,
    *,
    entity: str = "US",
    upto: str = "posted",
    issue_on: dt.date | None = None,
    chunk: int = 200,
) -> BillRun:
    """A bill run taken as far as `upto`: planned, calculated, released or posted; findings acknowledged."""
    run = runs.plan(
        entity_id=make_entity(entity).pk, through=through, issue_on=issue_on, chunk=chunk, actor=team.ops
    )
    if upto == "planned":
        return run
    run = runs.calculate(run.pk, actor=team.ops)
    if upto == "calculated":
        return run
    findings.acknowledge_all(run.pk, actor=team.ops, reason="Looked at")
    run = runs.release(run.pk, actor=team.approver)
    if upto == "released":
        return run
    return runs.post(run.pk, actor=team.ops)
