"""Segregation at the grant: nobody is given both sides of a rule, by whatever door."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from o2c import clock
from o2c.access.models import Role, RoleDuty, RoleGrant, User
from o2c.access.services import grants
from o2c.actor import Actor, acting
from o2c.controls.selftest.attempts import Attempt, Plan, as_actor, by_code, run_sql, sqlstate
from o2c.controls.selftest.ways import run_command
from o2c.controls.selftest.world import REASON, World, give
from o2c.controls.sod.checks import conflicts_within
from o2c.controls.sod.declare import declared
from o2c.controls.sod.rules import RULES, Rule

GRANT = """
INSERT INTO access_rolegrant (created_at, user_id, role_id, granted_by_id, reason, valid_from)
VALUES (now(), %s, %s, o2c_actor(), '', now())
"""


def _segregated(error: Exception) -> bool:
    return sqlstate(error) == "OC007" or by_code("segregation")(error)


class Pair:
    """Somebody who holds one side of a rule, and the role of the other side."""

    def __init__(self, world: World, rule: Rule, one: str, two: str) -> None:
        self.world, self.rule = world, rule
        with acting(Actor.installer(), reason=REASON):
            self.roles = [
                Role.objects.create(code=f"selftest-{rule.code}-{side}".lower(), name=REASON)
                for side in ("a", "b")
            ]
            for role, duty in zip(self.roles, (one, two), strict=True):
                RoleDuty.objects.create(role=role, duty=duty)

    def attempts(self) -> Iterator[Attempt]:
        world = self.world
        plain, chief = world.user("", 2), world.user("", 2, superuser=True)
        account = world.account_of(plain)
        for principal, user, holder in (
            ("role holder", plain, plain),
            ("staff superuser", chief, chief),
            ("service account", account, plain),
        ):
            for door, do in self._doors(user):
                yield self._attempt(door, principal, self._holding(holder, do))
        yield self._attempt("shell (duty of a role)", "role holder", self._holding(plain, self._widen))
        yield self._attempt("shell", "somebody else", self._grant_by_shell(plain), permitted=True)

    def _attempt(self, door: str, who: str, do: Callable[[], object], *, permitted: bool = False) -> Attempt:
        given = as_actor(self.world.person("admin"), do)
        title = f"{self.rule.code} at the grant"
        return Attempt(
            self.rule.code, title, door, who, given, _segregated, permitted=permitted,
            table="access_roleduty" if "duty" in door else "access_rolegrant",
        )  # fmt: skip

    def _holding(self, user: User, do: Callable[[], object]) -> Callable[[], object]:
        def both() -> object:
            with acting(Actor.installer(), reason=REASON):
                give(user, self.roles[0])
            return do()

        return both

    def _doors(self, user: User) -> list[tuple[str, Callable[[], object]]]:
        admin, role = self.world.person("admin"), self.roles[1]
        return [
            ("service", lambda: grants.grant(user, role.code, actor=admin, reason=REASON)),
            ("command", lambda: self._by_command(user)),
            ("shell", self._grant_by_shell(user)),
            ("SQL", lambda: run_sql(GRANT, [user.pk, role.pk])),
        ]

    def _by_command(self, user: User) -> object:
        giver = self.world.person("admin").label
        return run_command(
            "access", "grant", user.username, self.roles[1].code, "--by", giver, "--reason", REASON
        )

    def _grant_by_shell(self, user: User) -> Callable[[], object]:
        def do() -> object:
            giver = self.world.person("admin").user_id
            return RoleGrant.objects.create(
                user=user, role=self.roles[1], granted_by_id=giver, valid_from=clock.now()
            )

        return do

    def _widen(self) -> object:
        duty = self.roles[1].duties.get().duty
        return RoleDuty.objects.create(role=self.roles[0], duty=duty)


def plan(world: World) -> Plan:
    functions = declared().functions
    made = Plan()
    for rule in RULES:
        if "grant" not in rule.kinds:
            continue
        a, b = (
            sorted(set().union(*(functions.get(code, frozenset()) for code in side)))
            for side in (rule.a, rule.b)
        )
        if a and b:
            pairs = [(one, two) for one in a for two in b]
            # Two duties that this rule alone keeps apart, where there are any: then it is it that refuses.
            alone = (pair for pair in pairs if len(conflicts_within(set(pair))) == 1)
            made.attempts += Pair(world, rule, *next(alone, pairs[0])).attempts()
        else:
            made.untried.append(f"{rule.code} at the grant: waits for work that the product does not do yet")
    return made
