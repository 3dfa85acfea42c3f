"""The first administrator: the one grant that nobody else can give."""

from __future__ import annotations

from o2c import clock
from o2c.access.authorise import in_force
from o2c.access.models import Role, RoleGrant, User
from o2c.access.services.accounts import PLACEHOLDER_OWNER, check_password_rules
from o2c.actor import Actor, acting
from o2c.errors import Conflict


def first_administrator(username: str, *, email: str, display_name: str, password: str) -> User:
    """A person with the role of administrator, made by whoever can run commands on the server.

    Works once: raises Conflict while an active human may grant roles. Everybody after them is made and given
    roles by an administrator; there must be a second one soon, because nobody grants a role to themselves.
    """
    holders = RoleGrant.objects.filter(
        in_force(), user__is_active=True, user__kind=User.Kind.HUMAN, role__duties__duty="access.role.grant"
    ).select_related("user")
    if holders:
        raise Conflict(
            "There is an administrator already",
            record=str(holders[0].user),
            remedy="They create people and grant roles: manage.py access person, manage.py access grant.",
        )
    person = User(username=username, email=email, display_name=display_name, is_staff=True)
    check_password_rules(password, person)
    person.set_password(password)
    with acting(Actor.installer(), reason="First administrator"):
        person.save(force_insert=True)
        RoleGrant.objects.create(
            user=person,
            role=Role.objects.get(code="admin"),
            granted_by=User.objects.get(username=PLACEHOLDER_OWNER),
            reason="First administrator",
            valid_from=clock.now(),
        )
    return person
