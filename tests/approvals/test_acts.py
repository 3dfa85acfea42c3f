"""Acts under approval besides credit memos: quotes by terms, bank details, policies, short payments."""

from __future__ import annotations

import copy
import datetime as dt
from decimal import Decimal

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from billing.models import Application
from billing.services import applications
from o2c import clock, outbox
from o2c.access import has_duty
from o2c.access.models import User
from o2c.access.services import accounts
from o2c.access.system import system_actor
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals import registry
from o2c.controls.approvals.models import Policy, Request, Step
from o2c.controls.approvals.selectors.facts import facts_now
from o2c.controls.approvals.services import carrying, policies, timers
from o2c.controls.approvals.services.submitting import preview
from o2c.errors import Conflict, NotAuthorised
from o2c.ledger import services as books_services
from o2c.ledger.models import LegalEntity
from o2c.runtime.models import Heartbeat
from o2c.vault import opened
from orders.models import Quote
from orders.services import quotes
from orders.services.catalogue import attribute_sku
from orders.services.inputs import QuoteInput
from tests.approvals.conftest import ACT, ON
from tests.database import immediately
from tests.factories.access import make_user
from tests.factories.billing import person
from tests.factories.orders import line, make_catalogue, make_customer, make_order

pytestmark = pytest.mark.django_db


def dana() -> Actor:
    return person("dana", "deal_desk")


def submitted(team, discount: str) -> Quote:
    make_catalogue(team.orders)
    customer = make_customer(team.orders)
    data = QuoteInput(
        customer=customer.pk,
        valid_until=dt.date(2030, 1, 1),
        starts_on=dt.date(2026, 9, 1),
        term_months=12,
        lines=(line("SEATS", 10, discount_percent=Decimal(discount), override_reason="strategic"),),
    )
    quote = quotes.create_draft(data, actor=dana())
    return quotes.submit(quote.pk, actor=dana())


def test_a_quote_with_a_high_discount_takes_a_request(team):
    quote = submitted(team, "30")
    with pytest.raises(Conflict, match=r"needs approval by Approver \(max_discount 30.0000 is above 20\)"):
        quotes.approve(quote.pk, actor=team.approver)

    request = approvals.submit("orders.quote.approve", quote.pk, actor=dana(), reason="A rival")
    approvals.approve(request.pk, actor=team.approver, reason="Margin holds")
    quote.refresh_from_db()
    assert (quote.state, quote.approved_by_id) == ("approved", team.approver.user_id)
    immediately()


def test_above_forty_percent_two_people_decide_and_one_who_may_approve_quotes_is_named(team):
    """In the name of the last who decided, when they hold the duty of the act."""
    quote = submitted(team, "45")
    request = approvals.submit("orders.quote.approve", quote.pk, actor=dana(), reason="Lighthouse")
    approvals.approve(request.pk, actor=team.approver, reason="Fine with me")
    done = approvals.approve(request.pk, actor=team.controller, reason="CFO agrees")

    quote.refresh_from_db()
    assert done.state == "committed"
    may = [who for who in (team.controller, team.approver) if has_duty(who, "orders.quote.approve")]
    assert quote.approved_by_id == may[0].user_id
    immediately()


@pytest.mark.parametrize(
    ("discount", "cost", "margin", "steps"),
    [
        ("0", "60.00", "40.00", []),
        ("0", "60.01", "39.99", ["approver"]),
        ("20", "48.00", "40.00", []),
        ("20", "50.00", "37.50", ["approver"]),
        ("20", "68.00", "15.00", ["approver"]),
        ("20", "70.00", "12.50", ["approver", "controller"]),
        ("100", "0.00", "-999", ["approver", "controller"]),
        ("20", None, "100", []),
    ],
)
def test_the_margin_that_a_discount_leaves_decides_too(team, discount, cost, margin, steps):
    """20 percent off 100 leaves 80; at a cost of 50 that is 30 of 80, 37.5 percent."""
    quote = submitted(team, discount)
    if cost is not None:
        attribute_sku("SEATS", cost_percent=Decimal(cost), actor=person("mara", "revenue_policy"))
    assert facts_now(registry.act("orders.quote.approve"), quote.pk).values["min_margin"] == margin
    requester = User.objects.get(username="dana")
    asked, _ = preview("orders.quote.approve", quote.pk, requester=requester)
    assert [one.step.code for one in asked] == steps


@pytest.mark.parametrize("door", ["service", "shell"])
def test_whoever_changed_a_line_of_the_quote_does_not_approve_it(team, door):
    """Only the line, behind the service that would say who edited the quote last."""
    make_catalogue(team.orders)
    customer = make_customer(team.orders)
    data = QuoteInput(
        customer=customer.pk,
        valid_until=dt.date(2030, 1, 1),
        starts_on=dt.date(2026, 9, 1),
        term_months=12,
        lines=(line("SEATS", 10, discount_percent=Decimal(5), override_reason="volume"),),
    )
    quote = quotes.create_draft(data, actor=dana())
    mallory = person("mallory", "approver")
    with acting(mallory, reason="helps"):
        quote.lines.update(discount_percent=Decimal(15))
    quotes.submit(quote.pk, actor=dana())
    with pytest.raises((NotAuthorised, DatabaseError), match="S10"), acting(mallory, reason="yes"):
        if door == "service":
            quotes.approve(quote.pk, actor=mallory)
        else:
            Quote.objects.filter(pk=quote.pk).update(
                state="approved", approved_by_id=mallory.user_id, approved_at=clock.now()
            )


