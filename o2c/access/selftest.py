"""A grant made by an administrator: who gives roles does no financial work soon after (S49)."""

from __future__ import annotations

import datetime as dt

from o2c import clock
from o2c.access.authorise import duties_of_id
from o2c.access.models import Role
from o2c.access.services import grants, tokens
from o2c.actor import Actor, acting
from o2c.controls.selftest.attempts import Attempt, by_code
from o2c.controls.selftest.ways import command, run_command
from o2c.controls.selftest.world import REASON, Subject, World, give


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
    _ways(world)


TYPED = "self-test, never kept\n"
IDLE = {
    "command access bootstrap": "refused while anybody may give roles; takes no name of who acts",
    "command access roles": "reads only",
    "command access show": "reads only",
    "command access sync": "makes the shipped roles as the code says, as an installation does",
    "command tokens list": "reads only",
    "task o2c.access.end_grants_of_leavers": "takes no argument; only takes away, from who is disabled",
}


def _ways(world: World) -> None:
    """Each command that names who acts, about somebody of the world."""
    somebody, account = world.user("", 12), world.account_of(world.user("", 12))
    with acting(Actor.installer(), reason=REASON):
        give(account, Role.objects.get(code="auditor"))
    token = tokens.issue(
        account, name="self-test", scopes=duties_of_id(account.pk),
        expires_at=clock.now() + dt.timedelta(hours=1), actor=world.person("admin"), reason=REASON,
    ).token  # fmt: skip
    why, new = ("--reason", REASON), ("zt-new", "--email", "zt-new@example.invalid", "--name", "New")
    maintain = "access.user.maintain"
    world.ways += [
        command("access person", maintain, *new, *why, said=TYPED),
        command("access account", maintain, "zt-a", "--owner", somebody.username, "--purpose", "-", *why),
        command("access password", maintain, somebody.username, *why, said=TYPED),
        command("access own", maintain, account.username, world.user("", 7).username, *why),
        command("access unlock", "access.signin.unlock", somebody.username, *why),
        command("access grant", "access.role.grant", somebody.username, "auditor", *why),
        command("access revoke", "access.role.grant", world.user("", 7).username, "auditor", *why),
        command("tokens issue", "access.token.issue", account.username, "--name", "zt", *why),
        command("tokens revoke", "access.token.issue", token.prefix, *why),
    ]
    giver = world.person("admin").label
    world.more.append(
        Attempt(
            "approval access.role.grant", "access grant of a role that governs the controls", "command",
            "role holder",
            lambda: run_command("access", "grant", somebody.username, "controller", "--by", giver, *why),
            by_code("approval_required"), table="access_rolegrant",
        )
    )  # fmt: skip
