"""The pages of orders: they open, they say what is missing, and their buttons do what the services do."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib import admin
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from o2c import clock, outbox
from o2c.actor import Actor
from o2c.console.registry import Anchor, Chart, Kpi, Queue, StripStage, registry
from orders.models import (
    Amendment,
    Contact,
    Customer,
    DealIntake,
    Entitlement,
    Order,
    Price,
    Product,
    Quote,
    Sku,
)
from orders.services import amendments, intake
from orders.services import catalogue as catalogue_services
from orders.services.inputs import PriceInput
from tests.factories.access import make_user
from tests.factories.orders import line, make_order, make_prices
from tests.orders.test_intake import DEAL

pytestmark = pytest.mark.django_db

TODAY = dt.date(2026, 11, 20)


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    monkeypatch.setattr(clock, "today", lambda tz="UTC": TODAY)


def client_of(*roles: str, excused: bool = False) -> Client:
    client = Client()
    client.force_login(
        make_user("-".join(roles).replace("_", "-"), *roles, excused=excused),
        backend="o2c.access.backends.DutyBackend",
    )
    return client


@pytest.fixture
def manager(db: None) -> Client:
    return client_of("order_entry", "order_management", excused=True)


@pytest.fixture
def order(team: Actor, customer: Customer) -> Order:
    made = make_order(team, customer, [line("SEATS", 10), line("TOKENS"), line("PLATFORM")], state="active")
    outbox.drain()
    return made


@pytest.fixture
def populated(team: Actor, order: Order, customer: Customer) -> dict[Any, Any]:
    """One of everything."""
    drafted = amendments.draft(
        order.pk,
        kind="quantity",
        effective_on=dt.date(2026, 12, 1),
        changes={"lines": [{"line": order.lines.get(position=1).pk, "quantity": "12"}]},
        actor=team,
        reason="growth",
    )
    from orders.services import quotes
    from orders.services.inputs import QuoteInput

    quote = quotes.create_draft(
        QuoteInput(customer.pk, TODAY, dt.date(2026, 12, 31), (line("SEATS", 3),), term_months=12), actor=team
    )
    bad = {**DEAL, "Amount": "1.00"}
    return {
        Customer: customer,
        Product: Product.objects.get(),
        Sku: Sku.objects.get(code="TOKENS"),
        Price: Price.objects.filter(sku__code="SEATS").first(),
        Quote: quote,
        Order: order,
        Amendment: drafted,
        Entitlement: Entitlement.objects.first(),
        DealIntake: intake.receive(bad, actor=team),
    }


def page(model: Any, pk: int | None = None) -> str:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    return reverse(f"{name}_changelist") if pk is None else reverse(f"{name}_change", args=(pk,))


def do(client: Client, record: Any, act: str, **fields: Any) -> Any:
    name = f"admin:{record._meta.app_label}_{record._meta.model_name}_act"
    return client.post(reverse(name, args=(record.pk, act)), fields)


def test_every_page_opens(manager: Client, populated: dict[Any, Any]) -> None:
    for model, record in populated.items():
        listed = manager.get(page(model))
        assert listed.status_code == 200, model
        shown = manager.get(page(model, record.pk))
        assert shown.status_code == 200, model
        assert str(record) in shown.content.decode(), model
    line_page = manager.get(page(populated[Order].lines.first().__class__, populated[Order].lines.first().pk))
    assert line_page.status_code == 200


def test_every_dialog_opens(manager: Client, populated: dict[Any, Any]) -> None:
    for model, record in populated.items():
        site_admin: Any = admin.site._registry[model]
        for act in site_admin.all_acts:
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}_act"
            answer = manager.get(reverse(name, args=(record.pk, act.name)))
            assert answer.status_code == 200, (model, act.name)
        for list_act in site_admin.list_acts:
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}_list_act"
            assert manager.get(reverse(name, args=(list_act.name,))).status_code == 200


def test_an_order_shows_what_it_is_worth_and_what_is_in_force(manager: Client, order: Order) -> None:
    text = manager.get(page(Order, order.pk)).content.decode()
    assert "10,800.00" in text  # 12 x (10 x 40 + 500)
    assert "40.00 USD per unit a month" in text
    assert "[2026-08-01, 2027-08-01) x 10" in text
    assert "0.0000025 USD per unit" in text


def test_a_list_of_orders_costs_the_same_for_many(
    manager: Client, team: Actor, customer: Customer, order: Order
) -> None:
    def cost() -> int:
        manager.get(page(Order))
        with CaptureQueriesContext(connection) as queries:
            assert manager.get(page(Order)).status_code == 200
        return len(queries)

    few = cost()
    for number in range(10):
        make_order(team, customer, [line("SEATS", number + 1), line("PLATFORM")])
    assert cost() == few


def test_from_new_order_to_active_by_buttons(manager: Client, customer: Customer) -> None:
    url = reverse("admin:orders_order_list_act", args=("new",))
    body = {"customer": customer.number, "starts_on": "2026-12-01", "term_months": "12"}
    made = manager.post(url, {**body, "billing_frequency": "quarter", "signed_total": "4320"})
    order = Order.objects.get()
    assert made["Location"].endswith(page(Order, order.pk))
    answer = do(manager, order, "add_order_line", sku="SEATS", quantity="10", discount_percent="10")
    assert answer.status_code == 302, answer.content.decode()
    do(manager, order, "sign", signed_on="2026-11-19", reason="DocuSign 4711")
    do(manager, order, "activate", as_of="2026-12-01")
    order.refresh_from_db()
    assert (order.state, str(order.signed_on), str(order.activated_on)) == (
        "active",
        "2026-11-19",
        "2026-12-01",
    )
    newest = Order.history.filter(id=order.pk)
    assert {row.history_user.username for row in newest} == {"order-entry-order-management"}
    assert newest.filter(state="signed").first().history_change_reason == "DocuSign 4711"


def test_a_blocked_order_says_why_on_its_page_and_in_its_queue(
    manager: Client, team: Actor, customer: Customer
) -> None:
    catalogue_services.save_sku("BARE", product="AI", name="Bare", kind="recurring", actor=team)
    make_prices(team, [PriceInput("BARE", "USD", {"model": "flat", "amount": "1"}, dt.date(2026, 1, 1))])
    order = make_order(team, customer, [line("BARE")], state="signed")
    shown = manager.get(page(Order, order.pk)).content.decode()
    assert "Can&#x27;t activate: line 1 (BARE): the SKU has no revenue treatment" in shown
    refused = do(manager, order, "activate", as_of="2026-12-01")
    assert refused.status_code == 422
    assert "the SKU has no GL segment" in refused.content.decode()
    queue = manager.get(reverse("admin:queue", args=("orders.blocked",))).content.decode()
    assert order.number in queue
    assert "the SKU has no revenue treatment" in queue
    ready = manager.get(reverse("admin:queue", args=("orders.to_activate",))).content.decode()
    assert order.number not in ready


def test_an_amendment_is_drafted_previewed_and_applied_by_buttons(manager: Client, order: Order) -> None:
    seats = order.lines.get(position=1)
    drafted = do(
        manager,
        order,
        "change_quantity",
        line=seats.pk,
        quantity="15",
        effective_on="2026-12-01",
        reason="growth",
    )
    amendment = Amendment.objects.get()
    assert drafted["Location"].endswith(page(Amendment, amendment.pk))
    url = reverse("admin:orders_amendment_act", args=(amendment.pk, "apply"))
    preview = manager.get(url).content.decode()
    assert "1,600.00" in preview  # eight months of five more seats
    manager.post(url, {"reason": "agreed"})
    amendment.refresh_from_db()
    assert amendment.state == "applied"
    for act, fields in (
        (
            "change_price",
            {"line": seats.pk, "unit_amount": "38", "effective_on": "2027-01-01", "reason": "deal"},
        ),
        ("add_line", {"sku": "ONBOARDING", "quantity": "1", "effective_on": "2026-12-01"}),
        ("renew", {"term_months": "12", "uplift_percent": "3", "reprice": "keep"}),
        ("cancel_from", {"mode": "period_end", "effective_on": "2026-12-10", "reason": "left us"}),
    ):
        answer = do(manager, order, act, **fields)
        assert answer.status_code == 302, (act, answer.content.decode())
    assert [a.kind for a in Amendment.objects.order_by("number")] == [
        "quantity",
        "price",
        "add_line",
        "renew",
        "cancel",
    ]


def test_a_quote_goes_from_draft_to_order_by_buttons(customer: Customer) -> None:
    deal_desk, approver = client_of("deal_desk"), client_of("approver")
    body = {"customer": "Glob", "starts_on": "2026-12-01", "term_months": "12", "valid_until": "2026-12-31"}
    deal_desk.post(
        reverse("admin:orders_quote_list_act", args=("new",)), {**body, "billing_frequency": "month"}
    )
    quote = Quote.objects.get()
    missing = do(deal_desk, quote, "add_line", sku="SEATS", quantity="5", unit_amount="35")
    assert "why is this not the list price?" in missing.content.decode()
    do(
        deal_desk,
        quote,
        "add_line",
        sku="SEATS",
        quantity="5",
        discount_percent="10",
        override_reason="pilot",
    )
    do(deal_desk, quote, "submit")
    queue = approver.get(reverse("admin:queue", args=("orders.quotes_to_approve",))).content.decode()
    assert str(quote.number) in queue
    do(approver, quote, "approve", reason="fine")
    accepted = do(deal_desk, quote, "accept", accepted_on="2026-11-20")
    assert accepted.status_code == 302, accepted.content.decode()
    quote.refresh_from_db()
    assert (quote.state, quote.order.state) == ("accepted", "draft")


def test_failed_provisioning_is_retried_from_its_queue(
    manager: Client,
    order: Order,
    writing,  # type: ignore[no-untyped-def]
) -> None:
    row = Entitlement.objects.filter(line__order=order).first()
    assert row is not None
    with writing():
        Entitlement.objects.filter(pk=row.pk).update(state="provisioning")
        Entitlement.objects.filter(pk=row.pk).update(state="failed", last_error="unknown SKU")
    queue = manager.get(reverse("admin:queue", args=("orders.provisioning_failed",))).content.decode()
    assert "unknown SKU" in queue
    do(manager, row, "retry", reason="SKU was added")
    row.refresh_from_db()
    assert row.state == "pending"


def test_a_parked_deal_says_why_at_the_field(manager: Client, populated: dict[Any, Any]) -> None:
    queue = manager.get(reverse("admin:queue", args=("orders.parked_deals",))).content.decode()
    assert "Amount: is 1.00, and the lines come to 2885.00" in queue
    shown = manager.get(page(DealIntake, populated[DealIntake].pk)).content.decode()
    assert "total_mismatch" in shown


def test_a_renewal_that_is_due_waits_in_its_queue(
    manager: Client, team: Actor, customer: Customer, order: Order
) -> None:
    soon = make_order(team, customer, [line("SEATS")], state="active", ends_on=dt.date(2027, 2, 1))
    queue = manager.get(reverse("admin:queue", args=("orders.renewals",))).content.decode()
    assert soon.number in queue
    assert order.number not in queue


def test_figures_and_strip_are_computed(populated: dict[Any, Any], order: Order, customer: Customer) -> None:
    kpis = {k.code: k.value() for k in registry.all(Kpi) if k.code.startswith("orders.")}
    assert kpis["orders.run_rate"].text == "10,800.00 USD"
    assert kpis["orders.active"].text == "1"
    assert kpis["orders.provisioning"].text == "0 failed"
    assert kpis["orders.intake"].text == "1 parked"
    charts = {c.code: c.data() for c in registry.all(Chart) if c.code.startswith("orders.")}
    assert sum(v or 0 for s in charts["orders.signed_by_month"].series for v in s.values) == 10800
    assert len(charts["orders.ending_by_month"].labels) == 12
    stages = {s.code: s for s in registry.all(StripStage)}
    for anchor in (Anchor("order", (order.pk,)), Anchor("customer", (customer.pk,))):
        amounts = stages["order"].amounts(anchor)
        assert amounts is not None
        assert [(a.amount, a.currency, a.count) for a in amounts] == [(10800, "USD", 1)]
    quoted = stages["quote"].amounts(Anchor("customer", (customer.pk,)))
    assert quoted is not None
    assert [(a.amount, a.currency) for a in quoted] == [(1440, "USD")]
    assert stages["quote"].amounts(Anchor("order", (order.pk,))) == []


def test_home_and_every_queue_open(manager: Client, populated: dict[Any, Any]) -> None:
    assert manager.get("/admin/").status_code == 200
    everybody = client_of("order_entry", "order_management", "deal_desk", "approver", "credit", excused=True)
    for queue in registry.all(Queue):
        if queue.code.startswith("orders."):
            assert everybody.get(reverse("admin:queue", args=(queue.code,))).status_code == 200, queue.code


def test_contacts_and_attribution_by_buttons(
    team: Actor, customer: Customer, catalogue: dict[str, Sku]
) -> None:
    do(client_of("master_data"), customer, "add_contact", name="Ann", email="ann@x.example", kind="legal")
    assert Contact.objects.get().name == "Ann"
    catalogue_services.save_sku("BARE", product="AI", name="Bare", kind="recurring", actor=team)
    sku = Sku.objects.get(code="BARE")
    do(client_of("revenue_policy"), sku, "attribute", revenue_treatment="ratable_daily", gl_segment="200")
    sku.refresh_from_db()
    assert (sku.revenue_treatment, sku.gl_segment) == ("ratable_daily", "200")
    refused = do(
        client_of("order_entry", "order_management", excused=True), sku, "attribute", gl_segment="300"
    )
    assert refused.status_code == 422
    sku.refresh_from_db()
    assert sku.gl_segment == "200"
