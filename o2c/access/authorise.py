"""The one question about permission: does this principal hold this duty now?"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from django.db.models import BigIntegerField, Q, QuerySet, Value

from o2c import clock
from o2c.access import registry
from o2c.actor import Actor
from o2c.errors import NotAuthorised

if TYPE_CHECKING:
    from o2c.access.models import User

NOTHING: frozenset[str] = frozenset()

# Duties that are lent for a while: each answers (duty, session) of a user. What is used of them is noted by
# each
# of `on_lent` with the actor, the session, the duty and the record.
lenders: list[Callable[[int], QuerySet[Any, tuple[str, int]]]] = []
on_lent: list[Callable[[Actor, int, str, str], None]] = []
# The one duty that somebody uses in another's name while an approved request is carried out: (user, duty).
in_the_name: ContextVar[tuple[int, str] | None] = ContextVar("o2c_in_the_name", default=None)

# One request asks about the same person for every button on the page. The middleware opens a fresh
# dictionary per request; outside a request nothing is kept, so that a revoked grant works at once in a
# long-running task.
request_cache: ContextVar[dict[int, dict[str, int]] | None] = ContextVar(
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
    reason, session = _judged(actor, duty)
    if reason:
        raise NotAuthorised(
            reason,
            record=record,
            remedy="Ask somebody who holds the duty, or an administrator for a role that has it.",
            code="duty_missing",
        )
    if session:
        for note in on_lent:
            note(actor, session, duty, record)


def why_not(who: User | Actor | Any, duty: str) -> str:
    """'' if `who` holds `duty`, else a sentence that says why not.

    An actor on behalf of a person needs the duty twice: the account must hold it, because it is the
    account that acts, and the person must hold it, because an account cannot lend a person more than the
    person has. A token's scopes narrow its account.
    """
    if duty not in registry.known():
        return f"'{duty}' is no duty of this product"
    if not isinstance(who, Actor):
        return "" if duty in duties_of(who) else f"{who} does not hold the duty {_meaning(duty)}"
    return _judged(who, duty)[0]


def _meaning(duty: str) -> str:
    return f"'{duty}' ({registry.describe(duty).lower()})"


def _judged(actor: Actor, duty: str) -> tuple[str, int]:
    """Why the actor may not ('' when they may), and the session that lends the duty (0: a role gives it)."""
    if duty not in registry.known():
        return f"'{duty}' is no duty of this product", 0
    held = _held(actor.user_id)
    if in_the_name.get() == (actor.user_id, duty) and actor.scopes is None:
        return "", 0
    if duty not in held:
        return f"{actor.label} does not hold the duty {_meaning(duty)}", 0
    if actor.scopes is not None and duty not in actor.scopes:
        return f"The token of {actor.label} does not cover the duty {_meaning(duty)}", 0
    if actor.on_behalf_of_id is None:
        return "", held[duty]
    theirs = _held(actor.on_behalf_of_id)
    if duty not in theirs:
        meaning = _meaning(duty)
        return f"The person on whose behalf {actor.label} acts does not hold the duty {meaning}", 0
    return "", held[duty] or theirs[duty]


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
    return frozenset(_held(user_id))


def _held(user_id: int) -> dict[str, int]:
    """Duties with the session that lends each; 0 where a role gives it."""
    cache = request_cache.get()
    if cache is not None and user_id in cache:
        return cache[user_id]
    from o2c.access.models import RoleDuty

    own = RoleDuty.objects.filter(
        in_force("role__grants__"), role__grants__user_id=user_id, role__grants__user__is_active=True
    ).order_by()
    rows: Any = own.values_list("duty", Value(0, output_field=BigIntegerField()))
    for lend in lenders:
        rows = rows.union(lend(user_id))
    held: dict[str, int] = {}
    for duty, session in rows:
        held[duty] = min(session, held.get(duty, session))
    if cache is not None:
        cache[user_id] = held
    return held
