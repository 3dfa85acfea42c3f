"""Exceptions: one decided, one that waits, and a long one that two people decide."""

from __future__ import annotations

from o2c.controls.selftest.ways import command
from o2c.controls.selftest.world import REASON, Subject, World
from o2c.controls.sod.services import exceptions

IDLE = {
    "command sod actual": "reads only",
    "command sod held": "reads only",
    "command sod rules": "reads only",
    "command sod simulate": "reads only",
    "task o2c.sod.lapse_reviews": "takes no argument; ends what nobody decided by the deadline, as it said",
}


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
    somebody, why = world.user("", 8).username, ("--reason", REASON)
    world.ways += [
        command("sod except", "sod.exception.request", somebody, "S06", "--mitigation", "-", *why),
        command("sod review", "sod.review.open", "Self-test", *why),
        command("sod lapse", "sod.review.lapse", *why),
    ]
