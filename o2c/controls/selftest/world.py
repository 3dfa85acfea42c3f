"""The people and records that a self-test acts with: made for it, and gone with its transaction.

Each app makes its records in `selftest.py`: `build(world)`, in the order of INSTALLED_APPS, through the
services that its own screens call and by people who hold one shipped role each. So the making of them is the
proof that what is permitted is possible.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.db import connection

from o2c import clock
from o2c.access.models import Role, RoleDuty, RoleGrant, User
from o2c.access.registry import is_ours
from o2c.access.services.accounts import PLACEHOLDER_OWNER
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.controls.selftest.attempts import Attempt
from o2c.controls.selftest.ways import REASON as REASON
from o2c.controls.selftest.ways import Way
from o2c.periods import add_months

PREFIX = "selftest-"


@dataclass
class World:
    """`records` is what the apps leave for one another, by name; `subjects` a record for each act under
    approval that needs one: act → key.
    """

    month: dt.date
    records: dict[str, Any] = field(default_factory=dict)
    subjects: dict[str, Subject] = field(default_factory=dict)
    requests: dict[str, Request] = field(default_factory=dict)
    ways: list[Way] = field(default_factory=list)
    # Attempts that only the app knows how to make.
    more: list[Attempt] = field(default_factory=list)
    # (model label, state) → column → SQL: what a row has in a state that no specimen has reached.
    signed: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    _people: dict[str, User] = field(default_factory=dict)

    def person(self, role: str, number: int = 1) -> Actor:
        """Somebody who holds this shipped role and nothing else; made once."""
        return Actor.of(self.user(role, number))

    def user(self, role: str, number: int = 1, *, superuser: bool = False) -> User:
        """The same as a user; an empty role is no role."""
        name = f"{PREFIX}{role or 'nobody'}-{'super-' if superuser else ''}{number}"
        if name not in self._people:
            self._people[name] = make_user(name, role, superuser=superuser)
        return self._people[name]

    def named(self, name: str) -> User:
        """Somebody without a role, called so."""
        if PREFIX + name not in self._people:
            self._people[PREFIX + name] = make_user(PREFIX + name)
        return self._people[PREFIX + name]

    def account_of(self, owner: User) -> User:
        """A service account that `owner` answers for."""
        name = f"{owner.username}-account"
        if name not in self._people:
            self._people[name] = make_user(name, "", owner=owner)
        return self._people[name]


@dataclass(frozen=True)
class Subject:
    """A record about which an act under approval can be asked, so that its policy wants an approval.

    `approver` decides the first step, `others` those after it. `by_hand` is the SQL with which somebody would
    reach the controlled state without a request, `edit` the SQL that changes what is approved ('' where it is
    frozen by then, or exists only afterwards). Each `%s` in them is the key.
    """

    pk: int
    asked_by: Actor
    approver: Actor
    by_hand: str
    edit: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    others: tuple[Actor, ...] = ()


def make_user(name: str, role: str = "", *, superuser: bool = False, owner: User | None = None) -> User:
    """A person, or with `owner` a service account, made by the installer."""
    with acting(Actor.installer(), reason=REASON):
        user = User(username=name, email=f"{name}@example.invalid", is_staff=owner is None)
        user.is_superuser = superuser
        user.set_unusable_password()
        if owner is not None:
            user.kind, user.owner, user.purpose = "service", owner, REASON
        user.save()
        if role:
            give(user, Role.objects.get(code=role))
    return user


def give(user: User, role: Role) -> RoleGrant:
    """A grant in force now, by the placeholder owner."""
    giver = User.objects.get(username=PLACEHOLDER_OWNER)
    return RoleGrant.objects.create(user=user, role=role, granted_by=giver, valid_from=clock.now())


def as_superuser(person: User, do: Callable[[], object]) -> Callable[[], object]:
    """`do` by somebody who was made a superuser before."""

    def raised() -> object:
        with acting(Actor.installer(), reason=REASON):
            User.objects.filter(pk=person.pk).update(is_superuser=True)
        with acting(Actor.of(person), reason=REASON):
            return do()

    return raised


def end_grants(person: User) -> None:
    """Take every role away, as of now."""
    with acting(Actor.installer(), reason=REASON):
        RoleGrant.objects.filter(user=person, valid_to__isnull=True).update(valid_to=clock.now())


def lend(person: User, *duties: str) -> bool:
    """Give somebody a role with just these duties, so that their lack is not what refuses them.

    False where a rule of segregation forbids it: then the lack remains.
    """
    with acting(Actor.installer(), reason=REASON):
        code = f"{PREFIX}{'-'.join(duties)}".replace(".", "-")[:50]
        role, _ = Role.objects.get_or_create(code=code, defaults={"name": REASON})
        for duty in duties:
            RoleDuty.objects.get_or_create(role=role, duty=duty)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT EXISTS"
                " (SELECT 1 FROM o2c_sod_conflicts(ARRAY[%s]::bigint[], %s, ARRAY[%s]::bigint[]))",
                [person.pk, person.pk, role.pk],
            )
            if cursor.fetchone()[0]:
                return False
        give(person, role)
    return True


def make() -> World:
    """Everything that the apps declare, in the open transaction."""
    world = World(month=add_months(clock.today().replace(day=1), -2))
    for config in apps.get_app_configs():
        name = f"{config.name}.selftest"
        if is_ours(config) and config.label != "selftest" and find_spec(name) is not None:
            import_module(name).build(world)
    import_module("o2c.controls.selftest.kernel").build(world)
    for code, subject in sorted(world.subjects.items()):
        world.requests[code] = ask(code, subject)
    return world


def ask(code: str, subject: Subject) -> Request:
    """The request of whoever wants the act; it waits for its first decision."""
    return approvals.submit(
        code, subject.pk, actor=subject.asked_by, reason=REASON, parameters=subject.parameters
    )
