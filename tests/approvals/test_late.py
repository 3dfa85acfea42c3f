"""What is late: told to others than those who were reminded, and in the end a no, whatever it waited for."""

from __future__ import annotations

import copy
import datetime as dt

import pytest
from django.core import mail
from django.db import DatabaseError, connection, transaction

from billing.models import Invoice
from o2c import clock, outbox
from o2c.access.system import system_actor
from o2c.actor import acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Policy, Request, Step
from o2c.controls.approvals.services import carrying, policies, submitting, timers
from o2c.errors import Conflict
from o2c.ledger.models import LegalEntity
from tests.approvals.conftest import ACT
from tests.approvals.test_pages import page, signed_in
from tests.factories.billing import person

pytestmark = pytest.mark.django_db

BANK = {"bank_name": "Other", "bank_account": "99887766", "bank_routing": "", "swift": "OTHRUS33"}


def escalate(request: Request) -> Step:
    """The clock, at the moment at which the step that waits is late; once more finds nothing to do."""
    step = Step.objects.get(request=request, round=request.round, done_at=None)
    assert step.escalate_at
    done = [timers.tick(actor=system_actor(), now=step.escalate_at).escalated for _ in range(2)]
    assert done == [1, 0]
    step.refresh_from_db()
    return step


def told(subject: str) -> dict[str, str]:
    """{address: text} of the messages with these words in their subject."""
    outbox.drain()
    return {
        to: str(message.body) for message in mail.outbox if subject in message.subject for to in message.to
    }


def sql(statement: str, *values: int) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_what_is_late_is_told_to_others_than_those_who_were_reminded(team, memo):
    """Every controller may decide it and was reminded: so whoever could give the duty to another is told."""
    person("ada", "admin")
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    step = escalate(request)

    names = {one["name"] for one in step.escalated_to}
    late = told("is late")
    assert set(told("still waits")) == {"abe@example.com", "connie@example.com"}
    assert "ada" in names
    assert not names & {"abe", "connie", "bea"}
    assert set(late) == {f"{name}@example.com" for name in names}
    assert f"Escalated to {', '.join(one['name'] for one in step.escalated_to)}." in late["ada@example.com"]
    assert "an answer to this message decides nothing" in late["ada@example.com"]
    assert Request.objects.get().state == "open", "nothing is decided by it"
    history = page(signed_in("ada"), request)
    assert "Escalated: Approver" in history
    assert "ada" in history


def test_a_policy_says_to_whom_a_step_escalates(team, memo):
    drafter, agrees = person("ada", "admin"), person("olga", "controller")
    content = copy.deepcopy(Policy.objects.get(act=ACT, state="active").content)
    for step in content["steps"]:
        step["escalate_to"] = "billing.receipt.record"
    person("amy", "approver")
    draft = policies.draft(act=ACT, content=content, actor=drafter, reason="Cash sees to it")
    asked = approvals.submit("approvals.policy.activate", draft.pk, actor=drafter, reason="Cash sees to it")
    approvals.approve(asked.pk, actor=agrees, reason="Agreed")

    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    assert [one["user"] for one in escalate(request).escalated_to] == [team.cash.user_id]


def test_whom_it_was_escalated_to_is_not_rewritten(team, memo):
    person("ada", "admin")
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    step = escalate(request)
    with pytest.raises(DatabaseError, match="runs as it was set"), acting(team.cash, reason="cheat"):
        sql("UPDATE approvals_step SET escalated_to = '[]' WHERE id = %s", step.pk)


def stale(team, memo: Invoice) -> Request:
    """Asked for; then everybody who could decide wrote in it."""
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    for who in (team.approver, team.controller):
        with acting(who, reason="Wording"):
            memo.lines.update(description=f"By {who.label}")
    return submitting.renew(request.pk, actor=team.ops, reason="Reworded")


def approved(team) -> Request:
    """Agreed to, and cooling off."""
    us = LegalEntity.objects.get(code="US")
    request = approvals.submit(
        "ledger.entity.change_bank", us.pk, actor=person("carl", "controller"), reason="New", parameters=BANK
    )
    return approvals.approve(request.pk, actor=team.approver, reason="Called the bank back")


@pytest.mark.parametrize(("state", "said"), [("stale", "nobody was asked"), ("approved", "not carried out")])
def test_what_waits_for_no_decision_expires_too(team, memo, state, said):
    request = stale(team, memo) if state == "stale" else approved(team)
    assert request.state == state
    assert timers.tick(actor=system_actor(), now=clock.now()).expired == 0
    request.refresh_from_db()
    last_day = request.lapses_at
    assert last_day
    begins = carrying.cooled_at(request) if state == "approved" else clock.now()
    assert last_day >= begins + dt.timedelta(days=10), "as long as a step may wait, counted in working hours"
    almost = last_day - dt.timedelta(minutes=1)
    assert timers.tick(actor=system_actor(), now=almost).expired == 0

    assert timers.tick(actor=system_actor(), now=last_day).expired == 1
    request.refresh_from_db()
    assert (request.state, request.decided_at) == ("expired", last_day)
    assert said in request.problem
    assert "that is a no" in request.problem
    [body] = told("expired").values()
    assert said in body
    with pytest.raises(Conflict, match="Only an approved request"):
        carrying.carry_out(request.pk, actor=team.approver, reason="Late")


def test_asked_again_it_has_time_again(team, memo):
    request = stale(team, memo)
    timers.tick(actor=system_actor(), now=clock.now())
    person("amy", "approver")
    again = submitting.renew(request.pk, actor=team.ops, reason="Amy is back")
    assert (again.state, again.lapses_at) == ("open", None)


def test_the_last_day_is_not_moved_by_hand(team, memo):
    request, me = stale(team, memo), team.cash
    timers.tick(actor=system_actor(), now=clock.now())
    for column, value, said in (
        ("lapses_at", "now() - interval '1 day'", "stays as it was set"),
        ("lapses_at", "NULL", "stays as it was set"),
        ("state", "'expired', decided_at = now()", "it lacks a last day that is over"),
    ):
        with pytest.raises(DatabaseError, match=said), acting(me, reason="cheat"):
            sql(f"UPDATE approvals_request SET {column} = {value} WHERE id = %s", request.pk)
