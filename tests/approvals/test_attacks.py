"""Every other way to a controlled state: the ORM, raw SQL as the app, the owner of the tables."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.models import Application, Invoice
from billing.services import applications
from o2c import clock
from o2c.access.models import User
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.domain import policy as rules
from o2c.controls.approvals.models import Decision, Policy, Request, Round, Step
from o2c.controls.approvals.selectors.inbox import inbox
from o2c.controls.approvals.services import delegations, submitting
from o2c.errors import Conflict, NotAuthorised
from tests.approvals.conftest import ACT, ON, draft_memo
from tests.approvals.domain.test_policy import CONTENT
from tests.factories.access import excuse, make_user
from tests.factories.billing import person

pytestmark = pytest.mark.django_db


def post_by_hand(memo: Invoice, by: Actor) -> None:
    """What a shell would do."""
    Invoice.objects.filter(pk=memo.pk).update(
        state="posted", number=f"X-{memo.pk}", posted_at=clock.now(), posted_by_id=by.user_id
    )


def immediately() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.parametrize("superuser", [False, True])
def test_the_orm_does_not_reach_posted(team, memo, superuser):
    who = Actor.of(make_user("eve", "controller", superuser=superuser))
    with pytest.raises(DatabaseError, match="needs 1 approval"), acting(who, reason="shortcut"):
        post_by_hand(memo, who)
        immediately()


def test_neither_does_the_owner_of_the_tables(team, memo, as_owner):
    with pytest.raises(DatabaseError, match="needs 1 approval"), acting(team.controller, reason="shortcut"):
        with as_owner():
            post_by_hand(memo, team.controller)
            immediately()


def test_a_request_that_is_only_said_to_be_committed_does_not_count(team, memo):
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    with pytest.raises(DatabaseError, match="it lacks step"), acting(team.controller, reason="shortcut"):
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE approvals_request SET state = 'committed', result_id = subject_id,"
                " committed_txid = pg_current_xact_id()::text::bigint WHERE id = %s",
                [request.pk],
            )
        post_by_hand(memo, team.controller)
        immediately()


def test_approved_values_and_others_posted_is_refused(team, memo):
    """The decisions are there, of other values: a cent less would be a cent that nobody approved."""
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    with pytest.raises(DatabaseError, match="needs 1 approval"), acting(team.approver, reason="swap"):
        write_decision(request, team.approver)
        memo.lines.update(net=Decimal("-20000.01"))
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE approvals_request SET state = 'committed', result_id = subject_id,"
                " committed_txid = pg_current_xact_id()::text::bigint WHERE id = %s",
                [request.pk],
            )
        post_by_hand(memo, team.approver)
        immediately()


def write_decision(request: Request, by: Actor, **changed) -> None:
    step = Step.objects.get(request=request, round=request.round, position=1)
    values = {
        "request": request,
        "step": step,
        "round": request.round,
        "step_code": step.code,
        "verdict": "approve",
        "decided_by_id": by.user_id,
        "facts_digest": request.facts_digest,
        "digest": request.digest,
        "comment": "Seen",
        **changed,
    }
    with acting(by, reason="by hand"):
        Decision.objects.create(**values)


def test_the_decision_table_refuses_whoever_may_not_decide(team, memo, second):
    maker = person("both", "billing_ops", "approver", excused=True)
    with acting(maker, reason="Wording"):
        memo.lines.update(description="Credit")
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")

    cases = [
        (team.ops, {}, "does not hold the duty"),
        (maker, {}, "wrote what is to be approved"),
        (team.cash, {}, "does not hold the duty"),
        (team.cash, {"decided_by_id": team.approver.user_id}, "is not who is acting"),
        (team.approver, {"digest": "0" * 64}, "values as they are"),
        (team.approver, {"round": 2}, "values as they are"),
        (team.cash, {"delegator_id": team.approver.user_id}, "has no delegation"),
    ]
    for who, changed, text in cases:
        with pytest.raises(DatabaseError, match=text), transaction.atomic():
            write_decision(request, who, **changed)
    assert not Decision.objects.filter(request=request).exists()
    write_decision(request, second)


def test_decisions_and_rounds_never_change(team, memo):
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    approvals.reject(request.pk, actor=team.approver, reason="No")
    for rows in (Decision.objects, Round.objects):
        for act in ("update", "delete"):
            with pytest.raises(DatabaseError), acting(team.controller, reason="erase"):
                getattr(rows.all(), act)(**({"digest": "x"} if act == "update" else {}))


def test_nobody_puts_a_policy_in_force_by_hand(team):
    row = Policy.objects.get(act=ACT, state="active")
    with pytest.raises(DatabaseError, match="drafted by one person"), acting(team.controller, reason="cheat"):
        Policy.objects.create(
            act="billing.x", version=1, title="x", content=row.content, state="active", shipped=True
        )
    with pytest.raises(DatabaseError), acting(team.controller, reason="cheat"):
        Policy.objects.filter(pk=row.pk).update(content={**row.content, "bands": {}})
    with acting(team.ops, reason="draft"):
        mine = Policy.objects.create(
            act=ACT, version=2, title="Loose", content=row.content, drafted_by_id=team.ops.user_id
        )
    with pytest.raises(DatabaseError, match="needs 1 approval"), acting(team.controller, reason="cheat"):
        Policy.objects.filter(pk=row.pk).update(state="retired")
        Policy.objects.filter(pk=mine.pk).update(state="active", activated_by_id=team.controller.user_id)
        immediately()


def test_a_write_off_is_done_by_its_request_only(team, invoice):
    values: dict[str, Any] = {"amount": Decimal("900.00"), "reason_code": "insolvency", "applied_on": ON}
    with pytest.raises(Conflict, match="needs approval by Controller"):
        applications.write_off(invoice.pk, actor=team.controller, reason="Gone", **values)
    assert not Application.objects.exists()

    request = approvals.submit(
        "billing.writeoff.post", invoice.pk, actor=team.cash, reason="Insolvent", parameters=values
    )
    assert not Application.objects.exists(), "the rehearsal leaves nothing behind"
    assert [j["account"] for j in request.effects["journals"]] == ["1100", "6100"]
    done = approvals.approve(request.pk, actor=team.controller, reason="Court letter seen")

    written = Application.objects.get()
    assert (done.state, done.result_id, written.amount) == ("committed", written.pk, Decimal("900.00"))
    immediately()


def test_a_delegate_decides_in_both_names(team, invoice, second):
    """Connie is away; Amy, an approver, decides the controller's step for her."""
    memo = draft_memo(team, invoice, "60000.00")
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    approvals.approve(request.pk, actor=team.approver, reason="Seen")
    now = clock.now()
    excuse(user_of(second))  # an approver and a controller in one person
    with pytest.raises(NotAuthorised, match=r"does not hold the duty billing.credit.approve_large"):
        approvals.approve(request.pk, actor=second, reason="Not yet")
    lent = delegations.give(
        delegate=user_of(second),
        valid_from=now - dt.timedelta(minutes=1),
        valid_to=now + dt.timedelta(days=3),
        actor=team.controller,
        reason="Holiday",
    )
    with pytest.raises(NotAuthorised):
        approvals.approve(request.pk, actor=second, reason="Before accepting")
    delegations.accept(lent.pk, actor=second)
    assert list(inbox(user_of(second))) == [request]

    assert approvals.approve(request.pk, actor=second, reason="For Connie").state == "committed"
    last = Decision.objects.filter(request=request).latest("pk")
    assert (last.decided_by_id, last.delegator_id) == (second.user_id, team.controller.user_id)
    immediately()


