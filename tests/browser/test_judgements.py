"""The treatment of a modification: proposed on the contract, approved on its page by another person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from o2c import outbox
from orders.services import amendments
from revenue.models import RevenueContract, TreatmentJudgement
from tests.browser.test_personas_day import press, state
from tests.factories.billing import books
from tests.factories.orders import applied_amendment, line, make_customer, make_order, orders_team

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]

SignIn = Callable[..., Page]
Shoot = Callable[[Page, str], None]


@pytest.fixture
def contract(transactional_db: None) -> RevenueContract:
    """Ten seats at 40.00 a month from August 2026, half price from November on."""
    books()
    clerk = orders_team()
    order = make_order(clerk, make_customer(clerk, name="Globex"), [line("SEATS", 10)], state="active")
    day = dt.date(2026, 11, 1)
    drafted = amendments.draft(
        order.pk, kind="price", effective_on=day, as_of=day, actor=clerk, reason="Agreed",
        changes={"lines": [{"line": order.lines.get().pk, "discount_percent": "50"}]},
    )  # fmt: skip
    applied_amendment(drafted, clerk, as_of=day)
    outbox.drain()
    return RevenueContract.objects.get(order=order)


def test_a_treatment_is_proposed_and_approved(
    contract: RevenueContract, sign_in: SignIn, shoot: Shoot
) -> None:
    page = sign_in("revenue_accounting", username="rosa")
    page.goto(f"/admin/revenue/revenuecontract/{contract.pk}/change/")
    page.get_by_role("link", name="Propose treatment", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    shoot(page, "judgement-1-dialog")
    page.goto(f"/admin/revenue/revenuecontract/{contract.pk}/change/")
    press(
        page, "Propose treatment", Treatment="Cumulative catch-up", **{"Is_what_remains_distinct?": "No"},
        Memo="One integrated build: what remains cannot be used by itself", Support="Memo RA-12",
    )  # fmt: skip
    state(page, "Proposed")
    expect(page.get_by_text("606-10-25-13(b)").first).to_be_visible()
    shoot(page, "judgement-2-proposed")

    page = sign_in("approver", username="anton")
    expect(page.get_by_role("link", name="Treatments of modifications to decide")).to_be_visible()
    page.goto(f"/admin/revenue/treatmentjudgement/{TreatmentJudgement.objects.get().pk}/change/")
    press(page, "Approve", Reason="Read the memo")
    state(page, "Approved")
    shoot(page, "judgement-3-approved")
    page.goto(f"/admin/revenue/revenuecontract/{contract.pk}/change/")
    expect(page.get_by_text("Treatment judged").first).to_be_visible()
    shoot(page, "judgement-4-contract")
