"""Any order of submitting, editing, deciding, recalling, delegating and changing the policy keeps the rule.

The rule (the twelfth): a credit memo is posted only with the decisions that its own values need. After every
step the database checks it by itself (deferred triggers made immediate), and the machine in its own words.
O2C_APPROVAL_STEPS says how many steps are tried: 10,000 for a long search.
"""

from __future__ import annotations

import copy
import datetime as dt
import os
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from billing.models import Invoice
from o2c import clock
from o2c.access.models import User
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Decision, Delegation, Policy, Request
from o2c.controls.approvals.services import delegations, policies, submitting
from o2c.errors import DomainError
from tests.approvals.conftest import ACT, draft_memo
from tests.approvals.test_attacks import post_by_hand
from tests.factories.billing import Team, person

pytestmark = pytest.mark.django_db

STEPS = int(os.environ.get("O2C_APPROVAL_STEPS", "90"))
LENGTH = 15
NETS = st.sampled_from(["-900.00", "-4700.00", "-4701.00", "-20000.00", "-20000.01", "-60000.00"])
LIMITS = st.sampled_from(["1000", "5000", "100000"])
PEOPLE = st.sampled_from(["bea", "abe", "connie", "amy", "olga", "cal"])
WHICH = st.integers(0, 2)


@pytest.fixture
def world(team: Team, invoice: Invoice) -> tuple[Team, Invoice]:
    for name, role in (("amy", "approver"), ("olga", "controller"), ("ada", "admin")):
        person(name, role)
    return team, invoice


def test_no_order_of_acts_posts_what_nobody_approved(world):
    team, invoice = world

    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.atomic = transaction.atomic()
            self.atomic.__enter__()
            self.memos = [draft_memo(team, invoice, net) for net in ("900.00", "20000.00", "60000.00")]

        def teardown(self) -> None:
            transaction.set_rollback(True)
            self.atomic.__exit__(None, None, None)

        def tried(self, act: Any) -> None:
            """What is refused changes nothing."""
            try:
                with transaction.atomic():
                    act()
            except (DomainError, DatabaseError):
                return

        def live(self, which: int) -> Request | None:
            return Request.objects.filter(
                act=ACT, subject_id=self.memos[which].pk, state__in=Request.LIVE
            ).first()

        @rule(which=WHICH, name=PEOPLE)
        def submit(self, which: int, name: str) -> None:
            pk = self.memos[which].pk
            self.tried(lambda: approvals.submit(ACT, pk, actor=who(name), reason="Needed"))

        @rule(which=WHICH, name=PEOPLE, net=NETS)
        def edit(self, which: int, name: str, net: str) -> None:
            def change() -> None:
                with acting(who(name), reason="Corrected"):
                    memo = Invoice.objects.get(pk=self.memos[which].pk)
                    memo.lines.update(net=Decimal(net), tax=0)
                    Invoice.objects.filter(pk=memo.pk).update(net=Decimal(net), tax=0, total=Decimal(net))

            self.tried(change)

        @rule(which=WHICH, name=PEOPLE)
        def approve(self, which: int, name: str) -> None:
            if request := self.live(which):
                self.tried(lambda: approvals.approve(request.pk, actor=who(name), reason="Seen"))

        @rule(which=WHICH, name=PEOPLE)
        def reject(self, which: int, name: str) -> None:
            if request := self.live(which):
                self.tried(lambda: approvals.reject(request.pk, actor=who(name), reason="No"))

        @rule(which=WHICH, name=PEOPLE)
        def recall(self, which: int, name: str) -> None:
            if request := self.live(which):
                self.tried(lambda: submitting.recall(request.pk, actor=who(name), reason="Mine"))

        @rule(which=WHICH, name=PEOPLE)
        def ask_again(self, which: int, name: str) -> None:
            if request := self.live(which):
                self.tried(lambda: submitting.renew(request.pk, actor=who(name), reason="Again"))

        @rule(giver=PEOPLE, taker=PEOPLE)
        def delegate(self, giver: str, taker: str) -> None:
            def lend() -> None:
                now = clock.now()
                lent = delegations.give(
                    delegate=User.objects.get(username=taker), valid_from=now,
                    valid_to=now + dt.timedelta(days=2), actor=who(giver), reason="Away",
                )  # fmt: skip
                delegations.accept(lent.pk, actor=who(taker))

            self.tried(lend)

        @rule(limit=LIMITS)
        def change_policy(self, limit: str) -> None:
            def put() -> None:
                content = copy.deepcopy(Policy.objects.get(act=ACT, state="active").content)
                content["bands"]["levels"][0]["up_to"] = limit
                content["bands"]["levels"][1]["up_to"] = "200000"
                row = policies.draft(act=ACT, content=content, actor=who("ada"), reason="Another limit")
                asked = approvals.submit(
                    "approvals.policy.activate", row.pk, actor=who("ada"), reason="Another limit"
                )
                approvals.approve(asked.pk, actor=who("olga"), reason="Agreed")

            self.tried(put)

        @rule(which=WHICH, name=PEOPLE)
        def post_directly(self, which: int, name: str) -> None:
            def force() -> None:
                with acting(who(name), reason="shortcut"):
                    post_by_hand(self.memos[which], who(name))
                    immediately()

            self.tried(force)

        @invariant()
        def only_with_the_decisions_that_its_values_need(self) -> None:
            immediately()
            for memo in Invoice.objects.filter(pk__in=[m.pk for m in self.memos], state="posted"):
                request = Request.objects.filter(act=ACT, result_id=memo.pk, state="committed").first()
                if request is None:
                    continue  # nobody was asked by the policy of that moment: the trigger said so
                assert Decimal(request.facts["total"]) == -memo.total
                decided = Decision.objects.filter(request=request, round=request.round)
                assert not decided.filter(verdict="reject").exists()
                kept = decided.filter(verdict__in=["approve", "carried"])
                assert {one.step_code for one in kept} == set(
                    request.steps.filter(round=request.round).values_list("code", flat=True)
                )
                assert {one.decided_by_id for one in kept}.isdisjoint(hands(request))
                assert all(one.facts_digest == request.facts_digest for one in kept)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=max(STEPS // LENGTH, 1),
            stateful_step_count=LENGTH,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert not Delegation.objects.exists()


def who(name: str) -> Actor:
    return Actor.of(User.objects.get(username=name))


def hands(request: Request) -> set[int]:
    """Whoever asked, or wrote the memo or its lines before it was posted."""
    memo = Invoice.objects.get(pk=request.subject_id)
    wrote = Invoice.history.filter(id=memo.pk, state="draft").values_list("history_user_id", flat=True)
    return {request.requested_by_id, *wrote}


def immediately() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
