"""Exceptions end and are decided by others; reviews are sealed, and silence revokes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from django.db import DatabaseError, connection
from django.test import Client

from o2c import clock
from o2c.access.models import Role, RoleGrant, User
from o2c.access.services import grants
from o2c.actor import Actor, acting
from o2c.controls.sod import tasks
from o2c.controls.sod.invariants import nobody_holds_both_sides
from o2c.controls.sod.models import Campaign, ReviewItem, SodException, SodRule
from o2c.controls.sod.schedule import SCHEDULE
from o2c.controls.sod.services import exceptions, reviews
from o2c.errors import Conflict, InvalidInput, NotAuthorised
from orders.models import Customer
from tests.factories.access import PASSWORD, make_account, make_user
from tests.factories.orders import make_customer

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Actor:
    return Actor.of(make_user("ada", "admin"))


@pytest.fixture
def carla() -> Actor:
    return Actor.of(make_user("carla", "controller"))


def ask(ada: Actor, rule: str = "S01", days: int = 30) -> SodException:
    anna = make_user("anna", "order_entry")
    return exceptions.request(
        anna, rule, mitigation="bert reads every new customer", days=days, actor=ada, reason="two of us"
    )


def test_an_exception_is_approved_by_another_and_lets_the_grant_in(ada: Actor, carla: Actor) -> None:
    row = ask(ada)
    with pytest.raises(NotAuthorised, match="S01"):
        grants.grant(row.user, "master_data", actor=ada)
    exceptions.approve(row.pk, actor=carla, reason="until March")
    grants.grant(row.user, "master_data", actor=ada)
    with pytest.raises(Conflict, match="still held"):
        exceptions.end(row.pk, actor=carla, reason="hired somebody")
    grants.revoke(RoleGrant.objects.get(user=row.user, role__code="master_data").pk, actor=ada)
    assert exceptions.end(row.pk, actor=carla, reason="hired somebody").state == "ended"


def test_what_is_held_beyond_an_exception_is_named_every_night(
    ada: Actor, carla: Actor, as_owner: Callable[[], AbstractContextManager[None]]
) -> None:
    """The grant does not end with the exception that let it in; the checks say so until it does."""
    row = ask(ada)
    exceptions.approve(row.pk, actor=carla, reason="until March")
    grants.grant(row.user, "master_data", actor=ada)
    with connection.cursor() as cursor:
        cursor.execute(nobody_holds_both_sides())
        assert cursor.fetchall() == []
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE sod_sodexception DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE sod_sodexception"
            " SET valid_from = now() - interval '9 days', valid_to = now() - interval '1 day'"
        )
        cursor.execute(nobody_holds_both_sides())
        assert {found[:2] for found in cursor.fetchall()} == {("anna", "S01")}


def test_what_waits_for_a_decision_is_not_asked_for_twice(ada: Actor, carla: Actor) -> None:
    row = ask(ada)

    def again(rule: str) -> SodException:
        return exceptions.request(row.user, rule, mitigation="read weekly", actor=ada, reason="two of us")

    with pytest.raises(Conflict, match="S01 for .*asked for already"):
        again("S01")
    assert again("S34").state == "requested"
    exceptions.reject(row.pk, actor=carla, reason="no")
    assert again("S01").state == "requested"


@pytest.mark.parametrize("role", ["admin", "approver"])
def test_whoever_opens_reviews_or_decides_their_lines_sees_the_pages(role: str) -> None:
    make_user("vera", role)
    client = Client()
    client.login(username="vera", password=PASSWORD)
    for page in ("campaign", "reviewitem", "sodexception"):
        assert client.get(f"/admin/sod/{page}/").status_code == 200
    assert client.get("/admin/sod/sodexception/do/ask/").status_code == 200


def test_neither_the_beneficiary_nor_whoever_asked_decides(ada: Actor, carla: Actor) -> None:
    con = make_user("con", "controller")
    row = exceptions.request(con, "S34", mitigation="read by the board", actor=ada, reason="one of us")
    with pytest.raises(NotAuthorised, match="S52"):
        exceptions.approve(row.pk, actor=Actor.of(con))
    for who in (con.pk, ada.user_id):
        with pytest.raises(DatabaseError, match="decided_by_another"), acting(carla):
            SodException.objects.filter(pk=row.pk).update(state="approved", decided_by=who)
    # By raw SQL, naming somebody else: nobody signs for them.
    with pytest.raises(DatabaseError, match="nobody signs for somebody else"), acting(ada):
        SodException.objects.filter(pk=row.pk).update(state="approved", decided_by=carla.user_id)
    assert exceptions.reject(row.pk, actor=carla, reason="no").state == "rejected"


def test_nobody_gets_an_exception_to_approve_their_own_work(ada: Actor) -> None:
    with pytest.raises(InvalidInput, match="nobody approves their own work"):
        ask(ada, rule="S10")


def test_an_exception_ends_within_ninety_days(ada: Actor) -> None:
    with pytest.raises(InvalidInput, match="ninety"):
        ask(ada, days=91)
    row = exceptions.request(make_user("bert"), "S01", mitigation="m", days=90, actor=ada, reason="r")
    with pytest.raises(DatabaseError, match="keep their first value"), acting(ada):
        SodException.objects.filter(pk=row.pk).update(valid_to=row.valid_to + dt.timedelta(days=1))


def test_an_exception_that_is_over_excuses_nothing(ada: Actor, carla: Actor) -> None:
    anna = make_user("anna", "order_entry")
    now = clock.now()
    with acting(ada):
        row = SodException.objects.create(
            user=anna,
            rule=SodRule.objects.get(code="S01"),
            reason="r",
            mitigation="m",
            valid_from=now - dt.timedelta(days=30),
            valid_to=now - dt.timedelta(days=1),
            requested_by_id=ada.user_id,
        )
    exceptions.approve(row.pk, actor=carla, reason="late")
    with pytest.raises(NotAuthorised, match="S01"):
        grants.grant(anna, "master_data", actor=ada)


def test_a_review_keeps_revokes_and_is_signed(ada: Actor, carla: Actor) -> None:
    make_user("anna", "order_entry")
    make_user("bert", "billing_ops")
    anton = Actor.of(make_user("anton", "approver"))
    campaign = reviews.open_campaign("2026 Q4", days=14, actor=ada)
    lines = {f"{item.user}: {item.role}": item for item in campaign.items.select_related("user")}
    assert lines["anna: order_entry"].duties[0] == "approvals.read"
    with pytest.raises(NotAuthorised, match="S52: nobody certifies"):
        reviews.keep(lines["anton: approver"].pk, actor=anton)
    with pytest.raises(NotAuthorised, match="S52: nobody certifies"), acting(anton):
        ReviewItem.objects.filter(pk=lines["anton: approver"].pk).update(
            state="kept", decided_by=anton.user_id
        )
    with pytest.raises(Conflict, match="not decided"):
        reviews.sign(campaign.pk, actor=carla)
    reviews.revoke(lines["bert: billing_ops"].pk, actor=anton, reason="moved to sales")
    assert RoleGrant.objects.get(user__username="bert").valid_to is not None
    for name, item in lines.items():
        if name not in ("bert: billing_ops",):
            reviews.keep(item.pk, actor=carla if name != "carla: controller" else anton, reason="needed")
    signed = reviews.sign(campaign.pk, actor=carla, reason="complete")
    assert (signed.state, signed.signed_by_id) == ("signed", carla.user_id)


def test_what_nobody_decided_by_the_deadline_is_revoked(
    ada: Actor, carla: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_user("anna", "order_entry")
    campaign = reviews.open_campaign("2026 Q4", days=1, actor=ada)
    assert reviews.lapse_due(actor=carla) == 0
    held = RoleGrant.objects.get(user__username="anna")
    later = clock.now() + dt.timedelta(days=2)
    with acting(carla):
        monkeypatch.setattr(clock, "now", lambda: later)
        count = reviews.lapse_due(actor=carla, reason="deadline")
    held.refresh_from_db()
    assert count == campaign.items.count()
    assert held.valid_to is not None
    assert campaign.items.get(grant=held).state == "lapsed"


def test_the_clock_revokes_what_nobody_decided(ada: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody's, but not the product's own accounts: they are in no review."""
    make_user("anna", "order_entry")
    campaign = reviews.open_campaign("2026 Q4", days=1, actor=ada)
    assert {"system", "scheduler"} & set(campaign.items.values_list("user__username", flat=True)) == set()
    assert tasks.lapse_reviews() == 0
    later = clock.now() + dt.timedelta(days=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert tasks.lapse_reviews() == campaign.items.count()
    assert RoleGrant.objects.get(user__username="anna").valid_to is not None
    assert RoleGrant.objects.get(user__username="scheduler").valid_to is None
    assert SCHEDULE["o2c.sod.lapse_reviews"]["task"] == tasks.lapse_reviews.name


def test_a_line_says_when_the_role_was_last_used_for_what_it_is_for(ada: Actor) -> None:
    anna, bert = make_user("anna", "master_data"), make_user("bert", "master_data")
    make_customer(Actor.of(anna))
    campaign = reviews.open_campaign("2026 Q4", days=14, actor=ada)
    mine, other = (campaign.items.get(user=user) for user in (anna, bert))
    assert mine.last_done_at is not None
    assert mine.last_done_at == Customer.history.latest().history_date
    assert (other.last_done_at, other.last_used_at) == (None, None)


def test_nobody_certifies_an_account_of_theirs_by_any_door(ada: Actor) -> None:
    vera = make_user("vera", "approver")
    make_account("robot", "metering", owner=vera)
    campaign = reviews.open_campaign("2026 Q4", days=14, actor=ada)
    item = campaign.items.get(user__username="robot")
    with pytest.raises(NotAuthorised, match="S52: nobody certifies their own"):
        reviews.keep(item.pk, actor=Actor.of(vera))
    values = {"state": "kept", "decided_at": clock.now()}
    with pytest.raises(NotAuthorised, match="S52: nobody certifies their own"), acting(Actor.of(vera)):
        ReviewItem.objects.filter(pk=item.pk).update(decided_by=vera, **values)
    # Nor in another's name, nor without the duty.
    for who in (vera, make_user("nora", "billing_ops")):
        with pytest.raises(DatabaseError, match="decided by somebody with that duty"), acting(Actor.of(who)):
            ReviewItem.objects.filter(pk=item.pk).update(decided_by=ada.user_id, **values)


def test_whoever_opened_the_review_decides_no_line_of_it(ada: Actor) -> None:
    anna = make_user("anna", "order_entry")
    campaign = reviews.open_campaign("2026 Q4", days=14, actor=ada)
    with acting(Actor.installer()):
        RoleGrant.objects.filter(user_id=ada.user_id).update(valid_to=clock.now())
    with acting(Actor.installer()):
        RoleGrant.objects.create(
            user_id=ada.user_id,
            role=Role.objects.get(code="approver"),
            granted_by=User.objects.get(username="platform-owner"),
            valid_from=clock.now(),
        )
    with pytest.raises(NotAuthorised, match="S52: ada"):
        reviews.keep(campaign.items.get(user=anna).pk, actor=ada)


def test_a_list_that_was_changed_is_not_signed(ada: Actor, carla: Actor) -> None:
    campaign = reviews.open_campaign("2026 Q4", days=14, actor=ada)
    assert reviews.digest(reviews.sealed_lines(campaign)) == campaign.digest
    with pytest.raises(DatabaseError, match="keep their first value"), acting(ada):
        campaign.items.update(role="auditor")
    lines = reviews.sealed_lines(campaign)
    lines[0]["role"] = "auditor"
    assert reviews.digest(lines) != campaign.digest


def test_the_pages_open(ada: Actor, carla: Actor, client: Client) -> None:
    row = ask(ada)
    campaign = reviews.open_campaign("2026 Q4", days=14, actor=ada)
    client.login(username="carla", password=PASSWORD)
    for model, pk in (
        ("sodrule", row.rule_id),
        ("sodexception", row.pk),
        ("campaign", campaign.pk),
        ("reviewitem", campaign.items.latest("pk").pk),
    ):
        assert client.get(f"/admin/sod/{model}/").status_code == 200
        assert client.get(f"/admin/sod/{model}/{pk}/change/").status_code == 200
    assert client.get("/admin/sod/denial/").status_code == 200
    page = client.get(f"/admin/sod/sodexception/{row.pk}/change/").content.decode()
    assert "bert reads every new customer" in page
    assert Campaign.objects.count() == 1
