"""Every act under approval, done with its approvals and without: the control that performs it anew tells.

The records, and the statements with which somebody would go round an approval, are the self-test's.
"""

from __future__ import annotations

import pytest
from django.db import connection

from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Policy, Request
from o2c.controls.approvals.registry import act, acts
from o2c.controls.selftest import world as stage
from o2c.controls.selftest.world import Subject, World
from o2c.evidence.pack import reperform
from o2c.evidence.registry import Control, controls
from tests import database
from tests.evidence.planting import change, forget, tried, unguarded
from tests.evidence.test_evidence import today

pytestmark = pytest.mark.django_db


def control_of(code: str) -> Control:
    """The control whose exceptions perform the act anew."""
    [found] = [c for c in controls() if f"q.act = '{code}'" in c.exceptions]
    return found


def said(control: Control, code: str) -> set[str]:
    """What the control finds about approvals of the act."""
    rows = reperform(control, *today()).rows
    return {str(problem) for _, problem in rows if f"({code} v" in problem or "cooling-off" in problem}


def by_force(code: str, subject: Subject, who: Actor) -> None:
    """As the owner, with every guard of the table off but what writes history."""
    table = act(code).table
    statement = subject.by_hand.replace("%s", str(subject.pk))
    with acting(who, reason="by force"), database.owner(), connection.cursor() as cursor:
        database.immediately()
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal"
            " AND tgname NOT LIKE 'o2c\\_history%%' AND tgname NOT LIKE 'o2c\\_seal%%'",
            [table],
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'ALTER TABLE {table} DISABLE TRIGGER "{name}"')
        cursor.execute(statement)


def carried_out(request: Request, subject: Subject) -> bool:
    """Approve it as it should be; False where it has to cool off first."""
    for who in (subject.approver, *subject.others):
        request.refresh_from_db()
        if request.state == Request.State.OPEN:
            approvals.approve(request.pk, actor=who, reason="Looked at")
    request.refresh_from_db()
    return request.state == Request.State.COMMITTED


@pytest.fixture
def world() -> World:
    with acting(Actor.installer(), reason="test"):
        made = stage.make()
    database.immediately()  # under the policies of now
    return made


def test_every_act_is_performed_anew(world: World) -> None:
    silent, loud, unheard, cooling = [], [], [], set()
    for code, subject in sorted(world.subjects.items()):
        control = control_of(code)
        if before := said(control, code):
            loud.append((code, before))
        with tried():
            by_force(code, subject, subject.approver)
            if not said(control, code):
                silent.append(code)
        with tried():
            if not carried_out(world.requests[code], subject):
                cooling.add(code)
                continue
            if after := said(control, code):
                loud.append((code, after))
            forget("approvals_decision", "request_id = %s", world.requests[code].pk)
            if not said(control, code):
                unheard.append(code)

    assert silent == [], "done without an approval, and the control found nothing"
    assert unheard == [], "its decisions are gone, and the control found nothing"
    assert loud == [], "approved as it should be, and the control found something"
    assert set(world.subjects) == {one.code for one in acts()}
    assert cooling == {"ledger.entity.change_bank", "partners.bank.change"}


CODE = "billing.credit.post"


def test_what_counts_as_an_approval(world: World) -> None:
    """A credit memo posted with its approval, and then one thing about it is otherwise."""
    memo = world.requests[CODE]
    assert carried_out(memo, world.subjects[CODE])
    control = control_of(CODE)
    drafter, stranger = world.subjects[CODE].asked_by.user_id, world.person("").user_id
    wanted = 'wants 1 approval(s) of step "approver" by others (billing.credit.post v1), has 0'
    assert said(control, CODE) == set()

    for assignment, values in (
        ("decided_by_id = %s", [drafter]),  # who wrote the values
        ("decided_by_id = %s", [stranger]),  # who did not hold the duty then
        ("recorded_at = now() + interval '1 day'", []),  # after the fact
        ("facts_digest = repeat('0', 64)", []),  # of other values
        ("verdict = 'question', comment = '?'", []),
    ):
        with tried():
            change("approvals_decision", assignment, "request_id = %s", *values, memo.pk)
            assert said(control, CODE) == {wanted}, assignment


def test_the_policy_of_then_in_the_currency_of_the_entity(world: World) -> None:
    memo = world.requests[CODE]
    assert carried_out(memo, world.subjects[CODE])
    control = control_of(CODE)
    history, policy = "approvals_historicalpolicy", Policy.objects.get(act=CODE, state="active")
    with tried():
        forget("approvals_decision", "request_id = %s", memo.pk)
        lenient = "jsonb_set(content, '{bands,levels}', '[{\"up_to\": null, \"steps\": []}]')"
        change(history, f"content = {lenient} - 'rules'", "id = %s", policy.pk)
        assert said(control, CODE) == set(), "nothing was wanted then, whatever the policy of today says"
    with tried():
        change(history, "content = jsonb_set(content, '{cooling_hours}', '72')", "id = %s", policy.pk)
        assert said(control, CODE) == {"was carried out before its cooling-off of 72 hours was over"}
    with tried():
        forget(history, "id = %s", policy.pk)
        rows = [tuple(row) for row in reperform(control, *today()).rows]
        assert (memo.result_id, f"no policy {CODE} was in force") in rows
    with tried():
        change("ledger_legalentity", "currency = 'EUR'", "true")
        problems = {problem for _, problem in reperform(control, *today()).rows}
        assert problems == {f"policy {CODE} v1 asks about amount, which no row says"}, "there is no rate"
        with unguarded("ledger_exchangerate") as cursor:
            cursor.execute(
                "INSERT INTO ledger_exchangerate (from_currency, to_currency, valid_on, rate, source)"
                " VALUES ('USD', 'EUR', '2020-01-01', 0.5, 'test')"
            )
        assert reperform(control, *today()).rows == []
        forget("approvals_decision", "request_id = %s", memo.pk)
        assert len(said(control, CODE)) == 1
