"""People, service accounts and tokens for tests; roles are the shipped ones."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from o2c import clock
from o2c.access.models import Role, RoleDuty, RoleGrant, User
from o2c.access.services import tokens
from o2c.access.services.accounts import PLACEHOLDER_OWNER
from o2c.actor import Actor, acting
from o2c.controls.sod.models import SodException, SodRule
from tests import database

PASSWORD = "correct horse battery"


def make_user(
    username: str, *roles: str, superuser: bool = False, excused: bool = False, password: str = PASSWORD
) -> User:
    """A human with these roles, granted by the placeholder owner. The segregation rules hold for them.

    `excused`: under an approved exception to every rule, where one person plays a team to set the stage,
    or where a test asks what else refuses somebody who holds both sides.
    """
    with acting(Actor.installer(), reason="test set-up"):
        user = User(username=username, email=f"{username}@example.com", is_staff=True, is_superuser=superuser)
        user.set_password(password)
        user.save()
        if excused:
            excuse(user)
        _grant(user, roles)
    return user


def excuse(user: User, *rules: str) -> None:
    """An approved exception for `user` to these rules, or to all."""
    wanted = SodRule.objects.filter(code__in=rules) if rules else SodRule.objects.all()
    now, asker = clock.now(), _placeholder()
    with acting(Actor.installer(), reason="test set-up"):
        made = SodException.objects.bulk_create(
            SodException(
                user=user,
                rule=rule,
                reason="test set-up",
                mitigation="none: a test",
                valid_from=now - dt.timedelta(days=1),
                valid_to=now + dt.timedelta(days=28),  # longer ones take a request
                requested_by=asker,
            )
            for rule in wanted
        )
        judge = User.objects.get(username="scheduler")
        SodException.objects.filter(pk__in=[row.pk for row in made]).update(
            state="approved", decided_by=judge, decided_at=now
        )


def make_account(username: str, *roles: str, owner: User | None = None, excused: bool = False) -> User:
    """A service account with these roles; `excused` from every rule of segregation as `make_user` says."""
    with acting(Actor.installer(), reason="test set-up"):
        account = User.objects.create(
            username=username, kind="service", owner=owner or _placeholder(), password="!", purpose="test"
        )
        if excused:
            excuse(account)
        _grant(account, roles)
    return account


def give_roles(user: User, *roles: str) -> None:
    """Further roles for somebody who is there, granted by the placeholder owner."""
    with acting(Actor.installer(), reason="test set-up"):
        _grant(user, roles)


def make_role(code: str, duties: Iterable[str]) -> Role:
    """A role of the company's own with exactly these duties."""
    with acting(Actor.installer(), reason="test set-up"):
        role = Role.objects.create(code=code, name=code)
        RoleDuty.objects.bulk_create(RoleDuty(role=role, duty=duty) for duty in duties)
    return role


def make_token(account: User, scopes: Iterable[str], *, days: int = 30) -> str:
    """The secret of a new token of `account`; the scopes must be duties that it holds."""
    issuer = User.objects.filter(username="token-issuer").first() or make_user("token-issuer", "admin")
    return tokens.issue(
        account,
        name="test",
        scopes=scopes,
        expires_at=clock.now() + dt.timedelta(days=days),
        actor=Actor.of(issuer),
    ).secret


def _placeholder() -> User:
    return User.objects.get(username=PLACEHOLDER_OWNER)


def _grant(user: User, roles: Iterable[str]) -> None:
    granter = _placeholder()
    for code in roles:
        RoleGrant.objects.create(
            user=user, role=Role.objects.get(code=code), granted_by=granter, valid_from=clock.now()
        )


def change_rules(rules: QuerySet[SodRule], **values: Any) -> None:
    """Switch segregation rules, as only the owner of their table can."""
    with acting(Actor.installer(), reason="test"), database.owner():
        rules.update(**values)
