"""Giving a role and taking it away."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django.db import IntegrityError

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


def _role(code: str) -> Role:
    try:
        return Role.objects.get(code=code)
    except Role.DoesNotExist:
        known = ", ".join(Role.objects.values_list("code", flat=True))
        raise NotFound(f"There is no role '{code}'", remedy=f"Roles: {known}.") from None
