"""A request's life: asked, decided, done; and what refuses it."""

from __future__ import annotations

import copy
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from billing.models import Invoice, InvoiceLine
from billing.services import invoices
from o2c.actor import acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Decision, Policy, Request, Round
from o2c.controls.approvals.services import deciding, policies, submitting
from o2c.errors import Conflict, InvalidInput, NotAuthorised
from tests.approvals.conftest import ACT, draft_memo
from tests.approvals.test_attacks import write_decision
from tests.factories.billing import person

pytestmark = pytest.mark.django_db


def check_now() -> None:
    """What commit would check."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def change_line(team, memo: Invoice, net: str) -> None:
    """The drafter corrects the credit; the sums of the draft follow."""
    with acting(team.ops, reason="Corrected"):
        InvoiceLine.objects.filter(invoice=memo).update(net=-Decimal(net), tax=0)
        Invoice.objects.filter(pk=memo.pk).update(net=-Decimal(net), tax=0, total=-Decimal(net))


def test_without_a_request_a_large_credit_is_not_posted(team, memo):
    with pytest.raises(Conflict, match=r"needs approval by Approver \(amount .* is above 5000\)"):
        invoices.post(memo.pk, actor=team.approver)


def test_a_small_credit_needs_the_second_person_only(team, invoice):
    small = draft_memo(team, invoice, "400.00")

    assert invoices.post(small.pk, actor=team.approver).state == "posted"
    check_now()
    assert not Request.objects.exists()


def test_the_last_approval_posts_exactly_what_was_shown(team, memo):
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price in August")

    assert request.state == "open"
    assert request.amount == Decimal(request.facts["total"])
    booked = {line["account"]: (line["debit"], line["credit"]) for line in request.effects["journals"]}
    debit, credit = map(Decimal, booked["1100"])
    assert credit - debit == Decimal("21650.00"), "20,000.00 and 8.25 % sales tax off the receivable"
    assert Invoice.objects.get(pk=memo.pk).state == "draft", "the rehearsal leaves nothing behind"

    done = approvals.approve(request.pk, actor=team.approver, reason="Checked against the price list")

    posted = Invoice.objects.get(pk=memo.pk)
    assert (done.state, posted.state, posted.posted_by_id) == ("committed", "posted", team.approver.user_id)
    assert done.result_id == memo.pk
    check_now()
    kept = Round.objects.get(request=request)
    assert kept.exclusions == []
    assert "amy" not in str(kept.eligible)


def test_above_the_approvers_limit_the_controller_decides_too(team, invoice):
    large = draft_memo(team, invoice, "60000.00")
    request = approvals.submit(ACT, large.pk, actor=team.ops, reason="Contract ended early")

    after_one = approvals.approve(request.pk, actor=team.approver, reason="Seen")
    assert after_one.state == "open"
    assert Invoice.objects.get(pk=large.pk).state == "draft"
    with pytest.raises(NotAuthorised, match="One person decides one step"):
        approvals.approve(request.pk, actor=team.approver, reason="Again")

    done = approvals.approve(request.pk, actor=team.controller, reason="Agreed with the CFO")
    assert done.state == "committed"
    check_now()


def test_who_drafted_may_not_decide_whoever_asked(team, invoice):
    """The hands in the values count, not who pressed 'ask'."""
    both = person("both", "billing_ops", "approver", excused=True)
    memo = draft_memo(team, invoice, "20000.00")
    with acting(both, reason="Corrected the wording"):
        InvoiceLine.objects.filter(invoice=memo).update(description="Credit: seats of August")
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")

    assert both.user_id in request.excluded
    with pytest.raises(NotAuthorised, match="wrote what is to be approved"):
        approvals.approve(request.pk, actor=both, reason="Looks right")


def test_who_decides_no_requests_could_decide_no_step(team):
    """The duty of a step does not make an approver: its holders count when they decide requests at all."""
    person("dana", "deal_desk")  # redeems coupons
    content = copy.deepcopy(Policy.objects.get(act=ACT, state="active").content)
    content["steps"][0]["duty"] = "orders.coupon.redeem"
    said = [problem.text for problem in policies.check(ACT, content)]
    assert any("0 people hold orders.coupon.redeem" in text for text in said), said


def test_when_nobody_could_decide_the_request_is_refused_with_names(team, invoice):
    memo = draft_memo(team, invoice, "20000.00")
    for who in (team.approver, team.controller):
        with acting(who, reason="Touched"):
            InvoiceLine.objects.filter(invoice=memo).update(description=f"By {who.label}")

    with pytest.raises(Conflict, match=r"abe \(wrote what is to be approved\), connie \(wrote"):
        approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")


def test_one_cent_more_voids_the_approval_and_only_worse_asks_again(team, invoice):
    memo = draft_memo(team, invoice, "60000.00")
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    approvals.approve(request.pk, actor=team.approver, reason="Seen")

    change_line(team, memo, "60000.01")
    with pytest.raises(Conflict, match="values have changed"):
        approvals.approve(request.pk, actor=team.controller, reason="Agreed")
    renewed = submitting.renew(request.pk, actor=team.ops, reason="One cent more")

    assert renewed.round == 2
    assert list(Decision.objects.filter(request=request).values_list("round", "verdict")) == [
        (1, "approve")
    ], "the old decision stays, and is not carried over"
    waiting = deciding.waiting_step(renewed)
    assert waiting.code == "approver"


@pytest.mark.parametrize("silence", ["", " \t\n"])
def test_whoever_decides_says_why(team, memo, silence):
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    by = {"actor": team.approver, "reason": silence}
    for decide, rule in ((approvals.approve, "An approval says why"), (approvals.reject, "A rejection says")):
        with pytest.raises(InvalidInput, match=rule):
            decide(request.pk, **by)
    with pytest.raises(InvalidInput, match="An approval says why"):
        deciding.approve_many([request.pk], **by)
    with pytest.raises(InvalidInput, match="A question says what"):
        deciding.ask(request.pk, **by)
    assert Request.objects.get(pk=request.pk).state == "open"
    for verdict in ("approve", "reject"):
        with pytest.raises(DatabaseError, match="approvals_decision_says_why"), transaction.atomic():
            write_decision(request, team.approver, verdict=verdict, comment=silence)
    assert not Decision.objects.exists()


def test_a_rejection_stays_for_ever(team, memo):
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    approvals.reject(request.pk, actor=team.approver, reason="The price list was right")

    again = approvals.submit(ACT, memo.pk, actor=team.ops, reason="New evidence")
    assert again.pk != request.pk
    assert Decision.objects.get(request=request).comment == "The price list was right"


def test_only_whoever_asked_recalls(team, memo, second):
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    with pytest.raises(NotAuthorised):
        submitting.recall(request.pk, actor=second)
    assert submitting.recall(request.pk, actor=team.ops).state == "recalled"


def test_without_a_policy_nothing_passes(team, memo, invoice, as_owner):
    small = draft_memo(team, invoice, "10.00")
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE approvals_policy DISABLE TRIGGER o2c_stays_in_force")
    with acting(team.controller, reason="Removed"):
        policy = Policy.objects.get(act=ACT, state="active")
        policy.retire()
        policy.save()

    for pk in (memo.pk, small.pk):
        with pytest.raises(Conflict, match="No approval policy is in force"):
            invoices.post(pk, actor=team.approver)
    with pytest.raises(Conflict, match="No approval policy is in force"):
        approvals.submit(ACT, memo.pk, actor=team.ops, reason="Try")


def test_the_decision_is_about_the_page_that_was_seen(team, memo):
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    with pytest.raises(Conflict, match="looked at other values"):
        approvals.approve(request.pk, actor=team.approver, reason="Seen", digest="0" * 64)
