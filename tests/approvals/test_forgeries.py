"""Requests, steps, delegations, grants and facts, written by hand in one's own name: none says a lie."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from o2c import clock
from o2c.access.models import RoleDuty, RoleGrant, User
from o2c.access.services import grants
from o2c.access.system import system_actor
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Decision, Delegation, Policy, Request, Step
from o2c.controls.approvals.services import deciding, policies, timers
from o2c.controls.sod.models import SodRule
from o2c.errors import Conflict
from tests.approvals.conftest import ACT, draft_memo
from tests.approvals.test_attacks import immediately, post_by_hand, user_of, write_decision
from tests.factories.access import make_role, make_user
from tests.factories.billing import person

pytestmark = pytest.mark.django_db


def sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@contextmanager
def refused(by: Actor, match: str) -> Iterator[None]:
    """What `by` writes inside is refused by the database in these words, at the latest at the commit."""
    with pytest.raises(DatabaseError, match=match), acting(by, reason="by hand"):
        yield
        immediately()


@pytest.fixture
def asked(team, memo) -> Request:
    return approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")


def test_a_temporary_policy_is_nobody_s_policy(team, memo):
    with refused(team.controller, "needs 1 approval"):
        sql("CREATE TEMP TABLE approvals_policy AS SELECT * FROM public.approvals_policy")
        sql("""UPDATE pg_temp.approvals_policy SET content = '{"steps": []}'""")
        post_by_hand(memo, team.controller)


def test_nobody_asks_in_another_name(team, asked, invoice):
    other = draft_memo(team, invoice, "20000.00")
    with refused(team.approver, "names who asks"):
        copy = Request.objects.get(pk=asked.pk)
        copy.pk, copy.subject_id, copy._state.adding = None, other.pk, True
        copy.save(force_insert=True)


def test_a_step_asks_for_the_duty_that_the_policy_names(team, asked):
    with refused(team.cash, "not as its policy says"):
        Step.objects.create(
            request=asked, round=1, position=2, code="controller", title="x", duty="billing.receipt.apply"
        )


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ('facts = facts || \'{"amount": "1"}\'', "only with a new round"),
        ("amount = 1", "only with a new round"),
        ("excluded = '{}'", "only with a new round"),
        ("digest = repeat('0', 64)", "only with a new round"),
        ("round = 3", "only with a new round"),
        ("state = 'rejected'", "the decision of whoever rejects"),
        ("state = 'recalled'", "whoever asked, who alone"),
        ("state = 'expired', decided_at = now()", "waited too long"),
        ("state = 'approved'", 'step "approver"'),
    ],
)
def test_a_request_says_what_happened(team, asked, said, match):
    with refused(team.cash, match):
        sql(f"UPDATE approvals_request SET {said} WHERE id = %s", asked.pk)


def test_a_commitment_is_of_the_transaction_that_does_it(team, asked):
    """A committed request of a later transaction would let the database forget whose hands are in it."""
    write_decision(asked, team.approver)
    with refused(team.approver, "the transaction that does it"):
        sql(
            "UPDATE approvals_request SET state = 'committed', result_id = subject_id,"
            " committed_txid = 9223372036854775807 WHERE id = %s",
            asked.pk,
        )


def test_the_clock_of_a_step_is_not_turned(team, asked):
    with refused(team.cash, "runs as it was set"):
        sql("UPDATE approvals_step SET expire_at = now() - interval '1 day' WHERE request_id = %s", asked.pk)


@pytest.mark.parametrize("verdict", ["question", "answer"])
def test_nobody_speaks_for_somebody_else(team, asked, verdict):
    with refused(team.cash, "says nothing of request"):
        Decision.objects.create(
            request=asked, round=1, verdict=verdict, decided_by_id=team.approver.user_id,
            facts_digest=asked.facts_digest, digest=asked.digest, comment="I agree",
        )  # fmt: skip


def test_a_delegation_is_given_by_one_and_accepted_by_the_other(team, second):
    now = clock.now()
    values = {
        "delegator_id": team.approver.user_id, "delegate_id": team.cash.user_id, "reason": "x",
        "valid_from": now, "valid_to": now + dt.timedelta(days=1),
    }  # fmt: skip
    with refused(team.cash, "given by the delegator"):
        Delegation.objects.create(**values, accepted_at=now)
    with acting(team.approver, reason="by hand"):
        mine = Delegation.objects.create(**values)
    with refused(team.approver, "accepted by the delegate"):
        Delegation.objects.filter(pk=mine.pk).update(accepted_at=now)
    with refused(second, "ended by one of the two"):
        Delegation.objects.filter(pk=mine.pk).update(revoked_at=now)


def test_when_a_decision_was_made_is_not_for_its_writer_to_say(team, asked):
    """Otherwise the three days of cooling-off are over at once."""
    with refused(team.approver, "not for its writer to say"):
        write_decision(asked, team.approver, recorded_at=clock.now() - dt.timedelta(days=10))


def test_a_policy_is_not_drafted_in_another_name_and_does_not_just_go(team):
    row = Policy.objects.get(act=ACT, state="active")
    with refused(team.controller, "nobody signs for somebody else"):
        Policy.objects.create(
            act=ACT, version=2, title="Mine", content=row.content, drafted_by_id=team.ops.user_id
        )
    with refused(team.cash, "only when another version"):
        Policy.objects.filter(pk=row.pk).update(state="retired", retired_at=clock.now())


def test_a_role_that_governs_does_not_come_by_a_side_door(team):
    held = RoleGrant.objects.get(user_id=team.controller.user_id, role__code="controller")
    with acting(team.cash, reason="end"):
        RoleGrant.objects.filter(pk=held.pk).update(valid_to=clock.now())
    with refused(team.cash, "never made longer"):
        RoleGrant.objects.filter(pk=held.pk).update(valid_to=None)
    with refused(team.cash, "gives no role"):
        RoleGrant.objects.create(
            user_id=team.ops.user_id, role=held.role, granted_by_id=team.cash.user_id,
            valid_from=clock.now(),
        )  # fmt: skip
    with refused(Actor.of(make_user("ada", "admin")), "nobody signs for somebody else"):
        RoleGrant.objects.create(
            user_id=team.ops.user_id, role=held.role, granted_by_id=team.controller.user_id,
            valid_from=clock.now(),
        )  # fmt: skip
    mine = make_role("mine", ["approvals.read"])
    make_user("holder", "mine")
    with refused(team.cash, "a duty that governs the controls"):
        RoleDuty.objects.create(role=mine, duty="approvals.policy.activate")


def test_the_matrix_is_the_owner_s(team):
    with refused(team.cash, "permission denied"):
        SodRule.objects.update(at_grant=False, at_transaction=False)
    with refused(team.cash, "permission denied"):
        sql("INSERT INTO sod_machinemitigation (role, rule, mitigation) VALUES ('crm', '*', 'x')")


def test_what_has_no_amount_is_decided_one_by_one(team, memo):
    first = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    with pytest.raises(Conflict, match="decided one by one"):
        deciding.batch_problem([first, Request(pk=0, act=ACT, currency=first.currency)])


def stricter(team, drafter: Actor, agrees: Actor) -> Policy:
    """A version of the credit policy that asks the controller too, from the first cent, in force."""
    row = Policy.objects.get(act=ACT, state="active")
    content = json.loads(json.dumps(row.content))
    for level in content["bands"]["levels"]:
        level["steps"] = ["approver", "controller"]
    draft = policies.draft(act=ACT, content=content, actor=drafter, reason="Stricter")
    asked = approvals.submit("approvals.policy.activate", draft.pk, actor=drafter, reason="Stricter")
    approvals.approve(asked.pk, actor=agrees, reason="Agreed")
    return draft


def test_a_stricter_policy_asks_again_about_what_is_in_flight(team, asked, second):
    drafter = person("drafter", role_that_drafts())
    other = person("olga", "controller")
    stricter(team, drafter, other)

    with pytest.raises(Conflict, match="stricter policy"):
        approvals.approve(asked.pk, actor=team.approver, reason="Seen")
    assert timers.tick(actor=system_actor(), now=clock.now()).renewed == 1
    asked.refresh_from_db()
    assert (asked.round, asked.policy.version) == (2, 2)
    approvals.approve(asked.pk, actor=team.approver, reason="Seen")
    assert approvals.approve(asked.pk, actor=team.controller, reason="Seen").state == "committed"


def role_that_drafts() -> str:
    return RoleDuty.objects.filter(duty="approvals.policy.draft").values_list("role__code", flat=True)[0]


@pytest.mark.parametrize("how", ["disabled", "role ended"])
def test_the_clock_goes_on_when_somebody_left(team, invoice, second, how):
    """What they approved is asked again; it is no approval of somebody who works here."""
    memo = draft_memo(team, invoice, "60000.00")
    asked = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    approvals.approve(asked.pk, actor=team.approver, reason="Seen")
    with acting(Actor.installer(), reason="left"), transaction.atomic():
        if how == "disabled":
            User.objects.filter(pk=team.approver.user_id).update(is_active=False)
        else:
            RoleGrant.objects.filter(user_id=team.approver.user_id).update(valid_to=clock.now())
    with acting(team.ops, reason="Corrected"):
        memo.lines.update(description="Another text")

    assert timers.tick(actor=system_actor(), now=clock.now()).renewed == 1
    waiting = deciding.waiting_step(Request.objects.get(pk=asked.pk))
    assert (waiting.round, waiting.code) == (2, "approver")
    assert user_of(second).pk != team.approver.user_id
    approvals.approve(asked.pk, actor=second, reason="Seen")
    assert approvals.approve(asked.pk, actor=team.controller, reason="Seen").state == "committed"


def test_grants_still_end(team):
    held = RoleGrant.objects.filter(user_id=team.cash.user_id).earliest("pk")
    assert grants.revoke(held.pk, actor=Actor.of(make_user("ada", "admin")), reason="Left").valid_to


def test_a_password_is_changed_by_its_owner_and_leaves_a_trace(team):
    victim = User.objects.filter(pk=team.approver.user_id)
    with refused(team.cash, "is changed by them or by who maintains users"):
        victim.update(password="x")
    with refused(team.cash, "is changed by them or by who maintains users"):
        victim.update(password="x", password_changed_at=clock.now())
    with refused(team.approver, "leaves a trace"):
        victim.update(password="x")
