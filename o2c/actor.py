"""Who is acting, why, and in which request: known to Python and to the database.

`acting` opens a transaction and says `SET LOCAL` to PostgreSQL, where the history triggers read it.
`ambient` only remembers the identity for the transactions that begin inside it: the request, task
and command edges use it. The database backend (`o2c.postgres`) applies it whenever a transaction
begins, so a write that no edge and no service has claimed has no actor, and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import psycopg
from django.db import DatabaseError, connection, transaction
from psycopg.pq import TransactionStatus

from o2c.errors import Conflict, NoActor, NotAuthorised
from o2c.signing import signature

if TYPE_CHECKING:
    from o2c.access.models import User

INSTALLER_ID = 0


@dataclass(frozen=True, slots=True)
class Actor:
    """The human or service account that acts, and on whose behalf if on another's.

    `scopes` are the duties of the token that the account came in with; None where no token narrows it.
    """

    user_id: int
    label: str
    on_behalf_of_id: int | None = None
    scopes: frozenset[str] | None = None

    @classmethod
    def of(cls, user: User, on_behalf_of: User | None = None, scopes: frozenset[str] | None = None) -> Actor:
        label = user.get_username()
        if on_behalf_of is not None:
            label = f"{label} for {on_behalf_of.get_username()}"
        return cls(user.pk, label, on_behalf_of.pk if on_behalf_of else None, scopes)

    @classmethod
    def installer(cls) -> Actor:
        """Whoever runs the migrations: the only actor who exists before any user does."""
        return cls(INSTALLER_ID, "installer")

    @classmethod
    def anonymous(cls) -> Actor:
        """Somebody who has not signed in: the actor of a refused sign-in, and of nothing else."""
        return cls(INSTALLER_ID, "anonymous")


@dataclass(frozen=True, slots=True)
class Trace:
    """What every history row of a transaction carries."""

    actor: Actor
    reason: str = ""
    request_id: str = ""


_trace: ContextVar[Trace | None] = ContextVar("o2c_trace", default=None)

# Who wants to know of a refused attempt, called after its transaction is undone.
on_refusal: list[Callable[[Trace, NotAuthorised], None]] = []

SET_TRACE = (
    "SELECT set_config('o2c.actor_id', %s, true), set_config('o2c.actor', %s, true),"
    " set_config('o2c.on_behalf_of_id', %s, true), set_config('o2c.reason', %s, true),"
    " set_config('o2c.request_id', %s, true), set_config('o2c.signed', %s, true)"
)


def trace_parameters(trace: Trace | None) -> tuple[str, ...]:
    """What SET_TRACE says, the product's signature last."""
    if trace is None:
        return ("",) * 6
    actor = trace.actor
    behalf = "" if actor.on_behalf_of_id is None else str(actor.on_behalf_of_id)
    said = (str(actor.user_id), actor.label, behalf, trace.reason, trace.request_id)
    return (*said, signature(said))


def say(raw: psycopg.Connection[Any], trace: Trace | None) -> None:
    """Tell this connection's transaction. Bound on the server: the text of a query can be read by others."""
    psycopg.Cursor(raw).execute(SET_TRACE, trace_parameters(trace), prepare=False)


def current_trace() -> Trace | None:
    return _trace.get()


def current_actor() -> Actor:
    """The actor of this context. Raises NoActor outside of any."""
    trace = _trace.get()
    if trace is None:
        raise NoActor("Nobody is acting", remedy="Enter o2c.actor.acting(actor) before writing")
    return trace.actor


def _inherit(actor: Actor, reason: str, request_id: str) -> Trace:
    outer = _trace.get()
    trace = Trace(actor, reason, request_id)
    if outer is None:
        return trace
    return replace(trace, reason=reason or outer.reason, request_id=request_id or outer.request_id)


def tell_database(trace: Trace | None) -> None:
    """Say in the open transaction who acts from here on; does nothing in one that has failed."""
    raw: Any = connection.connection
    if raw.info.transaction_status != TransactionStatus.INERROR:
        say(raw, trace)


@contextmanager
def ambient(actor: Actor, *, reason: str = "", request_id: str = "") -> Iterator[Actor]:
    """Remember the identity for every transaction that begins inside. Opens none itself."""
    token = _trace.set(_inherit(actor, reason, request_id))
    try:
        yield actor
    finally:
        _trace.reset(token)


@contextmanager
def acting(actor: Actor, *, reason: str = "", request_id: str = "") -> Iterator[Actor]:
    """One transaction (a savepoint, when one is open) in which `actor` acts for `reason`.

    An empty reason or request id is inherited from the surrounding context. What the database refuses because
    of segregation of duties is raised as NotAuthorised, and every NotAuthorised is told to `on_refusal`; so
    is what the guards of approvals refuse, which is raised as Conflict at the commit and stays the
    database's own error within a transaction.
    """
    outer = _trace.get()
    with ambient(actor, reason=reason, request_id=request_id):
        nested = connection.in_atomic_block
        try:
            with transaction.atomic():
                if nested:
                    tell_database(_trace.get())
                yield actor
                if nested:
                    tell_database(outer)
        except (NotAuthorised, DatabaseError) as error:
            refused = _refusal(error)
            if refused is None:
                if (unapproved := _unapproved(error)) is not None:
                    _tell(unapproved)
                    if not nested:
                        raise Conflict(
                            unapproved.message,
                            remedy="Ask for approval of it as it is now.",
                            code="not_approved",
                        ) from error
                raise
            _tell(refused)
            if refused is error:
                raise
            raise refused from error


def _refusal(error: Exception) -> NotAuthorised | None:
    """The refusal that an error is; None for any other. OC007 is a guard of segregation of duties."""
    if isinstance(error, NotAuthorised):
        return error
    cause = error.__cause__
    if not isinstance(cause, psycopg.Error) or cause.sqlstate != "OC007":
        return None
    message = cause.diag.message_primary or str(cause)
    return NotAuthorised(
        message,
        remedy="Ask a colleague who did not do the other half.",
        code="segregation",
    )


def _unapproved(error: Exception) -> NotAuthorised | None:
    """What the guards of approvals refused: somebody went round a request (OC006), or a policy (OC005)."""
    cause = error.__cause__
    if not isinstance(cause, psycopg.Error) or cause.sqlstate not in ("OC005", "OC006"):
        return None
    return NotAuthorised(cause.diag.message_primary or str(cause), code="not_approved")


def _tell(refused: NotAuthorised) -> None:
    trace = _trace.get()
    # A surrounding transaction that is lost anyway would lose the record too; its own `acting` tells again.
    if trace is not None and not connection.needs_rollback:
        for listener in on_refusal:
            listener(trace, refused)
