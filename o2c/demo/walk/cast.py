"""The people of the demonstration, as actors."""

from __future__ import annotations

from dataclasses import dataclass

from o2c.access.models import User
from o2c.actor import Actor


@dataclass(frozen=True)
class Cast:
    """Who does what in the walk; makers and checkers are different people."""

    dana: Actor
    mara: Actor
    olivia: Actor
    omar: Actor
    bea: Actor
    remy: Actor
    colin: Actor
    cora: Actor
    rosa: Actor
    petra: Actor
    anton: Actor
    carla: Actor
    ada: Actor
    salesforce: Actor
    metering: Actor
    aws: Actor

    @classmethod
    def load(cls) -> Cast:
        users = {user.username: user for user in User.objects.filter(username__in=cls.__annotations__)}
        return cls(**{name: Actor.of(users[name]) for name in cls.__annotations__})
