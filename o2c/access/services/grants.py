"""Giving a role and taking it away."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django.db import IntegrityError, connection

from o2c import clock, locks
from o2c.access.authorise import require
from o2c.access.models import Role, RoleGrant, User
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.errors import Conflict, NotAuthorised, NotFound

if TYPE_CHECKING:
    from o2c.controls.approvals.models import Request


def grant(
    user: User,
    role_code: str,
    *,
    actor: Actor,
    reason: str = "",
    valid_from: dt.datetime | None = None,
    valid_to: dt.datetime | None = None,
) -> RoleGrant:
    """Give `user` a role in `[valid_from, valid_to)`; from now and without end by default.

    Nobody grants to themselves, and nobody grants to a service account that they own: its rights are theirs.
    The database refuses a grant with which one person would hold both sides of a segregation rule.
    """
    record = f"{user}: {role_code}"
    try:
        with acting(actor, reason=reason):
            require(actor, "access.role.grant", record=record)
            if actor.user_id in (user.pk, user.owner_id):
                raise NotAuthorised(
                    "Nobody grants a role to themselves or to a service account of theirs",
                    record=record,
                    remedy="Ask another administrator.",
                    code="grant_to_self",
                )
            made = RoleGrant.objects.create(
                user=user,
                role=_role(role_code),
                granted_by_id=actor.user_id,
                reason=reason,
                valid_from=valid_from or clock.now(),
                valid_to=valid_to,
            )
            approvals.gate("access.role.grant", [made.pk])
            return made
    except IntegrityError as error:
        raise Conflict(
            "Holds this role in that time already, or the time is empty",
            record=record,
            remedy="Revoke the other grant first.",
        ) from error


def grant_to(
    pk: int, *, role: str, actor: Actor, valid_to: dt.datetime | None = None, reason: str = ""
) -> RoleGrant:
    """Give a role to the person with this id, as an approved request does it."""
    return grant(User.objects.get(pk=pk), role, actor=actor, valid_to=valid_to, reason=reason)


def ask(
    pk: int, *, role: str, actor: Actor, valid_to: dt.datetime | None = None, reason: str = ""
) -> Request:
    """Ask a controller to agree to a role that governs the controls."""
    values = {"role": role} | ({"valid_to": valid_to} if valid_to else {})
    return approvals.submit("access.role.grant", pk, actor=actor, reason=reason, parameters=values)


def revoke(grant_id: int, *, actor: Actor, reason: str = "") -> RoleGrant:
    """End a grant now. A grant that has not begun yet ends before it begins."""
    require(actor, "access.role.grant", record=f"grant {grant_id}")
    with acting(actor, reason=reason):
        held: RoleGrant = locks.row(RoleGrant, grant_id)
        now = clock.now()
        if held.valid_to is not None and held.valid_to <= now:
            raise Conflict("Has ended already", record=str(held))
        held.valid_to = max(now, held.valid_from)
        held.save(update_fields=["valid_to"])
    return held


# What people (not machines) hold who are disabled, and since when: the first such row after the last active.
OF_LEAVERS = """
SELECT g.id FROM access_rolegrant g JOIN access_user u ON u.id = g.user_id
WHERE NOT u.is_active AND u.kind = 'human' AND (g.valid_to IS NULL OR g.valid_to > clock_timestamp())
  AND clock_timestamp() - %s * interval '1 second' >= (
    SELECT min(h.history_date) FROM access_historicaluser h
    WHERE h.id = u.id AND NOT h.is_active AND h.history_id > coalesce(
      (SELECT max(a.history_id) FROM access_historicaluser a WHERE a.id = u.id AND a.is_active), 0))
ORDER BY g.id
"""
A_DAY = dt.timedelta(days=1)


def end_of_leavers(*, actor: Actor, reason: str = "", after: dt.timedelta = A_DAY) -> int:
    """End what disabled people still hold, `after` so long; returns how many grants ended.

    A person who comes back is granted anew what they need then.
    """
    with acting(actor, reason=reason):
        require(actor, "access.grant.end_of_leavers")
        with connection.cursor() as cursor:
            cursor.execute(OF_LEAVERS, [after.total_seconds()])
            due = [pk for (pk,) in cursor.fetchall()]
        now = clock.now()
        for held in locks.rows(RoleGrant, due):
            held.valid_to = max(now, held.valid_from)
            held.save(update_fields=["valid_to"])
    return len(due)


def _role(code: str) -> Role:
    try:
        return Role.objects.get(code=code)
    except Role.DoesNotExist:
        known = ", ".join(Role.objects.values_list("code", flat=True))
        raise NotFound(f"There is no role '{code}'", remedy=f"Roles: {known}.") from None
