"""Refunds: who has to agree, by amount, by account and in haste; what was agreed to is what is paid."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from billing.services import refunds
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.controls.approvals.services import submitting
from o2c.errors import Conflict, NotAuthorised
from tests.factories.billing import person, post_invoice
from tests.factories.orders import make_customer
from tests.factories.refunds import ON, OTHER, draft, drafter, overpaid, pay, release, releaser

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def customer(team):
    return make_customer(team.orders, "Globex", region="NY")


@pytest.fixture
def people(team):
    """Who could agree: one approver, one controller of a single role each."""
    return releaser(), person("carol", "controller")


def asked_for(refund) -> list[str]:
    request = approvals.submit(refunds_act(), refund.pk, actor=drafter(), reason="The customer asks for it")
    return [step.code for step in request.steps.filter(round=request.round).order_by("position")]


def refunds_act() -> str:
    return "billing.refund.release"


@pytest.mark.parametrize(
    ("amount", "steps"),
    [
        ("1000.00", []),
        ("1000.01", ["approver"]),
        ("25000.00", ["approver"]),
        ("25000.01", ["approver", "controller"]),
    ],
)
def test_by_amount(team, customer, people, amount, steps):
    refund = draft(team, overpaid(team, customer, "30000.00"), amount)
    if steps:
        with pytest.raises(Conflict, match="needs approval by"):
            release(team, refund)
        assert asked_for(refund) == steps
    else:
        assert release(team, refund).state == "released"


@pytest.mark.parametrize(
    ("known", "account", "amount", "steps"),
    [
        ("US33000102034401928837", "", "10.00", []),
        ("US33000102034401928837", "us33 0001 0203 4401 9288 37", "10.00", []),
        ("US33000102034401928837", OTHER, "10.00", ["approver"]),
        ("US33000102034401928837", OTHER, "1000.01", ["approver", "controller"]),
        ("", OTHER, "10.00", ["approver"]),
    ],
)
def test_by_account(team, customer, people, known, account, amount, steps):
    receipt = overpaid(team, customer, "5000.00", account=known)
    refund = draft(team, receipt, amount, payee=refunds.Payee(account=account))
    if steps:
        assert asked_for(refund) == steps
    else:
        assert release(team, refund).state == "released"


def test_by_card_it_goes_back_to_the_payment(team, customer, people):
    receipt = overpaid(team, customer, "50.00", account="", method="card", external_id="ch_1")
    assert release(team, draft(team, receipt, "10.00")).state == "released"
    other = draft(team, receipt, "10.00", payee=refunds.Payee(processor_reference="ch_2"))
    assert asked_for(other) == ["approver"]


@pytest.mark.parametrize(
    ("came_in", "amount", "steps"),
    [
        ("2026-01-27", "10.00", []),  # 14 days before the refund
        ("2026-01-28", "10.00", ["approver"]),
        ("2026-01-28", "1000.01", ["approver", "controller"]),
    ],
)
def test_in_haste(team, customer, people, came_in, amount, steps):
    receipt = overpaid(team, customer, "5000.00", on=dt.date.fromisoformat(came_in))
    refund = draft(team, receipt, amount)
    if steps:
        assert asked_for(refund) == steps
    else:
        assert release(team, refund).state == "released"


def test_a_later_date_makes_the_money_no_older(team, customer, people):
    """Days count to the draft, which history dates: a refund dated next year has not waited."""
    today = dt.datetime.now(dt.UTC).date()
    receipt = overpaid(team, customer, "500.00", on=min(today, dt.date(2026, 12, 31)))
    refund = draft(team, receipt, "10.00", on=dt.date(2026, 12, 31))
    assert asked_for(refund) == ["approver"]


def test_several_small_ones_are_one_large_one(team, customer, people):
    first = overpaid(team, customer, "800.00")
    pay(release(team, draft(team, first, "800.00")))
    second = draft(team, overpaid(team, customer, "800.00"), "300.00")
    with pytest.raises(Conflict, match="needs approval by Approver"):
        release(team, second)
    assert asked_for(second) == ["approver"]
    stranger = make_customer(team.orders, "Initech")
    assert release(team, draft(team, overpaid(team, stranger, "300.00"), "300.00")).state == "released"


def test_a_customer_who_owes_is_asked_about(team, customer, people):
    post_invoice(team, customer, "100.00", issued=dt.date(2026, 1, 2), terms_days=30)  # due before the refund
    assert asked_for(draft(team, overpaid(team, customer, "500.00"), "10.00")) == ["approver"]


def test_what_was_agreed_to_is_paid_and_only_that(team, customer, people):
    approver, controller = people
    receipt = overpaid(team, customer, "60000.00")
    refund = draft(team, receipt, "50000.00")
    request = approvals.submit(refunds_act(), refund.pk, actor=drafter(), reason="Paid twice")
    assert {row["account"] for row in request.effects["journals"]} == {"2130", "2140"}

    refunds.revise(
        refund.pk, amount=D("50000.00"), refund_on=ON, reason_code="overpaid",
        payee=refunds.Payee(account=OTHER), actor=drafter(),
    )  # fmt: skip
    with pytest.raises(Conflict, match="changed"):
        approvals.approve(request.pk, actor=approver, reason="Seen")
    request = submitting.renew(request.pk, actor=drafter(), reason="Another account")
    assert request.round == 2

    approvals.approve(request.pk, actor=approver, reason="Called the customer")
    refund.refresh_from_db()
    assert refund.state == "draft"
    approvals.approve(request.pk, actor=controller, reason="Seen")
    refund.refresh_from_db()
    request.refresh_from_db()
    assert (refund.state, request.state) == ("released", Request.State.COMMITTED)
    assert refund.released_by_id == approver.user_id


def test_whoever_drafted_or_handles_its_cash_does_not_decide(team, customer, people):
    receipt = overpaid(team, customer, "5000.00")
    refund = draft(team, receipt, "2000.00")
    request = approvals.submit(refunds_act(), refund.pk, actor=drafter(), reason="Paid twice")
    for who in (drafter(), team.cash):
        with pytest.raises(NotAuthorised):
            approvals.approve(request.pk, actor=who, reason="Mine")


def test_used_meanwhile_it_is_not_released_by_the_last_approval(team, customer, people):
    from billing.services import receipts

    receipt = overpaid(team, customer, "5000.00")
    refund = draft(team, receipt, "5000.00")
    request = approvals.submit(refunds_act(), refund.pk, actor=drafter(), reason="Paid twice")
    invoice = post_invoice(team, customer, "100.00", issued=ON)
    receipts.apply(receipt.pk, [(invoice.pk, invoice.total)], applied_on=ON, actor=team.cash)

    done = approvals.approve(request.pk, actor=people[0], reason="Seen")
    refund.refresh_from_db()
    assert refund.state == "draft"
    assert "is left" in done.problem
