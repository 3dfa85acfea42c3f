"""A grant made by an administrator: who gives roles does no financial work soon after (S49)."""

from __future__ import annotations

from o2c.access.services import grants
from o2c.controls.selftest.world import REASON, Subject, World


def build(world: World) -> None:
    admin = world.person("admin")
    grants.grant(world.user("", 7), "auditor", actor=admin, reason=REASON)
    world.records["granter"] = admin
    world.subjects["access.role.grant"] = Subject(
        world.user("", 12).pk,
        admin,
        world.person("controller"),
        by_hand="INSERT INTO access_rolegrant (created_at, user_id, role_id, granted_by_id, reason,"
        " valid_from)"
        " SELECT now(), %s, r.id, o2c_actor(), '', now() FROM access_role r WHERE r.code = 'controller'",
        parameters={"role": "controller"},
    )
