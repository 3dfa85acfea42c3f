"""Versions of a policy from a date on: time says which applies, in the service and in the database."""

from __future__ import annotations

import copy
import datetime as dt
import json

import pytest
from django.db import DatabaseError, connection, transaction

from billing.services import invoices
from o2c import clock
from o2c.access.system import system_actor
from o2c.actor import acting
from o2c.controls import approvals
from o2c.controls.approvals import registry
from o2c.controls.approvals.models import Policy, Request
from o2c.controls.approvals.selectors.facts import policy_in_force
from o2c.controls.approvals.services import policies, submitting, timers
from o2c.errors import Conflict, InvalidInput
from tests.approvals.conftest import ACT, draft_memo
from tests.approvals.test_attacks import post_by_hand
from tests.approvals.test_pages import dialog, page, signed_in
from tests.approvals.test_requests import change_line
from tests.database import immediately
from tests.factories.billing import person

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)


def drafted(limit: str, valid_from: dt.datetime | None = None) -> Policy:
    """The next version, with another amount up to which nobody is asked."""
    content = copy.deepcopy(Policy.objects.get(act=ACT, version=1).content)
    content["bands"]["levels"][0]["up_to"] = limit
    return policies.draft(
        act=ACT, content=content, valid_from=valid_from, actor=person("ada", "admin"), reason="Limits of 2027"
    )


@pytest.fixture(autouse=True)
def enough_people(team):
    """A policy wants two who could decide each step."""
    person("amy", "approver")
    person("olga", "controller")


def agreed(row: Policy) -> Policy:
    asked = approvals.submit(
        "approvals.policy.activate", row.pk, actor=person("ada", "admin"), reason="Limits of 2027"
    )
    approvals.approve(asked.pk, actor=person("olga", "controller"), reason="As the board decided")
    immediately()
    return Policy.objects.get(pk=row.pk)


@pytest.fixture
def let_it_begin(as_owner):
    """A minute ago, instead of waiting for its date."""

    def begin(row: Policy) -> None:
        with acting(system_actor(), reason="time goes by"), as_owner(), connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("ALTER TABLE approvals_policy DISABLE TRIGGER o2c_frozen_update")
            cursor.execute(
                "UPDATE approvals_policy SET valid_from = now() - interval '1 minute',"
                " activated_at = now() - interval '1 day' WHERE id = %s",
                [row.pk],
            )
            cursor.execute(
                "UPDATE approvals_policy SET activated_at = now() - interval '2 days' WHERE act = %s"
                " AND version = 1", [ACT],
            )  # fmt: skip
            cursor.execute("ALTER TABLE approvals_policy ENABLE ALWAYS TRIGGER o2c_frozen_update")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")

    return begin


