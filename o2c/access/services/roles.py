"""Shipped roles are kept equal to the code; other roles belong to the company."""

from __future__ import annotations

from dataclasses import dataclass

from o2c.access import registry
from o2c.access.models import Role, RoleDuty
from o2c.access.roles import EVERYTHING, SHIPPED, ShippedRole
from o2c.actor import Actor, acting


@dataclass(frozen=True)
class Synced:
    """What a synchronisation changed: counts of rows."""

    roles: int
    added: int
    removed: int

    def __str__(self) -> str:
        return f"{self.roles} shipped roles, {self.added} duties added, {self.removed} removed"


def duties_for(role: ShippedRole) -> set[str]:
    """The duties a shipped role has: what the apps declared, and reading of the apps it sees."""
    readable = {code for code in registry.known() if code.endswith(".read") and code.count(".") == 1}
    seen = readable if EVERYTHING in role.sees else {registry.reading(app) for app in role.sees} & readable
    return registry.of_role(role.code) | seen


def sync_roles(*, actor: Actor, reason: str = "shipped roles") -> Synced:
    """Make the shipped roles in the database equal to the code. Running it twice changes nothing.

    A duty that somebody added to a shipped role by hand is removed: who wants another mix makes another role.
    """
    with acting(actor, reason=reason):
        existing = {role.code: role for role in Role.objects.select_for_update().order_by("pk")}
        wanted: set[tuple[int, str]] = set()
        for shipped in SHIPPED:
            role = existing.get(shipped.code) or Role(code=shipped.code)
            described = {"name": shipped.name, "description": shipped.description, "shipped": True}
            if any(getattr(role, name) != value for name, value in described.items()):
                for name, value in described.items():
                    setattr(role, name, value)
                role.save()
            wanted |= {(role.pk, duty) for duty in duties_for(shipped)}
        held = {(row.role_id, row.duty): row for row in RoleDuty.objects.filter(role__shipped=True)}
        stale = [row.pk for key, row in held.items() if key not in wanted]
        RoleDuty.objects.filter(pk__in=stale).delete()
        missing = sorted(wanted - set(held))
        RoleDuty.objects.bulk_create(RoleDuty(role_id=role_id, duty=duty) for role_id, duty in missing)
    return Synced(len(SHIPPED), len(missing), len(stale))
