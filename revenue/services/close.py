"""Closing a period: run the tie-outs, explain what differs, sign twice, lock; and the way back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from django.db.models import Max

from o2c import clock, locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.controls.breakglass.services import require_none_open
from o2c.errors import Conflict, InvalidInput, NotFound
from o2c.ledger.models import AccountingPeriod
from revenue import events
from revenue.models import CloseRun, Explanation, TieOut
from revenue.selectors import checklist, trial_balance
from revenue.selectors.checklist import Answer
from revenue.tieouts.registry import checklist as all_queries

State = AccountingPeriod.State


def start(period_id: int, *, actor: Actor, reason: str = "") -> CloseRun:
    """Start the close of a period; the close that runs already is returned.

    Raises Conflict when an earlier period of the entity is not closed, or this one is.
    """
    with acting(actor, reason=reason):
        require(actor, "revenue.close.run", record=f"period {period_id}")
        period = locks.row(AccountingPeriod, period_id)
        running = CloseRun.objects.filter(period=period).exclude(state=CloseRun.State.REOPENED).first()
        if running is not None:
            return running
        earlier = (
            AccountingPeriod.objects.filter(entity=period.entity_id, starts_on__lt=period.starts_on)
            .exclude(state=State.CLOSED)
            .order_by("starts_on")
            .first()
        )
        if earlier is not None:
            raise Conflict(
                f"{earlier.name} is not closed", record=str(period), remedy="Close the months in their order"
            )
        last = CloseRun.objects.filter(period=period).aggregate(last=Max("number"))["last"]
        if period.state == State.OPEN:
            period.start_close()
            period.save()
        return CloseRun.objects.create(period=period, number=(last or 0) + 1)


def run_tie_outs(pk: int, *, actor: Actor, reason: str = "") -> CloseRun:
    """Ask every question of the checklist again and keep the answers. Only while the close is open."""
    with acting(actor, reason=reason):
        run = locks.row(CloseRun, pk)
        require(actor, "revenue.close.run", record=str(run))
        if run.state != CloseRun.State.OPEN:
            raise Conflict(f"The close is {run.get_state_display().lower()}", record=str(run))
        run.attempt += 1
        answers = checklist.evaluate(run.period)
        TieOut.objects.bulk_create(_row(run, answer) for answer in answers)
        run.save()
        return run


def _row(run: CloseRun, answer: Answer) -> TieOut:
    return TieOut(
        close=run,
        attempt=run.attempt,
        code=answer.code,
        expected=answer.expected,
        actual=answer.actual,
        difference=answer.difference,
        rows=answer.rows,
        differing=answer.differing,
        listing=answer.listing,
        query_digest=answer.query_digest,
        figures_digest=answer.figures_digest,
    )


def explain(pk: int, *, code: str, actor: Actor, reason: str) -> CloseRun:
    """Say why an item differs. It holds for these figures: others need another explanation.

    Raises InvalidInput without a reason, NotFound for an item that was not run, Conflict for one that
    agrees.
    """
    with acting(actor, reason=reason):
        run = locks.row(CloseRun, pk)
        require(actor, "revenue.close.explain", record=str(run))
        if not reason.strip():
            raise InvalidInput("An explanation says why", record=f"{run}, {code}")
        if run.state != CloseRun.State.OPEN:
            raise Conflict(f"The close is {run.get_state_display().lower()}", record=str(run))
        answer = TieOut.objects.filter(close=run, attempt=run.attempt, code=code).first()
        if answer is None:
            raise NotFound(f"{code} has no answer", record=str(run), remedy="Run the tie-outs first")
        if answer.agrees:
            raise Conflict(f"{code} agrees; there is nothing to explain", record=str(run))
        Explanation.objects.create(
            close=run,
            code=code,
            figures_digest=answer.figures_digest,
            reason=reason.strip(),
            explained_by_id=actor.user_id,
        )
        return run


def prepare(pk: int, *, actor: Actor, reason: str = "") -> CloseRun:
    """Sign as preparer: the snapshot of books and answers that the reviewer will sign too.

    Raises Conflict while an item differs unexplained, or when the books moved since the tie-outs ran.
    """
    with acting(actor, reason=reason):
        run = locks.row(CloseRun, pk)
        require(actor, "revenue.close.prepare", record=str(run))
        require_none_open(str(run))
        snapshot = _snapshot(run)
        run.prepare()
        _require_same(run, "since the tie-outs ran", "Run the tie-outs again")
        run.snapshot, run.digest = snapshot, _digest(snapshot)
        run.prepared_by_id, run.prepared_at = actor.user_id, clock.now()
        run.save()
        return run


def send_back(pk: int, *, actor: Actor, reason: str = "") -> CloseRun:
    """The reviewer does not agree: the preparer's signature falls."""
    with acting(actor, reason=reason):
        run = locks.row(CloseRun, pk)
        require(actor, "revenue.close.review", record=str(run))
        run.send_back()
        run.prepared_by_id = run.prepared_at = None
        run.snapshot, run.digest = {}, ""
        run.save()
        return run


