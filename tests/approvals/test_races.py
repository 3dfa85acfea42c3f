"""Two at the same time, over real connections: exactly one wins, the other gets a clear refusal."""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal

import pytest
from django.db import connection

from billing.models import BillRun, Invoice, InvoiceLine
from billing.services import findings, runs
from o2c.actor import acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Decision, Request
from o2c.errors import DomainError
from tests.approvals.conftest import ACT, draft_memo
from tests.factories.billing import bill, billing_team, books, person, post_invoice
from tests.factories.orders import line, make_customer, make_order

pytestmark = pytest.mark.django_db(transaction=True)


class Side(threading.Thread):
    """One side of a race, with a connection of its own, that starts when all are ready."""

    def __init__(self, barrier, act):
        super().__init__()
        self.barrier, self.act, self.error = barrier, act, None

    def run(self):
        try:
            self.barrier.wait(20)
            self.act()
        except Exception as error:  # what happened is asserted by the test
            self.error = error
        finally:
            connection.close()


def race(*acts) -> list:
    barrier = threading.Barrier(len(acts))
    sides = [Side(barrier, act) for act in acts]
    for side in sides:
        side.start()
    for side in sides:
        side.join(60)
    return [side.error for side in sides]


def test_two_approvers_on_the_last_step_and_approve_against_edit(transactional_db):
    team = billing_team()
    books(team)
    second = person("amy", "approver")
    invoice = post_invoice(team, make_customer(team.orders), "100000.00")

    memo = draft_memo(team, invoice, "20000.00")
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    errors = race(
        lambda: approvals.approve(request.pk, actor=team.approver, reason="Seen"),
        lambda: approvals.approve(request.pk, actor=second, reason="Seen"),
    )
    lost = [error for error in errors if error]
    assert len(lost) == 1
    assert isinstance(lost[0], DomainError)
    assert "carried out" in str(lost[0])
    assert Decision.objects.filter(request=request).count() == 1

    memo = draft_memo(team, invoice, "20000.00")
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")

    def edit():
        with acting(team.ops, reason="Corrected"):
            Invoice.objects.select_for_update().get(pk=memo.pk)
            InvoiceLine.objects.filter(invoice=memo).update(net=Decimal("-21000.00"), tax=0)
            Invoice.objects.filter(pk=memo.pk).update(
                net=Decimal("-21000.00"), tax=0, total=Decimal("-21000.00")
            )

    errors = race(lambda: approvals.approve(request.pk, actor=team.approver, reason="Seen"), edit)
    after, asked = Invoice.objects.get(pk=memo.pk), Request.objects.get(pk=request.pk)
    assert sum(error is not None for error in errors) == 1
    if asked.state == "committed":
        assert (after.state, after.net) == ("posted", Decimal("-20000.00"))
    else:
        assert (asked.state, after.state, after.net) == ("open", "draft", Decimal("-21000.00"))
        assert "changed" in str(errors[0])


def test_two_releases_of_one_run(transactional_db):
    """One wins; the other is told that it is released already."""
    team = billing_team()
    books(team)
    second = person("amy", "approver")
    make_order(team.orders, make_customer(team.orders), [line("SEATS", 1)], state="active")
    run = bill(team, dt.date(2026, 9, 1), upto="calculated")
    findings.acknowledge_all(run.pk, actor=team.ops, reason="Looked at")

    errors = race(
        lambda: runs.release(run.pk, actor=team.approver, reason="Fine"),
        lambda: runs.release(run.pk, actor=second, reason="Fine"),
    )
    lost = [error for error in errors if error]
    assert len(lost) == 1
    assert isinstance(lost[0], DomainError)
    after = BillRun.objects.get(pk=run.pk)
    assert after.state == "released"
    assert after.released_by_id in (team.approver.user_id, second.user_id)
    assert BillRun.history.filter(id=run.pk, state="released").count() == 1
