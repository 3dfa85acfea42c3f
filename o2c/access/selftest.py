"""A grant made by an administrator: who gives roles does no financial work soon after (S49)."""

from __future__ import annotations

from o2c.access.services import grants
from o2c.controls.selftest.world import REASON, World


def build(world: World) -> None:
    admin = world.person("admin")
    grants.grant(world.user("", 7), "auditor", actor=admin, reason=REASON)
    world.records["granter"] = admin
