"""A deal from signature to cash, by the hands that do it: five people, one browser."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from billing.models import BillRun, Invoice, Receipt
from o2c import clock, outbox
from o2c.runtime import jobs
from orders.models import Order
from tests.factories.billing import books
from tests.factories.orders import line, make_customer, make_order, orders_team

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]

SignIn = Callable[..., Page]
Shoot = Callable[[Page, str], None]


@pytest.fixture
def draft(transactional_db: None) -> Order:
    """Twenty seats at 40.00 dollars a month from 1 August 2026, not signed yet."""
    books()
    clerk = orders_team()
    customer = make_customer(clerk, name="Globex")
    return make_order(clerk, customer, [line("SEATS", 20)], state="draft")


def work() -> None:
    """What workers do meanwhile: events and jobs."""
    outbox.drain()
    for job in jobs.due(clock.now()):
        jobs.run(job)
    outbox.drain()


def press(page: Page, act: str, **fields: str) -> None:
    """Press the button of an act, fill in its dialog by label, confirm, and wait for the page after it."""
    page.get_by_role("link", name=act, exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    for label, text in fields.items():
        field = dialog.get_by_label(label.replace("_", " "))
        if field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(label=text)
        else:
            field.fill(text)
    dialog.locator("button[type=submit]").click()
    expect(page.get_by_text(f"Done: {act.rstrip('…')}")).to_be_visible()


def state(page: Page, text: str) -> None:
    expect(page.locator(".o-title .o-badge")).to_have_text(text)


def test_from_signature_to_cash(draft: Order, sign_in: SignIn, shoot: Shoot) -> None:
    order_page = f"/admin/orders/order/{draft.pk}/change/"

    # Order entry signs; order management, who entered nothing, activates.
    page = sign_in("order_entry", username="olivia")
    expect(page.get_by_role("link", name="Draft orders to finish and sign")).to_be_visible()
    page.goto(order_page)
    press(page, "Mark as signed", Signed_on="2026-07-28", Reason="Order form of 28 July")
    page = sign_in("order_management", username="omar")
    page.goto(order_page)
    press(page, "Activate", Active_from="2026-08-01", Reason="Checked against the order form")
    state(page, "Active")
    shoot(page, "day-1-order")
    work()

    # Billing operations bill August and September in advance, and look at what was found.
    page = sign_in("billing_ops", username="bea")
    page.goto("/admin/billing/billrun/")
    press(page, "Plan a run", Legal_entity="US Acme US", Bill_up_to="2026-08-31", Invoice_date="2026-08-01")
    press(page, "Calculate")
    work()
    page.reload()
    state(page, "Calculated")
    press(page, "Acknowledge findings…", Reason="First bill of a new contract")
    run = BillRun.objects.get()
    run_page = f"/admin/billing/billrun/{run.pk}/change/"
    release = page.get_by_role("button", name="Release")
    expect(release).to_be_disabled()
    shoot(page, "day-2-run")

    # A second person releases it, from the queue.
    page = sign_in("approver", username="anton")
    page.get_by_role("link", name="Bill runs to release").click()
    page.get_by_role("link", name="Release", exact=True).click()
    page.get_by_role("dialog").get_by_label("Reason").fill("Totals agree with the plan")
    page.get_by_role("dialog").get_by_role("button", name="Release").click()
    expect(page.get_by_role("heading", name="All done")).to_be_visible()

    # Posting is a job; the page shows how it ended.
    page = sign_in("billing_ops", username="bea")
    page.goto(run_page)
    press(page, "Post")
    work()
    page.reload()
    state(page, "Posted")
    invoice = Invoice.objects.get(state="posted")
    assert (invoice.net, invoice.currency) == (Decimal("800.000"), "USD")

    # The amount explains itself, and agrees with the facts of now.
    page.goto(f"/admin/billing/invoice/{invoice.pk}/change/")
    shoot(page, "day-3-invoice")
    page.get_by_role("link", name="Why").first.click()
    expect(page.get_by_text("It agrees.")).to_be_visible()
    shoot(page, "day-4-why")

    # Cash receipts record the money; collections, who received nothing, apply it.
    page = sign_in("cash_receipts", username="remy")
    page.goto("/admin/billing/receipt/")
    press(
        page,
        "Record receipt",
        Legal_entity="US Acme US",
        Customer=invoice.customer.number,
        Amount=str(invoice.total),
        Currency="USD",
        Value_date="2026-08-20",
        Reference=invoice.number or "",
    )
    receipt = Receipt.objects.get()
    page = sign_in("collections", username="colin")
    page.goto(f"/admin/billing/receipt/{receipt.pk}/change/")
    press(page, "Apply…", Applied_on="2026-08-20")
    receipt.refresh_from_db()
    assert receipt.applied == invoice.total

    # The order shows the whole way: ordered, invoiced, paid.
    page.goto(order_page)
    strip = page.locator(".o-strip")
    expect(strip.get_by_text("all settled")).to_be_visible()
    expect(strip.locator("li", has_text="Invoice")).to_contain_text(f"{invoice.total:,.2f}")
    shoot(page, "day-5-order")
    assert Order.objects.get(pk=draft.pk).state == "active"
    assert dt.date(2026, 8, 1) == invoice.issue_date
