"""A stricter policy that waits to be put in force."""

from __future__ import annotations

import copy

from o2c.controls.approvals.models import Policy
from o2c.controls.approvals.services import policies
from o2c.controls.selftest.world import REASON, Subject, World

ACT = "billing.credit.post"
IDLE = {
    "command approvals backtest": "reads only",
    "command approvals lint": "reads only",
    "command approvals simulate": "reads only",
    "task o2c.approvals.tick": "takes no argument; tried for each act with a request that nobody decided",
}


def build(world: World) -> None:
    admin = world.person("admin")
    for role in ("approver", "controller"):
        world.person(role, 2)  # a policy wants two who could decide each step: one may be away
    content = copy.deepcopy(Policy.objects.get(act=ACT, state=Policy.State.ACTIVE).content)
    content["bands"]["levels"][0]["up_to"] = "1"
    drafted = policies.draft(act=ACT, content=content, actor=admin, reason=REASON)
    world.subjects["approvals.policy.activate"] = Subject(
        drafted.pk,
        admin,
        world.person("controller"),
        by_hand="UPDATE approvals_policy p SET state = 'retired', retired_at = now() FROM approvals_policy n"
        " WHERE n.id = %s AND p.act = n.act AND p.state = 'active'; UPDATE approvals_policy SET"
        " state = 'active', activated_by_id = o2c_actor(), activated_at = now() WHERE id = %s",
        edit="UPDATE approvals_policy SET title = title || '.' WHERE id = %s",
    )
