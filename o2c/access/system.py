"""The service accounts in whose name the product itself acts."""

from __future__ import annotations

from o2c.actor import Actor
from o2c.errors import NotFound


def system_actor(username: str = "system") -> Actor:
    """The actor of a shipped service account. Raises NotFound before `migrate` has made it."""
    from o2c.access.models import User

    account = User.objects.filter(username=username, kind=User.Kind.SERVICE).first()
    if account is None:
        raise NotFound(f"There is no service account {username}", remedy="Run manage.py migrate")
    return Actor.of(account)
