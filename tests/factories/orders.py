"""Customers, a catalogue and orders for tests, made through the services that the product uses.

team = orders_team()                       # an Actor who holds every duty of orders
catalogue = make_catalogue(team)           # SEATS, PLATFORM, TOKENS, ONBOARDING, COMMIT with list prices
customer = make_customer(team)             # in US/USD; make_customer(team, entity="IE", currency="EUR")
order = make_order(team, customer, [line("SEATS", "10")], state="active")
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from o2c.access.models import Role, User
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.errors import Conflict
from o2c.ledger.models import LegalEntity
from orders.duties import DUTIES
from orders.models import Amendment, Coupon, Customer, Order, Price, PriceAdjustment, Sku
from orders.services import adjustments, amendments, catalogue, coupons, customers
from orders.services import orders as order_services
from orders.services.inputs import CustomerInput, LineInput, OrderInput, PriceInput, TermsInput
from tests.factories.access import make_role, make_user

CATALOGUE_FROM = dt.date(2026, 1, 1)
TERM_START = dt.date(2026, 8, 1)
TERM_END = dt.date(2027, 8, 1)

ENTITIES: dict[str, dict[str, str]] = {
    "US": {
        "name": "Acme US",
        "legal_name": "Acme AI Inc.",
        "currency": "USD",
        "country": "US",
        "city": "Austin",
    },
    "IE": {
        "name": "Acme IE",
        "legal_name": "Acme AI Ltd.",
        "currency": "EUR",
        "country": "IE",
        "city": "Dublin",
    },
}
CUSTOMERS: dict[str, dict[str, str]] = {
    "US": {"currency": "USD", "country": "US", "region": "TX", "tax_id": "12-3456789"},
    "IE": {"currency": "EUR", "country": "IE", "tax_id": "IE6433435F", "time_zone": "Europe/Dublin"},
}

# code -> kind, unit, treatment, price per currency
LISTED: dict[str, tuple[str, str, str, dict[str, dict[str, Any]]]] = {
    "SEATS": (
        "recurring",
        "seat",
        "ratable_daily",
        {
            "USD": {"model": "per_unit", "unit_amount": "40.00"},
            "EUR": {"model": "per_unit", "unit_amount": "36.00"},
        },
    ),
    "PLATFORM": (
        "recurring",
        "platform",
        "ratable_daily",
        {"USD": {"model": "flat", "amount": "500.00"}, "EUR": {"model": "flat", "amount": "450.00"}},
    ),
    "TOKENS": (
        "usage",
        "token",
        "usage",
        {
            "USD": {"model": "per_unit", "unit_amount": "0.0000025"},
            "EUR": {"model": "per_unit", "unit_amount": "0.0000023"},
        },
    ),
    "ONBOARDING": (
        "one_time",
        "project",
        "point_in_time",
        {"USD": {"model": "flat", "amount": "2500.00"}, "EUR": {"model": "flat", "amount": "2300.00"}},
    ),
    "COMMIT": (
        "prepaid",
        "commitment",
        "prepaid_drawdown",
        {"USD": {"model": "prepaid", "amount": "9000.00", "credit": "10000.00"}},
    ),
}


def orders_team(username: str = "orders-team", *more: str) -> Actor:
    """Somebody who holds every duty of orders, and those in `more`; made once."""
    user = User.objects.filter(username=username).first()
    if user is None:
        code = f"{username}-role"
        if not Role.objects.filter(code=code).exists():
            make_role(code, [*DUTIES, "orders.read", *more])
        user = make_user(username, code, excused=True)  # one person sets the stage of every app
    return Actor.of(user)


def make_entity(code: str = "US") -> LegalEntity:
    """One of our companies, made once."""
    found = LegalEntity.objects.filter(code=code).first()
    if found is not None:
        return found
    with acting(Actor.installer(), reason="test set-up"):
        return LegalEntity.objects.create(
            code=code,
            line1="1 Main St",
            postal_code="78701",
            email="ar@acme.example",
            bank_name="First Bank",
            bank_account="000123",
            **ENTITIES[code],
        )


def make_catalogue(actor: Actor) -> dict[str, Sku]:
    """The SKUs of LISTED with active list prices from 1 January 2026; made once."""
    if Sku.objects.filter(code="SEATS").exists():
        return {sku.code: sku for sku in Sku.objects.all()}
    catalogue.save_meter(
        "tokens", name="Tokens", unit="token", event_type="llm.tokens", value_property="tokens", actor=actor
    )
    catalogue.save_product("AI", name="AI platform", family="platform", actor=actor)
    skus = {}
    for code, (kind, unit, treatment, _) in LISTED.items():
        skus[code] = catalogue.save_sku(
            code,
            product="AI",
            meter="tokens" if kind == "usage" else "",
            name=code.capitalize(),
            kind=kind,
            unit=unit,
            revenue_treatment=treatment,
            gl_segment="100",
            provisioned=code != "ONBOARDING",
            actor=actor,
        )
    make_prices(
        actor,
        [
            PriceInput(code, currency, spec, CATALOGUE_FROM)
            for code, (_, _, _, specs) in LISTED.items()
            for currency, spec in specs.items()
        ],
    )
    return skus


def make_prices(actor: Actor, items: Sequence[PriceInput]) -> list[Price]:
    """Active list prices; approved where their policy wants it."""
    pks = [price.pk for price in catalogue.draft_prices(items, actor=actor)]
    try:
        return catalogue.activate_prices(pks, actor=actor)
    except Conflict:
        asker = orders_team("order-asker", "approvals.request.submit")
        judges()
        for asked in catalogue.activate_or_ask(pks, actor=asker, reason="New list"):
            approved(asked)
        return list(Price.objects.filter(pk__in=pks).order_by("pk"))


def make_customer(actor: Actor, name: str = "Globex", entity: str = "US", **values: Any) -> Customer:
    """A customer of one of our companies; `values` as in CustomerInput."""
    make_entity(entity)
    defaults: dict[str, Any] = {
        **CUSTOMERS[entity],
        "entity": entity,
        "legal_name": f"{name} Inc.",
        "billing_email": "ap@globex.example",
        "bill_to_line1": "742 Evergreen Terrace",
        "bill_to_city": "Springfield",
        "bill_to_postal_code": "78701",
    }
    exempt = values.pop("tax_exempt", False)
    customer = customers.upsert(CustomerInput(name=name, **{**defaults, **values}), actor=actor)
    if exempt:
        asker = orders_team("order-asker", "approvals.request.submit")
        judges()
        days = customer.payment_terms_days
        approved(
            customers.ask_change_terms(
                customer.pk, payment_terms_days=days, tax_exempt=True, actor=asker, reason="Certificate"
            )
        )
        customer.refresh_from_db()
    return customer


def line(sku: str, quantity: str | int = "1", **values: Any) -> LineInput:
    """A line as it is asked for; `values` as in LineInput."""
    return replace(LineInput(sku, Decimal(quantity)), **values)


def make_order(
    actor: Actor,
    customer: Customer,
    lines: Sequence[LineInput],
    *,
    state: str = "draft",
    starts_on: dt.date = TERM_START,
    ends_on: dt.date | None = TERM_END,
    terms: Mapping[str, Any] | None = None,
    **values: Any,
) -> Order:
    """An order in the state "draft", "signed" or "active"; `terms` as in TermsInput, `values` as in
    OrderInput.
    """
    make_catalogue(actor)
    data = OrderInput(
        customer=customer.pk,
        starts_on=starts_on,
        ends_on=ends_on,
        lines=tuple(lines),
        terms=replace(TermsInput(), **(terms or {})),
        **values,
    )
    order = order_services.create_draft(data, actor=actor)
    if state in ("signed", "active"):
        order = order_services.sign(order.pk, actor=actor, signed_on=starts_on)
    if state == "active":
        order = activated(order, actor, starts_on)
    return order


def activated(order: Order, actor: Actor, as_of: dt.date) -> Order:
    """The order made billable; where it is not standard, by those whom its terms need."""
    if not approvals.needs_approval("orders.order.activate", [order.pk]):
        return order_services.activate(order.pk, actor=actor, as_of=as_of)
    asker = orders_team("order-asker", "approvals.request.submit")
    judges()
    asked = order_services.ask_activate(order.pk, actor=asker, as_of=as_of, reason="Agreed with the customer")
    approved(asked)
    return Order.objects.get(pk=order.pk)


def make_coupon(code: str, **said: Any) -> Coupon:
    """A coupon that can be redeemed: somebody agreed to it."""
    asker = orders_team("order-asker", "approvals.request.submit")
    made = coupons.create(code=code, actor=asker, **said)
    judges()
    approved(coupons.ask(made.pk, actor=asker, reason="Campaign"))
    return Coupon.objects.get(pk=made.pk)


def activated_override(row: PriceAdjustment, actor: Actor) -> PriceAdjustment:
    """The override activated by `actor`; where its policy wants more, by those whom it wants."""
    if not approvals.needs_approval("orders.adjustment.activate", [row.pk]):
        return adjustments.activate(row.pk, actor=actor)
    asker = orders_team("order-asker", "approvals.request.submit")
    judges()
    approved(adjustments.ask(row.pk, actor=asker, reason="Agreed with the customer"))
    return PriceAdjustment.objects.get(pk=row.pk)


def applied_amendment(
    drafted: Amendment, actor: Actor, as_of: dt.date | None = None, reason: str = "Agreed"
) -> Amendment:
    """The amendment applied by `actor`; where its policy wants more, by those whom it wants."""
    if not approvals.needs_approval(amendments.act_of(drafted), [drafted.pk]):
        return amendments.apply(drafted.pk, actor=actor, as_of=as_of, reason=reason)
    asker = orders_team("order-asker", "approvals.request.submit")
    judges()
    approved(amendments.ask(drafted.pk, actor=asker, as_of=as_of, reason=reason))
    return Amendment.objects.get(pk=drafted.pk)


def judges() -> dict[str, Actor]:
    """An approver and a controller, by role; made once. Nothing can be asked for before they are there."""
    return {
        role: Actor.of(
            User.objects.filter(username=f"order-{role}").first() or make_user(f"order-{role}", role)
        )
        for role in ("approver", "controller")
    }


def approved(asked: Request) -> None:
    """Decided by the approver and the controller, each their step."""
    by_role = judges()
    for step in asked.steps.order_by("position"):
        approvals.approve(asked.pk, actor=by_role[step.code], reason="Seen")
