"""People and service accounts: an account answers to a human, has no password and gives itself nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.db import DatabaseError, IntegrityError

from o2c.access import has_duty, tasks
from o2c.access.models import RoleGrant, User
from o2c.access.services import accounts, bootstrap, ensure_system_accounts, grants, sync_roles
from o2c.access.system import system_actor
from o2c.actor import Actor, acting
from o2c.errors import Conflict, InvalidInput, NotAuthorised
from tests.factories.access import PASSWORD, make_account

pytestmark = pytest.mark.django_db
Person = Callable[..., User]
STRONG = "a long enough phrase"


def test_the_shipped_accounts_answer_to_the_placeholder() -> None:
    shipped = {user.username: user for user in User.objects.filter(kind="service")}
    assert sorted(shipped) == ["aws", "bank", "metering", "provisioning", "salesforce", "scheduler", "system"]
    assert {user.owner.username for user in shipped.values() if user.owner} == {"platform-owner"}
    assert not any(user.has_usable_password() for user in shipped.values())


def test_making_them_again_changes_nothing() -> None:
    before = (User.history.count(), RoleGrant.history.count())
    ensure_system_accounts(actor=Actor.installer())
    synced = sync_roles(actor=Actor.installer())
    assert (User.history.count(), RoleGrant.history.count()) == before
    assert (synced.added, synced.removed) == (0, 0)


def test_a_duty_added_to_a_shipped_role_by_hand_is_taken_out() -> None:
    from o2c.access.models import Role, RoleDuty

    with acting(Actor.installer()):
        RoleDuty.objects.create(role=Role.objects.get(code="auditor"), duty="access.role.grant")
    assert sync_roles(actor=Actor.installer()).removed == 1
    assert not RoleDuty.objects.filter(role__code="auditor", duty="access.role.grant").exists()


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"kind": "service"}, "access_user_service_has_owner"),
        ({"kind": "human", "owner": True}, "access_user_service_has_owner"),
        ({"kind": "service", "owner": True, "password": "md5$x"}, "access_user_service_no_login"),
        ({"kind": "service", "owner": True, "is_staff": True}, "access_user_service_no_login"),
        ({"kind": "service", "owner": True, "is_superuser": True}, "access_user_service_no_login"),
        ({"kind": "ghost"}, "access_user_service"),
    ],
)
def test_the_database_refuses(person: Person, values: dict[str, object], constraint: str) -> None:
    owner = person("anna")
    values = {"password": "!"} | values | ({"owner": owner} if "owner" in values else {})
    with pytest.raises(IntegrityError, match=constraint), acting(Actor.installer()):
        User.objects.create(username="x", **values)


def test_nobody_is_deleted_and_no_account_becomes_a_human(person: Person) -> None:
    robot = make_account("robot", owner=person("anna"))
    with pytest.raises(DatabaseError, match="never deleted"), acting(Actor.installer()):
        User.objects.filter(pk=robot.pk).delete()
    with pytest.raises(DatabaseError, match="keep their first value: kind"), acting(Actor.installer()):
        User.objects.filter(pk=robot.pk).update(kind="human", owner=None)


def test_new_people_hold_nothing(person: Person) -> None:
    admin = person("admin", "admin")
    anna = accounts.create_person(
        "anna", email="a@example.com", display_name="Anna", password=STRONG, actor=Actor.of(admin)
    )
    assert anna.check_password(STRONG)
    assert not has_duty(anna, "orders.read")
    assert anna.history.get().history_user_id == admin.pk


def test_the_password_hash_is_not_in_history_but_its_change_is(person: Person) -> None:
    anna = person("anna")
    accounts.set_password(anna.pk, password=STRONG, actor=Actor.of(anna), reason="own change")
    rows = list(anna.history.order_by("history_id"))
    assert [row.history_change_reason for row in rows] == ["test set-up", "own change"]
    assert rows[0].password_changed_at < rows[1].password_changed_at
    assert not hasattr(rows[1], "password")
    assert User.objects.get(pk=anna.pk).check_password(STRONG)


def test_a_weak_password_is_refused_with_every_fault(person: Person) -> None:
    anna = person("anna")
    with pytest.raises(InvalidInput, match=r"too short.*too common"):
        accounts.set_password(anna.pk, password="password", actor=Actor.of(anna))


def test_nobody_sets_the_password_of_another_without_the_duty(person: Person) -> None:
    anna, bert = person("anna"), person("bert", "auditor")
    with pytest.raises(NotAuthorised):
        accounts.set_password(anna.pk, password=STRONG, actor=Actor.of(bert))


def test_a_name_is_taken_once(person: Person) -> None:
    admin = person("admin", "admin")
    with pytest.raises(Conflict, match="The name 'admin' is taken"):
        accounts.create_person(
            "admin", email="a@example.com", display_name="A", password=None, actor=Actor.of(admin)
        )


def test_the_owner_is_an_active_human(person: Person) -> None:
    admin = person("admin", "admin")
    robot = make_account("robot")
    with pytest.raises(InvalidInput, match="active human"):
        accounts.create_service_account("r2", owner=robot, purpose="x", actor=Actor.of(admin))
    anna = person("anna")
    accounts.change_owner(robot.pk, owner=anna, actor=Actor.of(admin))
    assert User.objects.get(pk=robot.pk).owner == anna


def test_who_answers_for_accounts_is_not_disabled(person: Person) -> None:
    admin, anna = person("admin", "admin"), person("anna")
    make_account("robot", owner=anna)
    with pytest.raises(Conflict, match="Still answers for robot"):
        accounts.disable(anna.pk, actor=Actor.of(admin))


def test_a_disabled_person_holds_nothing_until_enabled(person: Person) -> None:
    admin, anna = person("admin", "admin"), person("anna", "auditor")
    accounts.disable(anna.pk, actor=Actor.of(admin), reason="left")
    assert not has_duty(Actor.of(anna), "access.read")
    accounts.enable(anna.pk, actor=Actor.of(admin), reason="came back")
    assert has_duty(Actor.of(anna), "access.read")


def test_what_a_leaver_holds_ends_a_day_later(person: Person) -> None:
    admin, anna, bert = person("admin", "admin"), person("anna", "auditor"), person("bert", "auditor")
    scheduler = system_actor("scheduler")
    accounts.disable(anna.pk, actor=Actor.of(admin), reason="left")
    assert tasks.end_grants_of_leavers() == 0  # not for a day, so that a mistake can be undone
    at_once = grants.end_of_leavers(actor=scheduler, after=dt.timedelta(0))
    assert at_once == 1
    assert not RoleGrant.objects.filter(user=anna, valid_to=None).exists()
    assert RoleGrant.objects.get(user=bert).valid_to is None
    accounts.enable(anna.pk, actor=Actor.of(admin), reason="came back")
    assert not has_duty(Actor.of(anna), "access.read")


def test_who_came_back_in_time_keeps_their_roles(person: Person) -> None:
    admin, anna = person("admin", "admin"), person("anna", "auditor")
    accounts.disable(anna.pk, actor=Actor.of(admin), reason="a mistake")
    accounts.enable(anna.pk, actor=Actor.of(admin), reason="a mistake")
    assert grants.end_of_leavers(actor=system_actor("scheduler"), after=dt.timedelta(0)) == 0
    with pytest.raises(NotAuthorised):
        grants.end_of_leavers(actor=Actor.of(admin))


def test_nobody_disables_themselves(person: Person) -> None:
    admin = person("admin", "admin")
    with pytest.raises(Conflict, match="Nobody disables themselves"):
        accounts.disable(admin.pk, actor=Actor.of(admin))


def test_the_first_administrator_is_made_once() -> None:
    first = bootstrap.first_administrator("root", email="r@example.com", display_name="Root", password=STRONG)
    assert has_duty(first, "access.role.grant")
    with pytest.raises(Conflict, match="There is an administrator already"):
        bootstrap.first_administrator("root2", email="r@example.com", display_name="R", password=PASSWORD)