def applies() -> tuple[int, str]:
    """(version, first limit) as the service and as the database see it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT o2c_policy_now(%s)::text", [ACT])
        content = json.loads(cursor.fetchone()[0])
    return policy_in_force(registry.act(ACT))[0].version, content["bands"]["levels"][0]["up_to"]


def states() -> list[str]:
    return list(Policy.objects.filter(act=ACT).order_by("version").values_list("state", flat=True))


def test_a_version_waits_for_its_date_and_then_applies(team, invoice, let_it_begin):
    coming = agreed(drafted("1000", clock.now() + DAY))
    assert (coming.waits, states(), applies()) == (True, ["active", "active"], (1, "5000"))
    invoices.post(draft_memo(team, invoice, "2000.00").pk, actor=team.approver)
    immediately()

    let_it_begin(coming)
    assert applies() == (2, "1000")
    memo = draft_memo(team, invoice, "2000.00")
    with pytest.raises(Conflict, match="is above 1000"):
        invoices.post(memo.pk, actor=team.approver)
    with pytest.raises(DatabaseError, match="needs 1 approval"), acting(team.approver, reason="shortcut"):
        with transaction.atomic():
            post_by_hand(memo, team.approver)
            immediately()
    assert states() == ["active", "active"], "which one applies waits for no clock of the product"
    timers.tick(actor=system_actor(), now=clock.now())
    immediately()
    assert (states(), applies()) == (["retired", "active"], (2, "1000"))


def test_a_request_in_flight_is_asked_again_when_a_stricter_one_begins(team, invoice, let_it_begin):
    content = copy.deepcopy(Policy.objects.get(act=ACT).content)
    for level in content["bands"]["levels"]:
        level["steps"] = ["approver", "controller"]
    row = policies.draft(
        act=ACT,
        content=content,
        valid_from=clock.now() + DAY,
        actor=person("ada", "admin"),
        reason="Stricter",
    )
    agreed(row)
    request = approvals.submit(
        ACT, draft_memo(team, invoice, "20000.00").pk, actor=team.ops, reason="Wrong price"
    )
    assert request.policy.version == 1
    let_it_begin(row)

    with pytest.raises(Conflict, match="stricter policy"):
        approvals.approve(request.pk, actor=team.approver, reason="Seen")
    assert timers.tick(actor=system_actor(), now=clock.now()).renewed == 1
    request.refresh_from_db()
    assert (request.policy.version, request.steps.filter(round=2).count()) == (2, 2)


def test_a_request_in_flight_stays_on_its_version_when_a_looser_one_begins(team, invoice, let_it_begin):
    """Asked again about other values, too: nobody who was promised to be asked is left out."""
    coming = agreed(drafted("40000", clock.now() + DAY))
    memo = draft_memo(team, invoice, "20000.00")
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    let_it_begin(coming)
    assert applies() == (2, "40000")
    assert timers.tick(actor=system_actor(), now=clock.now()).renewed == 0
    change_line(team, memo, "21700.00")

    again = submitting.renew(request.pk, actor=team.ops, reason="Corrected")
    assert (again.state, again.round, again.policy.version) == ("open", 2, 1)
    assert list(again.steps.filter(round=2).values_list("code", flat=True)) == ["approver"]
    assert approvals.approve(request.pk, actor=team.approver, reason="Seen").state == "committed"
    immediately()


def test_what_is_agreed_to_is_the_date_too(team):
    row = drafted("1000", clock.now() + DAY)
    ada = person("ada", "admin")
    asked = approvals.submit("approvals.policy.activate", row.pk, actor=ada, reason="Limits of 2027")
    assert asked.facts["from"] == f"{row.valid_from:%Y-%m-%d %H:%M:%S}"
    policies.change(row.pk, content=row.content, valid_from=None, actor=ada, reason="At once")
    with pytest.raises(Conflict, match="values have changed"):
        approvals.approve(asked.pk, actor=person("olga", "controller"), reason="Seen")


def test_no_version_applies_from_a_date_that_is_over(team):
    with pytest.raises(InvalidInput, match="which is over"):
        drafted("1000", clock.now() - DAY)
    row = drafted("1000")
    with pytest.raises(InvalidInput, match="which is over"):
        policies.change(
            row.pk, content=row.content, valid_from=clock.now() - DAY, actor=person("ada", "admin")
        )


def test_put_in_force_after_its_date_it_applies_from_then_on(team, as_owner):
    row = drafted("1000", clock.now() + DAY)
    with acting(person("ada", "admin"), reason="time goes by"):
        Policy.objects.filter(pk=row.pk).update(valid_from=clock.now() - DAY)
    late = agreed(row)
    assert (late.waits, states(), applies()) == (False, ["retired", "active"], (2, "1000"))
    assert late.activated_at
    assert clock.now() - late.activated_at < dt.timedelta(minutes=5)


def test_by_hand_no_version_goes_before_another_begins_and_none_is_dated_back(team):
    coming = agreed(drafted("1000", clock.now() + DAY))
    first = Policy.objects.get(act=ACT, version=1)
    for row in (first, coming):
        with pytest.raises(DatabaseError, match="goes only when another"), acting(team.cash, reason="cheat"):
            with transaction.atomic():
                Policy.objects.filter(pk=row.pk).update(state="retired")
                immediately()
    with pytest.raises(DatabaseError), acting(team.cash, reason="cheat"), transaction.atomic():
        Policy.objects.filter(pk=coming.pk).update(valid_from=clock.now())
    assert applies() == (1, "5000")


def test_a_request_does_not_follow_a_version_that_waits(team, memo):
    coming = agreed(drafted("45000", clock.now() + DAY))
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    with pytest.raises(DatabaseError, match="changes only with a new round"):
        with acting(team.ops, reason="cheat"), transaction.atomic():
            Request.objects.filter(pk=request.pk).update(policy=coming, round=2)


def test_the_page_asks_from_when_and_says_that_it_waits(team):
    row = drafted("1000")
    ada = signed_in("ada")
    begins = clock.now() + DAY
    dialog(
        ada, row, "change", content=json.dumps(row.content), valid_from=f"{begins:%Y-%m-%d %H:%M}",
        reason="From tomorrow",
    )  # fmt: skip
    row.refresh_from_db()
    assert row.valid_from == begins.replace(second=0, microsecond=0)
    shown = page(signed_in("connie"), agreed(row))
    assert f"It applies from {begins:%Y-%m-%d %H:%M} UTC; until then the one before." in shown
