"""Roles are held for a time, given by somebody else; a duty follows from a grant in force and from
nothing else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from o2c import clock
from o2c.access import duties_of, has_duty, require
from o2c.access.models import Role, RoleGrant, User
from o2c.access.services import accounts, grants
from o2c.actor import Actor, acting
from o2c.errors import Conflict, NotAuthorised, NotFound
from tests.database import immediately
from tests.factories.access import make_account, make_role

pytestmark = pytest.mark.django_db
Person = Callable[..., User]


def test_a_granted_role_gives_its_duties(person: Person) -> None:
    admin, anna = person("admin", "admin"), person("anna")
    assert not has_duty(anna, "access.token.issue")

    grants.grant(anna, "admin", actor=Actor.of(admin), reason="joins operations")

    assert has_duty(anna, "access.token.issue")
    require(Actor.of(anna), "access.token.issue")
    held = RoleGrant.objects.get(user=anna)
    assert (held.granted_by, held.reason) == (admin, "joins operations")
    assert held.history.get().history_user_id == admin.pk


def test_superuser_has_no_duty(person: Person) -> None:
    root = person("root", superuser=True)
    assert duties_of(root) == frozenset()
    assert not root.has_perm("access.view_user")
    with pytest.raises(NotAuthorised, match=r"root does not hold the duty 'access\.role\.grant'"):
        require(Actor.of(root), "access.role.grant", record="anna: admin")


def test_unknown_duty_is_held_by_nobody(person: Person) -> None:
    admin = person("admin", "admin")
    with pytest.raises(NotAuthorised, match="is no duty of this product"):
        require(Actor.of(admin), "access.role.abolish")


def test_nobody_grants_to_themselves(person: Person) -> None:
    admin = person("admin", "admin")
    with pytest.raises(NotAuthorised, match="Nobody grants a role to themselves"):
        grants.grant(admin, "controller", actor=Actor.of(admin))


def test_nobody_grants_to_a_service_account_they_own(person: Person) -> None:
    admin = person("admin", "admin")
    robot = make_account("robot", owner=admin)
    with pytest.raises(NotAuthorised, match="service account of theirs"):
        grants.grant(robot, "controller", actor=Actor.of(admin))


def test_the_database_refuses_a_grant_to_oneself(person: Person) -> None:
    admin = person("admin", "admin")
    role = Role.objects.get(code="controller")
    with pytest.raises(IntegrityError, match="access_rolegrant_not_to_self"), acting(Actor.of(admin)):
        RoleGrant.objects.create(user=admin, role=role, granted_by=admin, valid_from=clock.now())


def test_granting_needs_the_duty(person: Person) -> None:
    auditor, anna = person("auditor", "auditor"), person("anna")
    with pytest.raises(NotAuthorised, match=r"access\.role\.grant"):
        grants.grant(anna, "controller", actor=Actor.of(auditor))


def test_an_administrator_does_not_wait_until_no_controller_is_there(person: Person) -> None:
    """Disabling the last one who could agree does not do without agreement; there was one."""
    ada, new = person("ada", "admin"), person("newcomer")
    grants.grant(person("carla"), "controller", actor=Actor.of(ada), reason="The first")
    immediately()
    carla = User.objects.get(username="carla")
    for away in (False, True):
        if away:
            accounts.disable(carla.pk, actor=Actor.of(ada), reason="On leave")
        with pytest.raises(Conflict, match="needs approval by Controller"):
            grants.grant(new, "controller", actor=Actor.of(ada), reason="Stands in")
        with pytest.raises(Conflict, match="needs approval by Controller"):
            grants.grant(new, "approver", actor=Actor.of(ada), reason="Decides requests")
    role = Role.objects.get(code="controller")
    with pytest.raises(DatabaseError, match="needs 1 approval"), acting(Actor.of(ada), reason="by hand"):
        RoleGrant.objects.create(user=new, role=role, granted_by=ada, valid_from=clock.now())
        immediately()


def test_unknown_role(person: Person) -> None:
    admin, anna = person("admin", "admin"), person("anna")
    with pytest.raises(NotFound, match="There is no role 'king'"):
        grants.grant(anna, "king", actor=Actor.of(admin))


def test_a_revoked_grant_gives_nothing_and_stays_on_record(person: Person) -> None:
    admin, anna = person("admin", "admin"), person("anna")
    held = grants.grant(anna, "admin", actor=Actor.of(admin))

    grants.revoke(held.pk, actor=Actor.of(admin), reason="changed team")

    assert duties_of(anna) == frozenset()
    assert [row.history_type for row in held.history.order_by("history_id")] == ["+", "~"]
    with pytest.raises(Conflict, match="Has ended already"):
        grants.revoke(held.pk, actor=Actor.of(admin))


def test_a_grant_of_the_future_and_an_ended_one_give_nothing(person: Person) -> None:
    admin, anna = person("admin", "admin"), person("anna")
    now = clock.now()
    day = dt.timedelta(days=1)

    grants.grant(anna, "admin", actor=Actor.of(admin), valid_from=now - 2 * day, valid_to=now - day)
    grants.grant(anna, "admin", actor=Actor.of(admin), valid_from=now + day)

    assert duties_of(anna) == frozenset()


def test_a_role_is_not_held_twice_at_a_time(person: Person) -> None:
    admin, anna = person("admin", "admin"), person("anna")
    grants.grant(anna, "admin", actor=Actor.of(admin))
    with pytest.raises(Conflict, match="Holds this role in that time already"):
        grants.grant(anna, "admin", actor=Actor.of(admin))


def test_an_inactive_person_holds_nothing(person: Person) -> None:
    anna = person("anna", "admin")
    with acting(Actor.installer()):
        User.objects.filter(pk=anna.pk).update(is_active=False)
    assert not has_duty(Actor.of(anna), "access.role.grant")


def test_a_token_narrows_its_account() -> None:
    robot = make_account("robot", "admin")
    narrow = Actor.of(robot, scopes=frozenset({"access.user.maintain"}))
    require(narrow, "access.user.maintain")
    with pytest.raises(NotAuthorised, match="The token of robot does not cover"):
        require(narrow, "access.role.grant")


def test_on_behalf_of_needs_the_duty_twice(person: Person) -> None:
    robot = make_account("robot", "admin")
    anna, bert = person("anna", "admin"), person("bert", "auditor")
    require(Actor.of(robot, on_behalf_of=anna), "access.role.grant")
    with pytest.raises(NotAuthorised, match="on whose behalf robot for bert acts"):
        require(Actor.of(robot, on_behalf_of=bert), "access.role.grant")


def test_a_role_of_the_company_gives_what_it_names(person: Person) -> None:
    admin, anna = person("admin", "admin"), person("anna")
    make_role("helpdesk", ["access.signin.unlock"])
    grants.grant(anna, "helpdesk", actor=Actor.of(admin))
    assert duties_of(anna) == frozenset({"access.signin.unlock"})


def test_a_grant_keeps_who_got_what_from_whom(person: Person) -> None:
    admin, anna, bert = person("admin", "admin"), person("anna"), person("bert")
    held = grants.grant(anna, "admin", actor=Actor.of(admin))
    with (
        pytest.raises(Exception, match="keep their first value"),
        transaction.atomic(),
        acting(Actor.of(admin)),
    ):
        RoleGrant.objects.filter(pk=held.pk).update(user=bert)
