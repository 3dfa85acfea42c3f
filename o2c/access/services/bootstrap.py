"""The first administrator: the one grant that nobody else can give."""

from __future__ import annotations

from o2c import clock
from o2c.access.models import Role, RoleGrant, User
from o2c.access.services.accounts import PLACEHOLDER_OWNER
from o2c.actor import Actor, acting
from o2c.errors import Conflict


def first_administrator(username: str, *, email: str, display_name: str, password: str) -> User:
    """A person with the role of administrator, made by the installer.

    Works once: raises Conflict when a person holds that role already. Everybody after them is made and
    given roles by an administrator.
    """
    holders = RoleGrant.objects.filter(role__code="admin", valid_to__isnull=True, user__kind=User.Kind.HUMAN)
    if holders.exists():
        raise Conflict("There is an administrator already", remedy="Ask them to create the account")
    with acting(Actor.installer(), reason="First administrator"):
        person = User(username=username, email=email, display_name=display_name, is_staff=True)
        person.set_password(password)
        person.save(force_insert=True)
        RoleGrant.objects.create(
            user=person,
            role=Role.objects.get(code="admin"),
            granted_by=User.objects.get(username=PLACEHOLDER_OWNER),
            reason="First administrator",
            valid_from=clock.now(),
        )
    return person