def test_nobody_decides_for_a_maker(team, invoice, second):
    """Connie wrote what is to be approved: nor may whoever stands in for her."""
    memo = draft_memo(team, invoice, "60000.00")
    with acting(team.controller, reason="Wording"):
        memo.lines.update(description="Credit")
    other = person("olga", "controller", "approver", excused=True)
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    approvals.approve(request.pk, actor=team.approver, reason="Seen")
    now = clock.now()
    excuse(user_of(second))
    lent = delegations.give(
        delegate=user_of(second),
        valid_from=now - dt.timedelta(minutes=1),
        valid_to=now + dt.timedelta(days=3),
        actor=team.controller,
        reason="Holiday",
    )
    delegations.accept(lent.pk, actor=second)

    with pytest.raises(NotAuthorised, match=r"delegator wrote what is to be approved"):
        approvals.approve(request.pk, actor=second, reason="For Connie")
    assert approvals.approve(request.pk, actor=other, reason="Agreed").state == "committed"


def user_of(actor: Actor) -> User:
    return User.objects.get(pk=actor.user_id)


NUMBERS = st.decimals("-100000", "100000", places=2).map(str)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(amount=NUMBERS, days=st.integers(0, 90).map(str), more=NUMBERS)
def test_the_database_evaluates_policies_as_python_does(team, amount, days, more):
    said = {"amount": amount, "terms": {"days": days}}
    then = {"amount": more, "terms": {"days": days}}
    watches = CONTENT["steps"][1]["watches"]  # type: ignore[index]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT array(SELECT o2c_approval_steps(%s::jsonb, %s::jsonb)),"
            " o2c_approval_worsened(%s::jsonb, %s::jsonb, %s::jsonb)",
            [json.dumps(CONTENT), json.dumps(said), json.dumps(watches), json.dumps(said), json.dumps(then)],
        )
        steps, worse = cursor.fetchone()
    policy = rules.parse(CONTENT)
    assert steps == [one.step.code for one in rules.asked(policy, said)]
    assert worse == bool(rules.worsened(policy.step("controller").watches, said, then))


def test_a_policy_that_cannot_be_evaluated_stops_everything(team, invoice, as_owner):
    """An engine error is a no, in the service and in the database."""
    memo = draft_memo(team, invoice, "10.00")
    with acting(team.controller, reason="break"), as_owner():
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE approvals_policy DISABLE TRIGGER o2c_frozen_update")
            cursor.execute(
                "UPDATE approvals_policy SET content = jsonb_set(content, '{bands,path}', '\"nothing\"')"
                " WHERE act = %s", [ACT],
            )  # fmt: skip
            cursor.execute("ALTER TABLE approvals_policy ENABLE ALWAYS TRIGGER o2c_frozen_update")
    with pytest.raises(Exception, match="do not say 'nothing'"):
        submitting.submit(ACT, memo.pk, actor=team.ops, reason="Try")
    with pytest.raises(DatabaseError, match="do not say nothing"), acting(team.controller, reason="shortcut"):
        post_by_hand(memo, team.controller)
        immediately()