def test_an_order_without_a_quote_is_asked_about_its_margin(team):
    make_catalogue(team.orders)
    attribute_sku("SEATS", cost_percent=Decimal(70), actor=person("mara", "revenue_policy"))
    order = make_order(
        team.orders, make_customer(team.orders), [line("SEATS", 10, discount_percent=Decimal(20))]
    )
    assert facts_now(registry.act("orders.order.activate"), order.pk).values["min_margin"] == "12.50"
    asked, _ = preview("orders.order.activate", order.pk, requester=User.objects.get(pk=team.orders.user_id))
    assert [one.step.code for one in asked] == ["approver", "controller"]


def test_a_quote_does_not_become_approved_by_hand(team):
    quote = submitted(team, "30")
    with pytest.raises(DatabaseError, match="needs 1 approval"), acting(team.approver, reason="shortcut"):
        Quote.objects.filter(pk=quote.pk).update(
            state="approved", approved_by_id=team.approver.user_id, approved_at=clock.now()
        )
        immediately()


BANK = {"bank_name": "Other Bank", "bank_account": "99887766", "bank_routing": "", "swift": "OTHRUS33"}


def three_days_pass(as_owner) -> None:
    immediately()
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE approvals_decision DISABLE TRIGGER o2c_append_only")
        cursor.execute("UPDATE approvals_decision SET recorded_at = recorded_at - interval '73 hours'")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE approvals_decision ENABLE ALWAYS TRIGGER o2c_append_only")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def test_what_was_approved_and_can_not_be_done_says_why(team, as_owner):
    """Not for ever that it cools off until a moment that is over."""
    us = LegalEntity.objects.get(code="US")
    request = approvals.submit(
        "ledger.entity.change_bank", us.pk, actor=team.controller, reason="New bank", parameters=BANK
    )
    approvals.approve(request.pk, actor=team.approver, reason="Called the bank back")
    ada = Actor.of(make_user("ada", "admin"))
    accounts.disable(team.controller.user_id, actor=ada, reason="Left")
    three_days_pass(as_owner)
    assert timers.tick(actor=system_actor(), now=clock.now()).carried == 0
    request.refresh_from_db()
    assert request.state == "approved"
    assert request.problem
    assert "cools off" not in request.problem


def test_bank_details_change_three_days_after_somebody_else_agreed(team, as_owner):
    us = LegalEntity.objects.get(code="US")
    with pytest.raises(Conflict, match="needs approval"):
        books_services.change_bank(us.pk, actor=team.controller, reason="New bank", **BANK)
    with pytest.raises(Conflict, match="needs approval"):
        books_services.save_entity("US", actor=team.controller, bank_account="99887766")
    with pytest.raises(DatabaseError, match="needs 1 approval"), acting(team.controller, reason="cheat"):
        LegalEntity.objects.filter(pk=us.pk).update(bank_account="99887766")
        immediately()

    request = approvals.submit(
        "ledger.entity.change_bank", us.pk, actor=team.controller, reason="New bank", parameters=BANK
    )
    changed = {one["path"] for one in request.effects["changes"]}
    assert "bank_account" in changed
    done = approvals.approve(request.pk, actor=team.approver, reason="Called the bank back")
    assert done.state == "approved"
    assert "cools off until" in done.problem
    with pytest.raises(Conflict, match="cools off"):
        carrying.carry_out(request.pk, actor=team.controller)
    assert opened(LegalEntity.objects.get(code="US").bank_account) != "99887766"

    three_days_pass(as_owner)
    assert timers.tick(actor=system_actor(), now=clock.now()).carried == 1
    assert opened(LegalEntity.objects.get(code="US").bank_account) == "99887766"
    immediately()


def test_a_short_payment_above_the_limit_of_collections(team, invoice):
    values = {"amount": Decimal("150.00"), "reason_code": "bank_charges", "applied_on": ON}
    with pytest.raises(Conflict, match="needs approval by Approver"):
        applications.accept_short_payment(invoice.pk, actor=team.cash, reason="Fee", **values)  # type: ignore[arg-type]
    request = approvals.submit(
        "billing.shortpay.accept", invoice.pk, actor=team.cash, reason="Fee", parameters=values
    )
    assert approvals.approve(request.pk, actor=team.approver, reason="Small").state == "committed"
    immediately()