def lock(pk: int, *, actor: Actor, reason: str = "") -> CloseRun:
    """Sign as reviewer and lock the period. Nothing posts to it any more.

    Waits for postings that are on their way, then asks every question once more: what is locked is
    what was signed. Raises Conflict when the reviewer prepared it, or when something moved since.
    """
    with acting(actor, reason=reason):
        run = locks.row(CloseRun, pk)
        require(actor, "revenue.close.review", record=str(run))
        if run.prepared_by_id == actor.user_id:
            raise Conflict("Who prepared the close does not review it", record=str(run))
        require_none_open(str(run))
        period = locks.row(AccountingPeriod, run.period_id)
        run.lock()
        _require_same(run, "since it was prepared", "Send it back and run the tie-outs again")
        if _digest(_snapshot(run)) != run.digest:
            raise Conflict(
                "The books moved since it was prepared",
                record=str(run),
                remedy="Send it back and run the tie-outs again",
                code="moved",
            )
        run.reviewed_by_id, run.reviewed_at = actor.user_id, clock.now()
        run.save()
        period.lock()
        period.save()
        events.period_event(events.CLOSED, period.pk, close_id=run.pk, digest=run.digest)
        return run


def ask_reopen(pk: int, *, actor: Actor, reason: str) -> CloseRun:
    """Ask for a closed period to be reopened. Only the latest closed one of an entity can be.

    Raises InvalidInput without a reason, Conflict while a later period is closed.
    """
    with acting(actor, reason=reason):
        run = locks.row(CloseRun, pk)
        require(actor, "revenue.close.ask_reopen", record=str(run))
        if not reason.strip():
            raise InvalidInput("Reopening a closed period has a reason", record=str(run))
        _require_latest(run)
        run.ask_reopen()
        run.reopening_asked_by_id, run.reopening_reason = actor.user_id, reason.strip()
        run.save()
        return run


def ask_approval(pk: int, *, actor: Actor, reason: str = "") -> Request:
    """Ask those whom its policy wants to grant a reopening that was asked for."""
    return approvals.submit("revenue.close.reopen", pk, actor=actor, reason=reason)


def keep_locked(pk: int, *, actor: Actor, reason: str = "") -> CloseRun:
    """Refuse the reopening: what is late posts in the open period."""
    with acting(actor, reason=reason):
        run = locks.row(CloseRun, pk)
        require(actor, "revenue.close.reopen", record=str(run))
        run.keep_locked()
        run.reopening_asked_by_id, run.reopening_reason = None, ""
        run.save()
        return run


def reopen(pk: int, *, actor: Actor, reason: str = "") -> CloseRun:
    """Grant the reopening: the period takes postings again, and its signatures are void."""
    with acting(actor, reason=reason):
        run = locks.row(CloseRun, pk)
        require(actor, "revenue.close.reopen", record=str(run))
        if run.reopening_asked_by_id == actor.user_id:
            raise Conflict("Who asked for the reopening does not grant it", record=str(run))
        approvals.gate("revenue.close.reopen", [pk])
        period = locks.row(AccountingPeriod, run.period_id)
        _require_latest(run)
        run.reopen()
        run.reopened_by_id, run.reopened_at = actor.user_id, clock.now()
        run.save()
        period.reopen()
        period.save()
        events.period_event(events.REOPENED, period.pk, close_id=run.pk, reason=run.reopening_reason)
        return run


def _require_latest(run: CloseRun) -> None:
    period = run.period
    later = (
        AccountingPeriod.objects.filter(
            entity=period.entity_id, starts_on__gt=period.starts_on, state=State.CLOSED
        )
        .order_by("-starts_on")
        .first()
    )
    if later is not None:
        raise Conflict(
            f"{later.name} is closed and comes after it",
            record=str(period),
            remedy=f"Only the latest closed period can be reopened; {later.name} first",
        )


def _require_same(run: CloseRun, since: str, remedy: str) -> None:
    """Refuse unless every question still gets the answer of the last attempt."""
    known = {t.code: (t.expected, t.actual, t.figures_digest) for t in _answers(run)}
    moved = [
        a.code
        for a in checklist.evaluate(run.period, all_queries())
        if known.get(a.code) != (a.expected, a.actual, a.figures_digest)
    ]
    if moved:
        raise Conflict(f"{', '.join(moved)} moved {since}", record=str(run), remedy=remedy, code="moved")


def _snapshot(run: CloseRun) -> dict[str, Any]:
    """What both signatures stand for: hashes of books and recognition, and every answer."""
    explained = {item.query.code for item in checklist.items(run) if item.standing == "explained"}
    return {
        **trial_balance.hashes(run.period_id),
        "attempt": run.attempt,
        "tie_outs": {
            t.code: {
                "expected": str(t.expected),
                "actual": str(t.actual),
                "difference": str(t.difference),
                "query": t.query_digest,
                "explained": t.code in explained,
            }
            for t in _answers(run)
        },
    }


def _answers(run: CloseRun) -> Sequence[TieOut]:
    return list(TieOut.objects.filter(close=run, attempt=run.attempt).order_by("code"))


def _digest(snapshot: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(snapshot, sort_keys=True).encode()).hexdigest()
