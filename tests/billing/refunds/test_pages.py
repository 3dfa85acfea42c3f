"""The pages of refunds: the buttons do what the services do, and no page shows an account."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from billing.models import Receipt, Refund
from o2c.access.models import ReadEvent, User
from o2c.vault import opened
from orders.models import Customer
from tests.factories.billing import Team
from tests.factories.refunds import ACCOUNT, OTHER, draft, drafter, overpaid, release, releaser, teller

pytestmark = pytest.mark.django_db
CLEAR = ACCOUNT.replace(" ", "")


def signed_in(username: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=username), backend="o2c.access.backends.DutyBackend")
    return client


@pytest.fixture
def receipt(team: Team, customer: Customer) -> Receipt:
    drafter(), releaser(), teller()
    return overpaid(team, customer, "500.00")


def said(**values: Any) -> dict[str, Any]:
    fields = {
        "amount": "200.00", "reason_code": "duplicate", "refund_on": "2026-02-10", "method": "wire",
        "reason": "The customer paid twice",
    }  # fmt: skip
    return fields | values


def test_from_the_receipt_to_the_bank(team: Team, receipt: Receipt) -> None:
    page = f"/admin/billing/receipt/{receipt.pk}/do/refund/"
    shown = signed_in("bill").get(page).content.decode()
    assert "At most 500.00" in shown
    assert "8837, from which it was paid" in shown
    signed_in("bill").post(page, said())

    refund = Refund.objects.get()
    assert (refund.state, refund.reason_code, opened(refund.payee_account)) == ("draft", "duplicate", CLEAR)
    signed_in("bill").post(f"/admin/billing/refund/{refund.pk}/do/revise/", said(amount="150.00"))
    refund.refresh_from_db()
    assert (str(refund.amount), opened(refund.payee_account)) == ("150.000", CLEAR)

    signed_in("abe").post(f"/admin/billing/refund/{refund.pk}/do/release/", {"reason": "Checked"})
    refund.refresh_from_db()
    assert (refund.state, refund.released_by_id) == ("released", releaser().user_id)
    signed_in("remy").post(
        f"/admin/billing/refund/{refund.pk}/do/pay/",
        {"paid_on": "2026-02-12", "payment_reference": "BANK-1", "reason": ""},
    )
    refund.refresh_from_db()
    assert (refund.state, refund.paid_on) == ("paid", dt.date(2026, 2, 12))


def test_from_a_large_draft_to_the_question_who_decides(team: Team, receipt: Receipt) -> None:
    refund = draft(team, overpaid(team, receipt.customer, "2000.00"), "1500.00")
    page = signed_in("abe").get(f"/admin/billing/refund/{refund.pk}/change/").content.decode()
    assert "Needs approval by Approver" in page
    asking = signed_in("bill").get(f"/admin/billing/refund/{refund.pk}/do/ask_approval/").content.decode()
    assert "Who would have to approve this" in asking
    assert "abe" in asking


def test_no_page_shows_an_account_and_another_one_is_said(team: Team, receipt: Receipt) -> None:
    from billing.services.refunds import Payee

    refund = draft(team, receipt, "100.00", payee=Payee(account=OTHER))
    client = signed_in("abe")
    for address in (
        f"/admin/billing/refund/{refund.pk}/change/",
        f"/admin/billing/refund/{refund.pk}/history/",
        f"/admin/billing/refund/{refund.pk}/do/reveal_payee/",
        f"/admin/billing/receipt/{receipt.pk}/change/",
        "/admin/billing/refund/",
    ):
        text = client.get(address, follow=True).content.decode()
        assert CLEAR not in text
        assert OTHER.replace(" ", "") not in text
        assert "enc:" not in text
    assert (
        "not where the money came from"
        in client.get(f"/admin/billing/refund/{refund.pk}/change/").content.decode()
    )

    revealed = client.post(
        f"/admin/billing/refund/{refund.pk}/do/reveal_payee/", {"reason": "Compare with the letter"}
    ).content.decode()
    assert OTHER.replace(" ", "") in revealed
    assert ReadEvent.objects.get().why == "Compare with the letter"


def test_everybody_finds_what_they_have_to_do(team: Team, receipt: Receipt) -> None:
    waiting = draft(team, receipt, "100.00")
    out = release(team, draft(team, receipt, "50.00"))
    for who, code, number in (
        ("bill", "billing.refund.drafts", waiting.number),
        ("abe", "billing.refund.release", waiting.number),
        ("remy", "billing.refund.paid", out.number),
    ):
        page = signed_in(who).get(f"/admin/queues/{code}/").content.decode()
        assert number in page
        assert {waiting.number: out.number, out.number: waiting.number}[number] not in page
