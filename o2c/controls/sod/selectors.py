"""Who holds what is kept apart, what a grant would add, and which duties a rule is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection

from o2c.access.models import Role, User
from o2c.controls.sod.declare import declared
from o2c.controls.sod.rules import RULES, Rule
from o2c.errors import NotFound

CONFLICTS = """
SELECT c.person, p.username, c.rule, r.title, r.severity, c.role_a, c.duty_a, c.role_b, c.duty_b
FROM o2c_sod_conflicts(%s, %s, %s) c JOIN access_user p ON p.id = c.person
JOIN sod_sodrule r ON r.code = c.rule ORDER BY c.rule, c.duty_a, c.duty_b
"""


@dataclass(frozen=True)
class Held:
    """One pair of duties that one person holds against a rule."""

    person: int
    username: str
    rule: str
    title: str
    severity: str
    role_a: str
    duty_a: str
    role_b: str
    duty_b: str


def conflicts(people: Iterable[int], *, holder: int | None = None, roles: Sequence[int] = ()) -> list[Held]:
    """What these people hold against the rules of kind grant, exceptions in force left out.

    With `holder` and `roles`: as if these roles had been granted. One query.
    """
    with connection.cursor() as cursor:
        cursor.execute(CONFLICTS, [list(people), holder, list(roles)])
        return [Held(*row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class Simulation:
    """What a grant would let a person do, and against which rules."""

    user: str
    roles: tuple[str, ...]
    duties: tuple[str, ...]
    conflicts: tuple[Held, ...]
    standing: tuple[Held, ...]


def simulate(username: str, role_codes: Sequence[str]) -> Simulation:
    """What the roles would add; `standing` are conflicts held already. Writes nothing."""
    user = User.objects.filter(username=username).first()
    if user is None:
        raise NotFound(f"There is no user {username}")
    roles = {role.code: role for role in Role.objects.filter(code__in=role_codes)}
    unknown = [code for code in role_codes if code not in roles]
    if unknown:
        raise NotFound(f"There is no role {', '.join(unknown)}", remedy="Roles: manage.py access roles.")
    from o2c.access.authorise import duties_of_id
    from o2c.access.models import RoleDuty

    held = duties_of_id(user.pk)
    added = set(RoleDuty.objects.filter(role__code__in=role_codes).values_list("duty", flat=True)) - held
    person = user.owner_id if user.owner_id and user.owner and user.owner.is_active else user.pk
    after = conflicts([person], holder=user.pk, roles=[role.pk for role in roles.values()])
    before = set(conflicts([person]))
    return Simulation(
        user=user.username,
        roles=tuple(role_codes),
        duties=tuple(sorted(added)),
        conflicts=tuple(row for row in after if row not in before),
        standing=tuple(row for row in after if row in before),
    )


def waiting(rule: Rule) -> tuple[str, ...]:
    """Functions of the rule for which the product has no duty yet."""
    functions = declared().functions
    return tuple(code for code in (*rule.a, *rule.b) if not functions.get(code))


def is_live(rule: Rule) -> bool:
    """True when both sides have duties: the rule can refuse something today."""
    functions = declared().functions
    return all(any(functions.get(code) for code in side) for side in (rule.a, rule.b))


def live_rules() -> tuple[Rule, ...]:
    return tuple(rule for rule in RULES if is_live(rule))
