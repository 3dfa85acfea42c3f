"""A round: the values as they are, who may decide, the steps that wait, the approvals that stay."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.apps import apps
from django.db import connection, models

from o2c import clock
from o2c.controls.approvals.domain import policy as rules
from o2c.controls.approvals.domain.calendar import BusinessCalendar, with_holidays
from o2c.controls.approvals.domain.canonical import differences
from o2c.controls.approvals.models import Decision, Holiday, Request, Round, Step
from o2c.controls.approvals.registry import Act
from o2c.controls.approvals.selectors.eligibility import Candidates, Field
from o2c.controls.approvals.services.rehearsal import Seen

KEPT = (Decision.Verdict.APPROVE, Decision.Verdict.CARRIED)
DECIDED = (Decision.Verdict.APPROVE, Decision.Verdict.REJECT)


def calendar() -> BusinessCalendar:
    return with_holidays("UTC", Holiday.objects.values_list("day", flat=True))


def write_round(
    request: Request,
    act: Act,
    seen: Seen,
    asked: Sequence[rules.Asked],
    field: Field,
    *,
    previous: Round | None,
) -> Round:
    """Keep what the approvers of this round have in front of them, and its steps."""
    policy = rules.parse(request.policy.content)
    kept = Round.objects.create(
        request=request,
        number=request.round,
        policy=request.policy,
        facts=seen.facts.values,
        effects=seen.effects,
        facts_digest=seen.facts.digest,
        digest=request.digest,
        base_versions=base_versions(act, request.subject_id),
        changes=differences(previous.facts, seen.facts.values) if previous else [],
        eligible={code: [str(p) for p in found.eligible] for code, found in field.steps.items()},
        exclusions=field.exclusions,
        clause=policy.clause,
    )
    Step.objects.bulk_create(
        Step(
            request=request,
            round=request.round,
            position=position,
            code=one.step.code,
            title=one.step.title,
            duty=one.step.duty,
            approvers=one.step.approvers,
            because=list(one.because),
        )
        for position, one in enumerate(asked, start=1)
    )
    return kept


def carry_over(
    request: Request, previous: Round, *, effects_changed: bool, able: Mapping[str, Candidates]
) -> None:
    """Keep the approvals of those steps whose values did not get worse, by people who may still decide.

    `able`: step code → who may decide it now. The step of whoever left, or lost the duty or their delegation,
    is open again.
    """
    policy = rules.parse(request.policy.content)
    before = Decision.objects.filter(request=request, round=previous.number, verdict__in=KEPT).select_related(
        "original"
    )
    steps = {step.code: step for step in request.steps.filter(round=request.round)}
    for decision in before:
        step = steps.get(decision.step_code)
        first = decision.original or decision
        if step is None or effects_changed:
            continue
        as_whom = (first.decided_by_id, first.delegation_id)
        if as_whom not in {(p.user_id, p.delegation_id) for p in able[step.code].eligible}:
            continue
        seen = Round.objects.get(request=request, number=first.round)
        if rules.worsened(policy.step(step.code).watches, seen.facts, request.facts):
            continue
        Decision.objects.create(
            request=request,
            step=step,
            round=request.round,
            step_code=step.code,
            verdict=Decision.Verdict.CARRIED,
            decided_by_id=decision.decided_by_id,
            delegation_id=first.delegation_id,
            delegator_id=first.delegator_id,
            original=first,
            facts_digest=request.facts_digest,
            digest=request.digest,
            comment=f"Approved in round {first.round}; nothing this step watches has become worse",
        )


def advance(request: Request, *, now: dt.datetime | None = None) -> Step | None:
    """Close steps that are decided and open the next; returns the one that waits, None when all are done."""
    now = now or clock.now()
    counts = dict(
        Decision.objects.filter(request=request, round=request.round, verdict__in=KEPT)
        .values_list("step_code")
        .annotate(people=models.Count("decided_by", distinct=True))
    )
    policy = rules.parse(request.policy.content)
    for step in request.steps.filter(round=request.round).order_by("position"):
        if counts.get(step.code, 0) >= step.approvers:
            if step.done_at is None:
                step.done_at = now
                step.save(update_fields=["done_at"])
            continue
        if step.opened_at is None:
            said, days = policy.step(step.code), calendar()
            step.opened_at = now
            step.remind_at = days.after(now, said.remind_hours)
            step.escalate_at = days.after(now, said.escalate_hours)
            step.expire_at = days.after(now, said.expire_hours)
            step.save(update_fields=["opened_at", "remind_at", "escalate_at", "expire_at"])
        return step
    return None


def base_versions(act: Act, subject_id: int) -> dict[str, Any]:
    """The last history row of the subject and of its parts: evidence of what was looked at."""
    found: dict[str, Any] = {}
    for lineage in act.lineage:
        history: Any = apps.get_model(lineage.model).history.model  # type: ignore[attr-defined]
        sql = (
            f"SELECT max(h.history_id) FROM {history._meta.db_table} h"
            f" WHERE {lineage.rows.replace('$1', '%s')}"
        )
        with connection.cursor() as cursor:
            cursor.execute(sql, [subject_id] * lineage.rows.count("$1"))
            found[lineage.model] = cursor.fetchone()[0]
    return found
