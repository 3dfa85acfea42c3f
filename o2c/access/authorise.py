"""The one question about permission: does this principal hold this duty now?"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from django.db.models import Q

from o2c import clock
from o2c.access import registry
from o2c.actor import Actor
from o2c.errors import NotAuthorised

if TYPE_CHECKING:
    from o2c.access.models import User

NOTHING: frozenset[str] = frozenset()

# One request asks about the same person for every button on the page. The middleware opens a fresh
# dictionary per request; outside a request nothing is kept, so that a revoked grant works at once in a
# long-running task.
request_cache: ContextVar[dict[int, frozenset[str]] | None] = ContextVar(
    "o2c_duties_of_request", default=None
)


def duties_of(user: User | Any) -> frozenset[str]:
    """The duties a user holds now, from grants in force. Nobody else's: no superuser shortcut, no
    anonymous right.
    """
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return NOTHING
    return duties_of_id(user.pk)


def has_duty(who: User | Actor | Any, duty: str) -> bool:
    """True if `who` (a user or an Actor) holds `duty` now."""
    return why_not(who, duty) == ""


def require(actor: Actor, duty: str, *, record: str = "") -> None:
    """Refuse unless the actor holds `duty`. `record` names the record in the message."""
    reason = why_not(actor, duty)
    if reason:
        raise NotAuthorised(
            reason,
            record=record,
            remedy="Ask somebody who holds the duty, or an administrator for a role that has it.",
            code="duty_missing",
        )


def why_not(who: User | Actor | Any, duty: str) -> str:
    """'' if `who` holds `duty`, else a sentence that says why not.

    An actor on behalf of a person needs the duty twice: the account must hold it, because it is the
    account that acts, and the person must hold it, because an account cannot lend a person more than the
    person has. A token's scopes narrow its account.
    """
    if duty not in registry.known():
        return f"'{duty}' is no duty of this product"
    meaning = f"'{duty}' ({registry.describe(duty).lower()})"
    if not isinstance(who, Actor):
        return "" if duty in duties_of(who) else f"{who} does not hold the duty {meaning}"
    if duty not in duties_of_id(who.user_id):
        return f"{who.label} does not hold the duty {meaning}"
    if who.scopes is not None and duty not in who.scopes:
        return f"The token of {who.label} does not cover the duty {meaning}"
    if who.on_behalf_of_id is not None and duty not in duties_of_id(who.on_behalf_of_id):
        return f"The person on whose behalf {who.label} acts does not hold the duty {meaning}"
    return ""


def in_force(prefix: str = "") -> Q:
    """Grants in force now, as a filter; `prefix` is the path from the filtered model to the grant."""
    now = clock.now()
    return Q(**{f"{prefix}valid_from__lte": now}) & (
        Q(**{f"{prefix}valid_to__isnull": True}) | Q(**{f"{prefix}valid_to__gt": now})
    )


def duties_of_id(user_id: int) -> frozenset[str]:
    """The duties in force of the active user with this id; one query, or none when the request asked
    before.
    """
    cache = request_cache.get()
    if cache is not None and user_id in cache:
        return cache[user_id]
    from o2c.access.models import RoleDuty

    held = frozenset(
        RoleDuty.objects.filter(
            in_force("role__grants__"), role__grants__user_id=user_id, role__grants__user__is_active=True
        ).values_list("duty", flat=True)
    )
    if cache is not None:
        cache[user_id] = held
    return held
