"""Exceptions: one decided, one that waits, and a long one that two people decide."""

from __future__ import annotations

from o2c.controls.selftest.world import REASON, Subject, World
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
    long = exceptions.request(
        world.user("", 11), "S06", mitigation=REASON, days=90, actor=asker, reason=REASON
    )
    world.subjects["sod.exception.approve"] = Subject(
        long.pk,
        asker,
        world.person("approver"),
        by_hand="UPDATE sod_sodexception SET state = 'approved', decided_by_id = o2c_actor(),"
        " decided_at = statement_timestamp() WHERE id = %s",
        others=(judge,),
    )
