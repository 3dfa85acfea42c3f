"""The pages of refunds and bank details: drafting, asking, approving, the file, AWS's answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from o2c.controls.approvals.models import Request
from partners.models import Channel, MarketplaceRefund, RefundFile
from tests.approvals.test_pages import dialog, page, signed_in
from tests.factories.partners import Shop
from tests.partners.test_banks import ACCOUNT, BANK, AsOwner, carol, changed
from tests.partners.test_refunds import INVOICE, abe, answer, billed, draft, pat

pytestmark = pytest.mark.django_db


@pytest.fixture
def maker(shop: Shop) -> Client:
    billed(shop, "8000.00")
    for make in (pat, abe, carol):
        make()
    return signed_in("pat")


def listed(client: Client, act: str, **fields: Any) -> str:
    address = reverse("admin:partners_marketplacerefund_list_act", args=(act,))
    return client.post(address, fields).content.decode()


def test_from_the_agreement_to_awss_answer(shop: Shop, maker: Client) -> None:
    asked = dialog(maker, shop.agreement, "draft_refund").content.decode()
    assert f"{INVOICE} of 2026-09-02: 8,000.00 USD left" in asked
    dialog(
        maker, shop.agreement, "draft_refund", invoice_ref=INVOICE, amount="800.00",
        reason_code="INCORRECT_METERING", description="Hours counted twice",
    )  # fmt: skip
    row = MarketplaceRefund.objects.get()
    assert (row.amount, row.drafted_by.username) == (Decimal(800), "pat")
    assert "7,200.00" in page(maker, shop.agreement)

    approver = signed_in("abe")
    queue = approver.get(reverse("admin:queue", args=("partners.refund.approve",))).content.decode()
    assert "Hours counted twice" in queue
    # The invoice is of September and the refund of today: both have to agree.
    assert "Needs approval by Approver and Controller" in page(approver, row)
    who = dialog(maker, row, "ask_approval").content.decode()
    for said in ("Who would have to approve this", "The invoice is more than 60 days old", "abe", "carol"):
        assert said in who, said
    dialog(maker, row, "ask_approval", reason="Agreed with the buyer")
    for client in (approver, signed_in("carol")):
        request = Request.objects.get()
        dialog(client, request, "approve", digest=request.digest, reason="Seen")
    row.refresh_from_db()
    assert row.state == "approved"

    dialog(maker, row, "submit", reason="Today's file")
    file = RefundFile.objects.get()
    assert page(maker, file)
    address = reverse("admin:documents_document_download", args=(file.document_id,))
    assert maker.get(address).content == bytes(file.document.content)
    assert "Carried out" in listed(maker, "answers", text=answer("800.00", "COMPLETED", "ba-1"))
    assert MarketplaceRefund.objects.get().adjustment_ref == "ba-1"


def test_who_may_not_sees_why(shop: Shop, maker: Client) -> None:
    row = draft(shop)
    assert "not hold the duty partners.refund.approve" in page(maker, row)
    approver = signed_in("abe")
    assert "not hold the duty partners.refund.cancel" in page(approver, row)


def test_pages_show_the_last_four_of_an_account(shop: Shop, maker: Client, as_owner: AsOwner) -> None:
    assert "Its bank account is not known" in page(maker, shop.channel)
    changed(shop.channel, as_owner)
    channel = Channel.objects.get(pk=shop.channel.pk)
    for client in (maker, signed_in("carol")):
        shown = page(client, channel)
        assert "8837" in shown
        assert ACCOUNT not in shown
    request = Request.objects.get()
    assert ACCOUNT not in page(signed_in("carol"), request)
    once = dialog(signed_in("carol"), channel, "reveal_bank", reason="Call back").content.decode()
    assert ACCOUNT in once


def test_the_change_is_asked_for_on_the_page(shop: Shop, maker: Client) -> None:
    dialog(maker, shop.channel, "ask_bank", reason="Told us", **BANK)
    assert Request.objects.get().act == "partners.bank.change"
    assert not Channel.objects.get(pk=shop.channel.pk).bank_account
