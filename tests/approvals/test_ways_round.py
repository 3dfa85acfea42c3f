"""What a policy forbids is not done by another door either: amendments, overrides, coupons, new customers,
parts of a sum."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal as D
from typing import Any

import pytest
from django.db import DatabaseError

from billing.models import Application, BillRun, Invoice
from billing.services import applications, invoices
from billing.services import grants as credit
from o2c.actor import Actor, acting
from o2c.api import problems
from o2c.controls import approvals
from o2c.controls.approvals import registry
from o2c.controls.approvals.models import Request
from o2c.controls.approvals.selectors.facts import facts_now
from o2c.controls.sod.models import Denial
from o2c.errors import Conflict, InvalidInput, NotAuthorised
from orders.models import Amendment, Coupon, Customer, Order, PriceAdjustment, Redemption, Segment
from orders.services import adjustments, amendments, coupons, customers
from orders.services.catalogue import attribute_sku
from orders.services.inputs import CustomerInput
from tests.approvals.conftest import ON, draft_memo
from tests.database import immediately
from tests.factories.billing import Team, person
from tests.factories.orders import line, make_customer, make_order, orders_team

pytestmark = pytest.mark.django_db

DAY = dt.date(2026, 11, 1)


def seller() -> Actor:
    return orders_team("seller", "approvals.request.submit")


@pytest.fixture
def order(team: Team) -> Order:
    lines = [line("SEATS", 10, discount_percent=D(10), override_reason="volume")]
    return make_order(team.orders, make_customer(team.orders), lines, state="active")


def amend(team: Team, order: Order, kind: str, **changes) -> Amendment:
    seats = order.lines.get().pk
    if kind in ("price", "quantity", "plan"):
        changes = {"lines": [{"line": seats, **changes}]}
    elif kind == "add_line":
        changes = {"lines": [changes]}
    return amendments.draft(
        order.pk, kind=kind, effective_on=DAY, changes=changes, as_of=DAY, actor=team.orders, reason="Asked"
    )


def facts(code: str, pk: int) -> dict[str, str]:
    return facts_now(registry.act(code), pk).values


def steps(code: str, pk: int) -> list[str]:
    asked = approvals.needs_approval(code, [pk]).get(pk, [])
    return [one.step.code for one in asked]


CHEAP = {"model": "per_unit", "unit_amount": "30.00"}
DEAR = {"model": "per_unit", "unit_amount": "45.00"}


@pytest.mark.parametrize(
    ("kind", "changes", "asked"),
    [
        ("price", {"discount_percent": "20"}, []),
        ("price", {"discount_percent": "20.0001"}, ["approver"]),
        ("price", {"discount_percent": "40.0001"}, ["approver", "controller"]),
        ("price", {"discount_percent": "5"}, []),
        ("price", {"override": CHEAP}, ["approver"]),
        ("price", {"override": DEAR}, []),
        ("quantity", {"quantity": "11"}, []),
        ("add_line", {"sku": "ONBOARDING", "quantity": "1", "discount_percent": "100"},
         ["approver", "controller"]),
        ("add_line", {"sku": "ONBOARDING", "quantity": "1"}, []),
        ("renew", {"term_months": 12, "uplift_percent": "5"}, []),
        ("renew", {"term_months": 12, "uplift_percent": "-5"}, ["approver"]),
        ("renew", {"term_months": 37}, ["approver", "controller"]),
    ],
)  # fmt: skip
def test_an_amendment_is_asked_about_what_it_adds(team, order, kind, changes, asked):
    assert steps("orders.amendment.apply", amend(team, order, kind, **changes).pk) == asked


def costs(percent: str) -> None:
    immediately()  # the order was activated before
    attribute_sku("SEATS", cost_percent=D(percent), actor=person("mara", "revenue_policy"))


@pytest.mark.parametrize(
    ("kind", "changes", "cost", "asked"),
    [
        ("price", {"discount_percent": "20"}, "48", []),
        ("price", {"discount_percent": "20"}, "48.01", ["approver"]),
        ("price", {"discount_percent": "20"}, "70", ["approver", "controller"]),
        ("quantity", {"quantity": "11"}, "90", []),
        ("add_line", {"sku": "SEATS", "quantity": "1"}, "70", ["approver"]),
        ("add_line", {"sku": "ONBOARDING", "quantity": "1"}, "90", []),
    ],
)
def test_an_amendment_is_asked_about_the_margin_of_what_it_adds(team, order, kind, changes, cost, asked):
    """20 percent off 100 leaves 80; at a cost of 48 that is 32 of 80, 40 percent."""
    costs(cost)
    assert steps("orders.amendment.apply", amend(team, order, kind, **changes).pk) == asked


def test_a_discount_of_a_month_does_not_become_that_of_the_year(team):
    """One month was free, as agreed; the months after are not free because of it."""
    order = make_order(team.orders, make_customer(team.orders), [line("SEATS", 10)], state="active")
    seats = order.lines.get().pk
    month = {"lines": [{"line": seats, "discount_percent": "100"}], "until": "2026-12-01"}
    free = amendments.draft(
        order.pk, kind="price", effective_on=DAY, changes=month, as_of=DAY, actor=team.orders, reason="Moves"
    )
    asked = amendments.ask(free.pk, actor=seller(), reason="Moves")
    for who in (team.approver, team.controller):
        approvals.approve(asked.pk, actor=who, reason="Seen")
    immediately()
    assert Segment.objects.filter(line=seats, discount_percent=100).count() == 1
    year = amend(team, order, "price", discount_percent="100")
    assert steps("orders.amendment.apply", year.pk) == ["approver", "controller"]


def test_a_free_line_by_amendment_is_refused_by_service_and_database(team, order):
    drafted = amend(team, order, "price", discount_percent="90")
    with pytest.raises(Conflict) as refused:
        amendments.apply(drafted.pk, actor=seller(), as_of=DAY)
    assert refused.value.code == "approval_required"
    eve = seller()
    with pytest.raises(DatabaseError, match="needs 1 approval") as stopped, acting(eve, reason="shortcut"):
        Amendment.objects.filter(pk=drafted.pk).update(
            state="applied", applied_by_id=eve.user_id, applied_on=DAY
        )
        immediately()
    answer = problems.problem_of(stopped.value)
    assert (answer.status, answer.code) == (409, "approval_required")
    denial = Denial.objects.get(code="not_approved")
    assert (denial.actor_label, "needs 1 approval" in denial.message) == ("seller", True)


def test_its_request_applies_the_amendment(team, order):
    drafted = amend(team, order, "price", discount_percent="90")
    asked = amendments.ask(drafted.pk, actor=seller(), reason="Lighthouse")
    for who in (team.approver, team.controller):
        approvals.approve(asked.pk, actor=who, reason="Seen")
    assert Request.objects.get(pk=asked.pk).state == "committed"
    immediately()


def test_a_segment_that_was_not_shown_counts_as_a_price_of_its_own(team, order):
    """An amendment says 'one seat less', and opens a segment at a tenth of the price."""
    drafted = amend(team, order, "quantity", quantity="9")
    eve, old = seller(), Segment.objects.get(line__order=order)
    with pytest.raises(DatabaseError, match=r'step "(approver|controller)"'), acting(eve, reason="shortcut"):
        Segment.objects.filter(pk=old.pk).update(ends_on=DAY, closed_by=drafted)
        Segment.objects.create(
            line=old.line, sequence=2, starts_on=DAY, ends_on=old.ends_on, quantity=9, price=old.price,
            discount_percent=90, opened_by=drafted,
        )  # fmt: skip
        Amendment.objects.filter(pk=drafted.pk).update(
            state="applied", applied_by_id=eve.user_id, applied_on=DAY
        )
        immediately()


def test_giving_up_value_without_cancelling_needs_approval_too(team):
    order = make_order(team.orders, make_customer(team.orders), [line("SEATS", 500)], state="active")
    drafted = amend(team, order, "quantity", quantity="0")
    assert D(facts("orders.amendment.apply", drafted.pk)["amount"]) > 50_000
    assert steps("orders.amendment.apply", drafted.pk) == ["approver"]


def override(team: Team, customer: Customer, **said) -> PriceAdjustment:
    return adjustments.draft(
        customer=customer.pk, starts_on=DAY, actor=person("dana", "deal_desk"), reason="Loyal", **said
    )


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ({"method": "percent_off", "value": D(20)}, []),
        ({"method": "percent_off", "value": D("20.5")}, ["approver"]),
        ({"method": "multiply", "value": D("0.5")}, ["approver", "controller"]),
        ({"method": "multiply", "value": D("1.5")}, []),
        ({"method": "amount_off", "value": D("1.00"), "sku": "SEATS"}, ["approver"]),
        ({"method": "replace", "spec": CHEAP, "sku": "SEATS"}, ["approver"]),
        ({"method": "replace", "spec": DEAR, "sku": "SEATS"}, []),
    ],
)
def test_an_override_is_asked_about_what_it_takes_off(team, order, said, asked):
    assert steps("orders.adjustment.activate", override(team, order.customer, **said).pk) == asked


@pytest.mark.parametrize(
    ("said", "cost", "asked"),
    [
        ({"method": "percent_off", "value": D(20)}, "48", []),
        ({"method": "percent_off", "value": D(20)}, "48.01", ["approver"]),
        ({"method": "percent_off", "value": D(20), "sku": "SEATS"}, "70", ["approver", "controller"]),
        ({"method": "percent_off", "value": D(20), "sku": "ONBOARDING"}, "90", []),
        ({"method": "multiply", "value": D("1.5")}, "90", []),
    ],
)
def test_an_override_is_asked_about_the_margin_that_it_leaves(team, order, said, cost, asked):
    costs(cost)
    assert steps("orders.adjustment.activate", override(team, order.customer, **said).pk) == asked


def test_two_overrides_take_off_together_what_they_take_off(team, order):
    first = override(team, order.customer, method="percent_off", value=D(15))
    adjustments.activate(first.pk, actor=team.approver)
    immediately()
    second = override(team, order.customer, method="percent_off", value=D(15), sku="SEATS")
    with pytest.raises(Conflict, match="percent 30"):
        adjustments.activate(second.pk, actor=team.approver)
    asked = adjustments.ask(second.pk, actor=person("dana", "deal_desk"), reason="Renewal at risk")
    approvals.approve(asked.pk, actor=team.approver, reason="Seen")
    assert Request.objects.get(pk=asked.pk).state == "committed"
    immediately()


def test_an_override_is_not_made_longer_by_ending_it(team, order):
    row = override(team, order.customer, method="percent_off", value=D(5), ends_on=dt.date(2026, 12, 1))
    adjustments.activate(row.pk, actor=team.approver)
    with pytest.raises(InvalidInput, match="makes it no longer"):
        adjustments.end(row.pk, ends_on=dt.date(2027, 12, 1), actor=team.approver)


@pytest.fixture
def coupon(team: Team) -> Coupon:
    return coupons.create(code="FREE", method="percent_off", value=D(100), actor=team.controller, reason="x")


def test_a_coupon_holds_once_somebody_else_agreed(team, order, coupon):
    redeem = {"code": "FREE", "line": order.lines.get().pk, "redeemed_on": DAY, "actor": team.orders}
    with pytest.raises(Conflict, match="not in force"):
        coupons.redeem(order.pk, **redeem)
    with pytest.raises(Conflict, match="needs approval by Approver"):
        coupons.activate(coupon.pk, actor=team.controller)
    asked = coupons.ask(coupon.pk, actor=team.controller, reason="Campaign")
    with pytest.raises(NotAuthorised):
        approvals.approve(asked.pk, actor=team.controller, reason="My own")
    approvals.approve(asked.pk, actor=team.approver, reason="Seen")
    immediately()
    assert coupons.redeem(order.pk, **redeem).sequence == 1


@pytest.mark.parametrize("new", [True, False])
def test_a_coupon_is_not_put_in_force_by_hand(team, coupon, new):
    with pytest.raises(DatabaseError, match="needs 1 approval"), acting(team.controller, reason="shortcut"):
        if new:
            Coupon.objects.create(code="MINE", method="percent_off", value=1, active=True)
        else:
            Coupon.objects.filter(pk=coupon.pk).update(active=True)
        immediately()


def test_who_made_a_coupon_does_not_redeem_it(order):
    """S09 looks at who did what, whatever they may do today."""
    carl = person("carl", "controller")
    coupon = coupons.create(code="MINE", method="percent_off", value=D(5), actor=carl, reason="x")
    with pytest.raises(NotAuthorised, match="S09"), acting(carl, reason="shortcut"):
        Redemption.objects.create(coupon=coupon, sequence=1, line=order.lines.get(), redeemed_on=DAY)
        immediately()


CUSTOMER: dict[str, Any] = {
    "bill_to_line1": "742 Evergreen Terrace", "bill_to_city": "Springfield", "bill_to_postal_code": "78701",
    "billing_email": "ap@new.example",
}  # fmt: skip


@pytest.mark.parametrize("values", [{"tax_exempt": True}, {"payment_terms_days": 365}])
def test_a_customer_is_not_born_with_terms_that_need_approval(team, values):
    old = make_customer(team.orders, "Old")
    with pytest.raises(Conflict) as refused:
        customers.upsert(
            CustomerInput(
                name="New", entity="US", currency="USD", country="US", region="TX", **CUSTOMER, **values
            ),
            actor=team.orders,
        )
    assert refused.value.code == "approval_required"
    with pytest.raises(DatabaseError, match="needs 1 approval"), acting(team.orders, reason="shortcut"):
        copy = Customer.objects.get(pk=old.pk)
        copy.pk, copy.number = None, "C-999999"
        for name, value in values.items():
            setattr(copy, name, value)
        copy.save(force_insert=True)
        immediately()


def test_write_offs_of_one_invoice_count_together(team, invoice):
    say = {"reason_code": "uncollectable", "applied_on": ON, "actor": team.controller, "reason": "Small"}
    applications.write_off(invoice.pk, amount=D("200.00"), **say)
    immediately()
    with pytest.raises(Conflict, match="needs approval by Controller"):
        applications.write_off(invoice.pk, amount=D("50.01"), **say)
    assert applications.write_off(invoice.pk, amount=D("50.00"), **say).amount == 50


def test_a_write_off_that_was_approved_is_not_counted_again(team, invoice):
    values = {"amount": "2000.00", "reason_code": "uncollectable", "applied_on": ON.isoformat()}
    asked = approvals.submit(
        "billing.writeoff.post", invoice.pk, actor=person("cole", "collections"), reason="Gone",
        parameters=values,
    )  # fmt: skip
    approvals.approve(asked.pk, actor=team.controller, reason="Seen")
    immediately()
    row = applications.write_off(
        invoice.pk, amount=D("250.00"), reason_code="uncollectable", applied_on=ON, actor=team.controller,
        reason="Small",
    )  # fmt: skip
    assert facts("billing.writeoff.post", row.pk)["amount"] == "250.00"
    assert Application.objects.filter(invoice=invoice, kind="write_off").count() == 2


def test_credit_memos_of_one_invoice_count_together(team, invoice):
    first, second = (draft_memo(team, invoice, net) for net in ("3000.00", "2500.00"))
    assert steps("billing.credit.post", second.pk) == []
    invoices.post(first.pk, actor=team.approver)
    assert steps("billing.credit.post", second.pk) == ["approver"]


def test_promotional_credits_of_a_customer_count_together(team):
    customer = make_customer(team.orders)
    say = {"customer_id": customer.pk, "starts_on": DAY, "actor": team.approver, "reason": "Outage"}
    credit.promote(amount=D("600.00"), **say)
    immediately()
    with pytest.raises(Conflict, match="needs approval by Approver"):
        credit.promote(amount=D("400.01"), **say)
    assert credit.promote(amount=D("400.00"), **say).granted == 400


def test_credits_do_not_make_a_bill_run_smaller(team, invoice):
    memo = draft_memo(team, invoice, "20000.00")
    with acting(team.ops, reason="a run of one credit"):
        run = BillRun.objects.create(number="BR-1", through=ON, issue_on=ON, planned_by_id=team.ops.user_id)
        drafted = Invoice.objects.get(pk=memo.pk)
        drafted.pk, drafted.run = None, run
        drafted.save(force_insert=True)
    assert D(facts("billing.run.release", run.pk)["amount"]) == -memo.total > 0
