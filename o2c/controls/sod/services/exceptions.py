"""Exceptions to a rule: asked for, decided by somebody else, over within ninety days at most."""

from __future__ import annotations

import datetime as dt

from o2c import clock, locks
from o2c.access import require
from o2c.access.models import User
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.controls.sod.models import SodException, SodRule
from o2c.controls.sod.models.exceptions import LONGEST
from o2c.errors import Conflict, InvalidInput, NotAuthorised, NotFound


def request(
    user: User,
    rule_code: str,
    *,
    mitigation: str,
    actor: Actor,
    reason: str,
    days: int = 90,
) -> SodException:
    """Ask that `user` may hold or do both sides of a rule for `days` days from now, under a mitigation.

    A rule that is only about one record (approving one's own work) knows no exception: a second person is the
    whole control. Raises Conflict while the same is asked for and not decided.
    """
    record = f"{rule_code} for {user}"
    with acting(actor, reason=reason):
        require(actor, "sod.exception.request", record=record)
        rule = SodRule.objects.filter(code=rule_code).first()
        if rule is None:
            raise NotFound(f"There is no rule {rule_code}", remedy="Rules: manage.py sod rules.")
        if not rule.at_grant:
            raise InvalidInput(
                f"{rule.code} knows no exception: nobody approves their own work",
                record=record,
                remedy="Let a second person do the other half.",
            )
        if not 0 < days <= LONGEST.days:
            raise InvalidInput("An exception lasts between one and ninety days", record=record)
        if not mitigation.strip() or not reason.strip():
            raise InvalidInput("Say why, and what somebody else does meanwhile", record=record)
        if SodException.objects.filter(user=user, rule=rule, state=SodException.State.REQUESTED).exists():
            raise Conflict("It is asked for already", record=record, remedy="Wait until it is decided")
        now = clock.now()
        return SodException.objects.create(
            user=user,
            rule=rule,
            reason=reason,
            mitigation=mitigation,
            valid_from=now,
            valid_to=now + dt.timedelta(days=days),
            requested_by_id=actor.user_id,
        )


def approve(pk: int, *, actor: Actor, reason: str = "") -> SodException:
    """Let it in. Not by the beneficiary, nor by whoever asked."""
    return _decide(pk, "approve", actor=actor, reason=reason)


def ask(pk: int, *, actor: Actor, reason: str = "") -> Request:
    """Ask those who decide about a longer exception. The request is of whoever may ask for exceptions."""
    return approvals.submit("sod.exception.approve", pk, actor=actor, reason=reason)


def reject(pk: int, *, actor: Actor, reason: str = "") -> SodException:
    """Refuse it, with the reason."""
    return _decide(pk, "reject", actor=actor, reason=reason)


def _decide(pk: int, how: str, *, actor: Actor, reason: str) -> SodException:
    with acting(actor, reason=reason):
        row: SodException = locks.row(SodException, pk)
        require(actor, "sod.exception.decide", record=str(row))
        if actor.user_id in (row.user_id, row.requested_by_id):
            raise NotAuthorised(
                "S52: neither the beneficiary nor whoever asked decides an exception",
                record=str(row),
                remedy="Ask another controller.",
                code="segregation",
            )
        if how == "approve":
            approvals.gate("sod.exception.approve", [pk])
        getattr(row, how)()
        row.decided_by_id = actor.user_id
        row.decided_at = clock.now()
        row.decision_note = reason
        row.save()
    return row


def end(pk: int, *, actor: Actor, reason: str = "") -> SodException:
    """End an exception before its time; refused while grants of the person live on it."""
    with acting(actor, reason=reason):
        row: SodException = locks.row(SodException, pk)
        require(actor, "sod.exception.decide", record=str(row))
        row.end()
        row.save()
        from o2c.controls.sod.selectors import conflicts

        left = [c for c in conflicts([row.user_id]) if c.rule == row.rule.code]
        if left:
            raise Conflict(
                f"{left[0].role_a} and {left[0].role_b} are still held",
                record=str(row),
                remedy="Revoke one of the roles first.",
            )
    return row
