"""The clock of requests: remind, escalate, expire; ask again about what changed. Expiry is a no."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import structlog
from django.db import DatabaseError
from django.db.models import Q

from o2c import locks, outbox
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.controls.approvals import registry
from o2c.controls.approvals.domain import policy as rules
from o2c.controls.approvals.models import Policy, Request, Step
from o2c.controls.approvals.registry import Act
from o2c.controls.approvals.selectors.escalation import escalated_to
from o2c.controls.approvals.selectors.facts import facts_of
from o2c.controls.approvals.services import carrying, policies, rounds, submitting
from o2c.controls.approvals.services.submitting import asks_more
from o2c.errors import DomainError
from o2c.runtime.signals_of_life import beat

REMINDED = "approvals.step.reminded"
ESCALATED = "approvals.step.escalated"
EXPIRED = "approvals.request.expired"
HEARTBEAT = "approvals.timer"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ticked:
    reminded: int
    escalated: int
    renewed: int
    carried: int
    expired: int


def tick(*, actor: Actor, now: dt.datetime, reason: str = "") -> Ticked:
    """Do what is due at `now`. Running it twice does nothing more; each request is its own transaction."""
    require(actor, "approvals.timer.run")
    reason = reason or "approval timers"
    policies.retire_replaced(actor=actor, reason=reason)
    done = Ticked(
        reminded=_nudge("remind_at", "reminded_at", REMINDED, now, actor, reason),
        escalated=_nudge("escalate_at", "escalated_at", ESCALATED, now, actor, reason),
        renewed=_renew(actor, reason),
        carried=_carry_cooled(actor, reason),
        expired=_expire(now, actor, reason) + _lapse(now, actor, reason),
    )
    with acting(actor, reason=reason):
        beat(HEARTBEAT, at=now.isoformat(), expired=done.expired, renewed=done.renewed)
    return done


def _carry_cooled(actor: Actor, reason: str) -> int:
    """Do what was approved and has cooled off, in the name of whoever asked."""
    count = 0
    makers = [act.code for act in registry.acts() if act.runs_as == "maker"]
    waiting = Request.objects.filter(state=Request.State.APPROVED, act__in=makers)
    for pk in waiting.values_list("pk", flat=True):
        try:
            with acting(actor, reason=reason):
                request: Request = locks.row(Request, pk)
                if request.state == Request.State.APPROVED:
                    carrying.execute(request, actor=actor)
                    count += 1
        except DomainError as error:
            _say_why(pk, str(error)[:1000], actor, reason)
        except DatabaseError:
            log.exception("approval_not_carried_out", request=pk)
    return count


def _say_why(pk: int, problem: str, actor: Actor, reason: str) -> None:
    """It still cools off, or cannot be done: the request says so, once."""
    with acting(actor, reason=reason):
        request: Request = locks.row(Request, pk)
        if request.state == Request.State.APPROVED and request.problem != problem:
            request.problem = problem
            request.save(update_fields=["problem"])


def _waiting() -> Q:
    return Q(opened_at__isnull=False, done_at__isnull=True, request__state=Request.State.OPEN)


def _nudge(due: str, done: str, event: str, now: dt.datetime, actor: Actor, reason: str) -> int:
    """Say once that a step waits, by a message with a link. What is late is said to others, who are named."""
    steps = Step.objects.filter(_waiting(), **{f"{due}__lte": now, f"{done}__isnull": True})
    pks = [pk for pk, current, own in steps.values_list("pk", "request__round", "round") if current == own]
    with acting(actor, reason=reason):
        for step in locks.rows(Step, pks):
            setattr(step, done, now)
            if event == ESCALATED:
                told = escalated_to(step.request, step)
                step.escalated_to = [{"user": pk, "name": name} for pk, name in told.items()]
            step.save(update_fields=[done, "escalated_to"])
            outbox.publish(
                type=event,
                aggregate=f"approvals.request:{step.request_id}",
                payload={"request_id": step.request_id, "step_id": step.pk},
            )
    return len(pks)


def _expire(now: dt.datetime, actor: Actor, reason: str) -> int:
    late = Step.objects.filter(_waiting(), expire_at__lte=now).values_list("request_id", flat=True)
    count = 0
    for pk in sorted(set(late)):
        with acting(actor, reason=reason):
            request: Request = locks.row(Request, pk)
            step = request.steps.filter(round=request.round, done_at=None).exclude(opened_at=None).first()
            if request.state != Request.State.OPEN or step is None or (step.expire_at or now) > now:
                continue
            _end(request, step, f"Nobody decided step '{step.title}' in time: that is a no", now)
            count += 1
    return count


def _lapse(now: dt.datetime, actor: Actor, reason: str) -> int:
    """End what waits for no decision and for nothing else either: changed values that nobody was asked about
    again, an approval that nobody carried out. Their last day is set when the clock first finds them so.
    """
    waiting = Request.objects.filter(state__in=(Request.State.STALE, Request.State.APPROVED))
    due = waiting.filter(Q(lapses_at__isnull=True) | Q(lapses_at__lte=now)).values_list("pk", flat=True)
    count = 0
    for pk in sorted(due):
        try:
            with acting(actor, reason=reason):
                count += _lapsed(locks.row(Request, pk), now)
        except (DomainError, DatabaseError):
            # One request that cannot be ended keeps the clock from nobody else's.
            log.exception("approval_not_lapsed", request=pk)
    return count


def _lapsed(request: Request, now: dt.datetime) -> bool:
    if request.state not in (Request.State.STALE, Request.State.APPROVED):
        return False  # somebody asked again, recalled it or carried it out meanwhile
    if request.lapses_at is None:
        request.lapses_at = _last_day(request, now)
        request.save()
        return False
    step = request.steps.filter(round=request.round).latest("position")
    _end(request, step, _left(request), now)
    return True


def _last_day(request: Request, now: dt.datetime) -> dt.datetime:
    """As long as its slowest step may wait, from now, or from when it has cooled off."""
    begins = now
    if request.state == Request.State.APPROVED:
        begins = max(now, carrying.cooled_at(request))
    hours = max(step.expire_hours for step in rules.parse(request.policy.content).steps)
    return rounds.calendar().after(begins, hours)


def _left(request: Request) -> str:
    why = f" ({request.problem})" if request.problem else ""
    if request.state == Request.State.APPROVED:
        return f"It was approved, and not carried out in time: that is a no{why}"
    return f"Its values changed, and nobody was asked about them in time: that is a no{why}"


def _end(request: Request, step: Step, why: str, now: dt.datetime) -> None:
    request.expire()
    request.decided_at, request.problem = now, why[:1000]
    request.save()
    outbox.publish(
        type=EXPIRED,
        aggregate=f"approvals.request:{request.pk}",
        payload={"request_id": request.pk, "step_id": step.pk},
    )


def _renew(actor: Actor, reason: str) -> int:
    """Ask again about requests whose row changed since, and those of which a newer policy asks more."""
    return sum(_renewed(pk, actor) for act in registry.acts() for pk in sorted(_overtaken(act)))


def _overtaken(act: Act) -> set[int]:
    """The requests of an act that are about values, or under a policy, of before: three queries."""
    live = Request.objects.filter(act=act.code, state__in=(Request.State.OPEN, Request.State.APPROVED))
    flight = list(live.select_related("policy"))
    in_force = Policy.objects.in_force().filter(act=act.code).first()
    found = {r.pk for r in flight if in_force is not None and asks_more(r.policy, in_force, r.facts)}
    waiting = [r for r in flight if r.state == Request.State.OPEN]
    if not act.proposes:
        now = facts_of(act, [r.subject_id for r in waiting])
        found |= {
            r.pk for r in waiting if r.subject_id not in now or now[r.subject_id].digest != r.facts_digest
        }
    return found


def _renewed(pk: int, actor: Actor) -> bool:
    try:
        submitting.renew(pk, actor=actor, reason="What is to be approved, or its policy, was changed")
    except DomainError:
        return False  # somebody recalled, decided or renewed it meanwhile
    except DatabaseError:
        # One request that cannot be asked again keeps the clock from nobody else's.
        log.exception("approval_not_renewed", request=pk)
        return False
    return True