def test_a_policy_is_linted_and_put_in_force_by_a_controller_who_did_not_write_it(team):
    admin = person("ada", "admin")
    person("olga", "controller")
    content = copy.deepcopy(Policy.objects.get(act=ACT, state="active").content)
    content["bands"]["levels"] = [{"up_to": "1000", "steps": []}]
    broken = policies.draft(act=ACT, content=content, actor=admin, reason="Stricter")
    assert any("gap" in problem.text for problem in policies.problems(broken))
    person("amy", "approver")

    content["bands"]["levels"] = [
        {"up_to": "1000", "steps": []},
        {"up_to": None, "steps": ["approver", "controller"]},
    ]
    policies.change(broken.pk, content=content, actor=admin, reason="Whole now")
    request = approvals.submit("approvals.policy.activate", broken.pk, actor=admin, reason="Audit finding 7")
    approvals.approve(request.pk, actor=team.controller, reason="As agreed")

    assert list(Policy.objects.filter(act=ACT).order_by("version").values_list("state", flat=True)) == [
        "retired",
        "active",
    ]
    immediately()


def test_a_broken_policy_is_not_even_asked_for(team):
    admin = person("ada", "admin")
    content = copy.deepcopy(Policy.objects.get(act=ACT, state="active").content)
    content["bands"]["levels"] = [{"up_to": "1000", "steps": []}]
    broken = policies.draft(act=ACT, content=content, actor=admin, reason="Stricter")
    with pytest.raises(Conflict, match="gap"):
        approvals.submit("approvals.policy.activate", broken.pk, actor=admin, reason="Try")


def test_the_clock_reminds_once_escalates_expires_and_says_that_it_ran(team, memo):
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    step = Step.objects.get(request=request)
    system = system_actor()
    assert step.remind_at
    assert step.expire_at

    first = timers.tick(actor=system, now=step.remind_at)
    again = timers.tick(actor=system, now=step.remind_at)
    assert (first.reminded, again.reminded, first.expired) == (1, 0, 0)
    outbox.drain()
    told = [message for message in mail.outbox if "still waits" in message.subject]
    assert {address for message in told for address in message.to} == {
        "abe@example.com",
        "connie@example.com",
    }
    assert f"/admin/approvals/request/{request.pk}/change/" in told[0].body
    assert "decides nothing" in told[0].body

    last = timers.tick(actor=system, now=step.expire_at)
    assert last.expired == 1
    request.refresh_from_db()
    assert (request.state, memo.state) == ("expired", "draft")
    assert Heartbeat.objects.filter(component="approvals.timer").exists()


def test_the_clock_asks_again_about_what_changed(team, memo):
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    with acting(team.ops, reason="Wording"):
        memo.lines.update(description="Credit: seats")
    assert timers.tick(actor=system_actor(), now=clock.now()).renewed == 1
    request.refresh_from_db()
    assert (request.round, request.state) == (2, "open")
    assert [c["path"] for c in request.rounds.get(number=2).changes] == ["lines.1"]


def test_the_commands_say_who_would_decide_and_what_is_wrong(team, memo, capsys):
    call_command("approvals", "simulate", ACT, str(memo.pk), "--as", "bea")
    said = capsys.readouterr().out
    assert "Approver (billing.credit.post): amount 21650.00 is above 5000" in said
    assert "may decide: abe, connie" in said
    with pytest.raises(SystemExit):
        call_command("approvals", "lint")
    assert "1 person holds billing.credit.approve_large" in capsys.readouterr().out


def test_a_proposal_is_simulated_with_its_values_and_wrong_words_are_said_in_words(team, invoice, capsys):
    """Of the invoice that is meant by its number, not of another record with the same key."""
    say = ["--with", "reason_code=uncollectable", "--with", f"applied_on={ON}", "--as", "bea"]
    act = "billing.writeoff.post"
    call_command("approvals", "simulate", act, "--object", invoice.number, "--with", "amount=250.01", *say)
    assert "Controller (billing.writeoff.post): amount 250.01 is above 250" in capsys.readouterr().out
    call_command("approvals", "simulate", act, str(invoice.pk), "--with", "amount=250.00", *say)
    assert capsys.readouterr().out == "Nobody: the policy asks no one\n"
    assert not Application.objects.filter(kind="write_off").exists()
    for words, text in (
        (["simulate", act, "4711", "--with", "amount=1.00", *say], "There is no invoice with id 4711"),
        (["simulate", act, "INV-none", *say], "no single invoice INV-none"),
        (["simulate", act, str(invoice.pk), *say], "the values do not fit.*amount"),
        (["simulate", act, str(invoice.pk), "--with", "amount=much", *say], "the values do not fit"),
        (["simulate", act, str(invoice.pk), "--as", "nobody"], "There is no user 'nobody'"),
        (["simulate", "no.such.act", "1", "--as", "bea"], "no act under approval"),
        (["backtest", "--draft", "4711"], "no version of a policy with id 4711"),
    ):
        with pytest.raises(CommandError, match=text):
            call_command("approvals", *words)


def test_a_decision_is_asked_in_a_fixed_number_of_queries(team, memo, django_assert_max_num_queries):
    user = User.objects.get(username="bea")
    for n in range(5):
        person(f"approver-{n}", "approver")
    with django_assert_max_num_queries(7):
        asked, field = preview(ACT, memo.pk, requester=user)
    assert len(field.steps["approver"].eligible) == 7
    assert not Request.objects.exists()
