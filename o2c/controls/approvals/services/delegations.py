"""Letting somebody else decide while one is away: dated, accepted, never passed on, never wider."""

from __future__ import annotations

import datetime as dt

from o2c import clock, locks
from o2c.access import require
from o2c.access.authorise import duties_of_id
from o2c.access.models import User
from o2c.actor import Actor, acting
from o2c.controls.approvals.models import Delegation
from o2c.controls.approvals.selectors.lending import broken_by_delegation
from o2c.errors import Conflict, InvalidInput, NotAuthorised

LONGEST = dt.timedelta(days=60)
MAX_REASON = 300  # characters


def give(
    *, delegate: User, valid_from: dt.datetime, valid_to: dt.datetime, actor: Actor, reason: str = ""
) -> Delegation:
    """Ask `delegate` to decide for the actor in `[valid_from, valid_to)`; it counts once they accept.

    Raises InvalidInput without a reason or with one that is too long, for a service account, when it ends
    before it begins, and longer than 60 days; NotAuthorised where one of the two would break a rule of
    segregation by what is lent.
    """
    with acting(actor, reason=reason):
        require(actor, "approvals.delegation.give")
        if not reason.strip():
            raise InvalidInput("A delegation says why", fields={"reason": ["is missing"]})
        if len(reason.strip()) > MAX_REASON:
            raise InvalidInput(
                f"A delegation says why in at most {MAX_REASON} characters, these are {len(reason.strip())}",
                fields={"reason": ["is too long"]},
            )
        if delegate.pk == actor.user_id:
            raise InvalidInput("Nobody delegates to themselves", remedy="Choose somebody else")
        if delegate.is_service or not delegate.is_active:
            raise InvalidInput(f"{delegate} cannot decide", remedy="Choose a person who works here")
        if valid_to <= valid_from:
            raise InvalidInput(
                "A delegation ends after it begins", remedy="Choose a later end",
                fields={"valid_to": ["is not after its beginning"]},
            )  # fmt: skip
        if not clock.now() <= valid_to <= valid_from + LONGEST:
            raise InvalidInput(
                "A delegation ends in the future, at most 60 days after it begins",
                fields={"valid_to": ["is not within 60 days"]},
            )
        held = duties_of_id(delegate.pk)
        if "approvals.policy.draft" in held:
            raise InvalidInput(
                f"{delegate} drafts policies and so decides under none (S48)", remedy="Choose somebody else"
            )
        if not any(duty != "approvals.delegation.give" for duty in held):
            raise InvalidInput(f"{delegate} holds no duty at all", remedy="Choose a colleague")
        _segregated(actor.user_id, delegate.pk, f"{delegate} for {actor.label}")
        return Delegation.objects.create(
            delegator_id=actor.user_id,
            delegate=delegate,
            valid_from=valid_from,
            valid_to=valid_to,
            reason=reason.strip(),
        )


def accept(pk: int, *, actor: Actor, reason: str = "") -> Delegation:
    """Take a delegation on. Only the delegate can, and not against a rule of segregation."""
    with acting(actor, reason=reason):
        given: Delegation = locks.row(Delegation, pk)
        if given.delegate_id != actor.user_id:
            raise NotAuthorised("Only whoever is asked accepts", record=str(given), code="not_yours")
        if given.accepted_at or given.revoked_at:
            raise Conflict("It was answered already", record=str(given))
        _segregated(given.delegator_id, given.delegate_id, str(given))
        given.accepted_at = clock.now()
        given.save(update_fields=["accepted_at"])
        return given


def _segregated(delegator_id: int, delegate_id: int, record: str) -> None:
    """Refuse what would put both sides of a rule in one hand, the delegator's or the delegate's."""
    broken = broken_by_delegation(delegator_id, delegate_id)
    if broken:
        person, first = broken[0]
        rules = ", ".join(sorted({one.rule for _, one in broken}))
        raise NotAuthorised(
            f"{first.rule}: {person} would hold both {first.first} and {first.second}", record=record,
            remedy=f"Choose somebody else, or ask for an exception ({rules})", code="segregation",
        )  # fmt: skip


def revoke(pk: int, *, actor: Actor, reason: str = "") -> Delegation:
    """End a delegation now. Either of the two can."""
    with acting(actor, reason=reason):
        given: Delegation = locks.row(Delegation, pk)
        if actor.user_id not in (given.delegator_id, given.delegate_id):
            raise NotAuthorised("One of the two ends a delegation", record=str(given), code="not_yours")
        if given.revoked_at:
            raise Conflict("It has ended already", record=str(given))
        given.revoked_at = clock.now()
        given.save(update_fields=["revoked_at"])
        return given
