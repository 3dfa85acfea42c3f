"""Exceptions and a review: one decided, one that waits."""

from __future__ import annotations

from o2c.controls.selftest.world import REASON, World
from o2c.controls.sod.services import exceptions


def build(world: World) -> None:
    asker, judge = world.person("admin"), world.person("controller")
    made = [
        exceptions.request(
            world.user("", number), "S06", mitigation=REASON, days=1, actor=asker, reason=REASON
        )
        for number in (8, 9)
    ]
    exceptions.approve(made[0].pk, actor=judge, reason=REASON)
