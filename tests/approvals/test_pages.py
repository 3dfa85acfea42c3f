"""The pages: asking on the record, deciding in the inbox, with what was looked at."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from billing.models import Invoice
from o2c import clock
from o2c.access.models import User
from o2c.controls import approvals
from o2c.controls.approvals.models import Decision, Delegation, Policy, Request
from o2c.controls.approvals.services import policies
from tests.approvals.conftest import ACT, draft_memo
from tests.factories.billing import person

WEEK = dt.timedelta(days=7)

pytestmark = pytest.mark.django_db


def signed_in(username: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=username), backend="o2c.access.backends.DutyBackend")
    return client


def name(record: Any, what: str) -> str:
    return f"admin:{record._meta.app_label}_{record._meta.model_name}_{what}"


def page(client: Client, record: Any) -> str:
    answer = client.get(reverse(name(record, "change"), args=(record.pk,)))
    assert answer.status_code == 200
    return answer.content.decode()


def dialog(client: Client, record: Any, act: str, **fields: Any) -> Any:
    address = reverse(name(record, "act"), args=(record.pk, act))
    return client.post(address, fields) if fields else client.get(address)


def test_from_the_credit_memo_to_the_inbox_to_posted(team, memo):
    maker, approver = signed_in("bea"), signed_in("abe")
    assert "Needs approval by Approver" in page(approver, memo)
    asked = dialog(maker, memo, "ask_approval").content.decode()
    assert "Who would have to approve this" in asked
    assert "Amount in functional currency 21,650.00 is above 5,000" in asked
    assert "abe" in asked

    dialog(maker, memo, "ask_approval", reason="Wrong price in August")
    request = Request.objects.get(act=ACT, subject_id=memo.pk)

    inbox = approver.get(reverse("admin:queue", args=("approvals.inbox",))).content.decode()
    assert "Wrong price in August" in inbox
    shown = page(approver, request)
    for text in (
        f"About {memo}",
        f'href="{reverse(name(memo, "change"), args=(memo.pk,))}"',
        "What it would book",
        "21,650",
        "Accounts receivable",
        "Credit memos by amount",
        "Who may decide",
    ):
        assert text in shown, text

    stale = dialog(approver, request, "approve", digest="0" * 64, reason="Seen").content.decode()
    assert "looked at other values" in stale
    dialog(approver, request, "approve", digest=request.digest, reason="Seen")
    assert Invoice.objects.get(pk=memo.pk).state == "posted"
    assert "Carried out" in page(approver, request)


def test_a_maker_sees_why_they_cannot_decide(team, memo):
    maker = signed_in("bea")
    dialog(maker, memo, "ask_approval", reason="Wrong price in August")
    assert "You asked for it, or wrote what is to be approved." in page(maker, Request.objects.get())


def test_a_policy_says_whom_it_asks_and_what_the_lint_finds(team):
    shown = page(signed_in("connie"), Policy.objects.get(act=ACT))
    assert "Whom it asks" in shown
    assert "1 person holds billing.credit.approve_large" in shown
    assert "Back-test" in shown


def test_nobody_put_a_draft_in_force(team):
    """It would say that it ships with the product, as those do that nobody drafted."""
    shipped = Policy.objects.get(act=ACT)
    assert "Ships with the product" in page(signed_in("connie"), shipped)
    drafted = policies.draft(
        act=ACT, content=shipped.content, actor=person("ada", "admin"), reason="Looser limits"
    )
    assert "Ships with the product" not in page(signed_in("connie"), drafted)


def test_facts_are_said_for_reading():
    from o2c.controls.approvals.admin.words import said

    assert said("7200.000") == "7,200.00"
    assert said("35.0000") == "35"
    assert said("0.002500000000") == "0.0025"
    assert said("-1200.500") == "-1,200.50"
    assert said("US-INV-2026-000010") == "US-INV-2026-000010"
    assert said("Release 1.2.3000 of 2026.11") == "Release 1.2.3000 of 2026.11"
    assert said("bill_next") == "bill next"
    assert said("false") == said(False) == "no"
    assert said({"10": "Setup: 5.000", "9": "Seats: 12000.000 + tax 1.000"}) == (
        "<div>9. Seats: 12,000.00 + tax 1.00</div><div>10. Setup: 5.00</div>"
    )


def test_bank_details_are_masked_in_facts():
    from o2c import vault
    from o2c.controls.approvals.admin.words import said

    assert said(vault.sealed("4401928837")) == "•••• 8837"


def test_lines_of_a_quote_are_a_table():
    from o2c.controls.approvals.admin.words import rows_of, tabular

    line = {"sku": "SEAT-TEAM", "price": {"model": "per_unit", "unit_amount": "30"}, "ends_on": None,
            "quantity": "200.000000000", "frequency": ""}  # fmt: skip
    assert tabular({"1": line})
    assert not tabular({"1": "one line of text"})
    panel = rows_of("Lines", {"1": line})
    assert [heading for heading, _ in panel.headings] == ["Position", "SKU", "Price", "Quantity"]
    assert [strip_tags(cell.shown) for cell in panel.body[0]][2:] == ["model per unit, unit amount 30", "200"]


def test_the_clause_names_the_fact(team, memo):
    dialog(signed_in("bea"), memo, "ask_approval", reason="Wrong price in August")
    request = Request.objects.get(act=ACT, subject_id=memo.pk)
    assert "Amount in functional currency 21,650.00 is above 5,000" in page(signed_in("abe"), request)


def test_who_would_have_to_approve_is_said_before_it_is_asked(team, invoice):
    """For an act with values of its own: rehearsed with what was entered, and nothing stays."""
    clerk = signed_in(person("colin", "collections").label)
    assert 'name="foresee"' in dialog(clerk, invoice, "ask_write_off").content.decode()
    entered = {"amount": "600.00", "applied_on": "2026-09-10", "reason_code": "insolvency", "foresee": "1"}
    shown = dialog(clerk, invoice, "ask_write_off", **entered).content.decode()
    assert "Who may decide" in shown
    assert "connie" in shown
    assert not Request.objects.exists()


def test_of_a_record_that_is_not_ready_it_is_said_too(team, memo):
    """The button is off for whoever may not ask; what its policy would ask is shown all the same."""
    approver = signed_in("abe")
    assert "Who would have to approve this?" in page(approver, memo)
    shown = dialog(approver, memo, "ask_approval").content.decode()
    assert "be done now" in shown
    assert "Amount in functional currency 21,650.00 is above 5,000" in shown


def test_a_batch_leaves_out_what_changed_since_it_was_looked_at(team, invoice):
    memos = [draft_memo(team, invoice, amount) for amount in ("5100.00", "5200.00")]
    asked = [approvals.submit(ACT, one.pk, actor=team.ops, reason="August") for one in memos]
    approver = signed_in("abe")
    address = reverse("admin:approvals_request_bulk", args=("approve_alike",))
    chosen = {"_selected_action": [one.pk for one in asked], "queue": "approvals.inbox"}
    preview = approver.post(address, chosen).content.decode()
    assert "2 will pass" in preview
    seen = {f"seen_{one.pk}": f"open {one.digest}" for one in asked}
    assert all(value in preview for value in seen.values())
    seen[f"seen_{asked[0].pk}"] = "open " + "0" * 64  # as it stood in the round before
    result = approver.post(address, chosen | seen | {"confirm": "1", "reason": "Looked at"}).content.decode()
    assert "Meanwhile its values changed" in result
    assert [Request.objects.get(pk=one.pk).state for one in asked] == ["open", "committed"]


def test_a_decision_without_a_reason_is_asked_for_one(team, invoice):
    memos = [draft_memo(team, invoice, amount) for amount in ("5100.00", "5200.00")]
    asked = [approvals.submit(ACT, one.pk, actor=team.ops, reason="August") for one in memos]
    approver = signed_in("abe")
    shown = dialog(approver, asked[0], "approve", digest=asked[0].digest, reason=" ").content.decode()
    assert "This field is required" in shown
    address = reverse("admin:approvals_request_bulk", args=("approve_alike",))
    chosen = {"_selected_action": [one.pk for one in asked], "queue": "approvals.inbox", "confirm": "1"}
    assert "This field is required" in approver.post(address, chosen | {"reason": ""}).content.decode()
    assert {one.state for one in Request.objects.all()} == {"open"}

    approver.post(address, chosen | {"reason": "Price list of August"})
    said = Decision.objects.filter(request__in=asked).values_list("comment", flat=True)
    assert list(said) == ["Price list of August"] * 2, "one reason, said of each"


def test_a_batch_that_is_too_large_says_so_before(team, invoice):
    asked = approvals.submit(ACT, draft_memo(team, invoice, "20000.00").pk, actor=team.ops, reason="August")
    address = reverse("admin:approvals_request_bulk", args=("approve_alike",))
    shown = signed_in("abe").post(address, {"_selected_action": [asked.pk]}).content.decode()
    assert "A batch is at most 50 requests" in shown
    assert 'name="confirm"' not in shown


def test_an_approver_delegates_from_the_request(team, second, memo):
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="August")
    colleague = User.objects.get(username="amy")
    entered = {"delegate": colleague.pk, "valid_from": "2026-01-01 00:00", "valid_to": "2026-02-01 00:00"}
    answer = dialog(signed_in("abe"), request, "delegate", **entered, reason="On leave").content.decode()
    assert "A delegation ends in the future" in answer
    start = clock.now()
    entered |= {"valid_from": f"{start:%Y-%m-%d %H:%M}", "valid_to": f"{start + WEEK:%Y-%m-%d %H:%M}"}
    dialog(signed_in("abe"), request, "delegate", **entered, reason="On leave")
    given = Delegation.objects.get()
    assert (given.delegator.username, given.delegate, given.accepted_at) == ("abe", colleague, None)


def test_the_inbox_is_narrowed_to_a_kind(team, memo, invoice):
    approvals.submit(ACT, memo.pk, actor=team.ops, reason="August")
    values = {"amount": "5000.00", "starts_on": dt.date(2026, 9, 1)}
    approvals.submit(
        "billing.grant.promote", invoice.customer_id, actor=team.ops, reason="Outage", parameters=values
    )
    inbox = reverse("admin:queue", args=("approvals.inbox",))
    approver = signed_in("abe")
    every = approver.get(inbox).content.decode()
    assert "August" in every
    assert "Outage" in every
    one = approver.get(inbox, {"by": ACT}).content.decode()
    assert "August" in one
    assert "Outage" not in one


def test_an_approver_by_hand_has_keys(team, memo):
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="August")
    shown = page(signed_in("abe"), request)
    assert [key for key in "arqd" if f'data-o-key="{key}"' in shown] == list("arqd")
