"""Governing the rules themselves: draft, lint, put in force by another through a request, retire."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db.models import Max, QuerySet

from o2c import clock, locks
from o2c.access import registry as duty_registry
from o2c.access import require
from o2c.access.authorise import in_force
from o2c.access.models import RoleDuty, User
from o2c.actor import Actor, acting
from o2c.controls.approvals import registry
from o2c.controls.approvals.domain import policy as rules
from o2c.controls.approvals.domain.canonical import flat
from o2c.controls.approvals.domain.lint import Problem, lint
from o2c.controls.approvals.models import Policy
from o2c.controls.approvals.models.request import DUTY_DECIDE
from o2c.controls.approvals.services.gate import gate
from o2c.errors import Conflict, InvalidInput, NotAuthorised


def draft(
    *,
    act: str,
    content: Mapping[str, Any],
    valid_from: dt.datetime | None = None,
    note: str = "",
    actor: Actor,
    reason: str = "",
) -> Policy:
    """Write the next version of the policy of an act: from `valid_from` on, or as soon as it is put in force.

    Raises InvalidInput for what cannot be read, and for a date that is over.
    """
    with acting(actor, reason=reason):
        require(actor, "approvals.policy.draft", record=act)
        registry.act(act)
        _to_come(valid_from, act)
        policy = rules.parse(content)
        last = Policy.objects.filter(act=act).aggregate(last=Max("version"))["last"] or 0
        return Policy.objects.create(
            act=act,
            version=last + 1,
            title=policy.title[:200],
            content=dict(content),
            valid_from=valid_from,
            drafted_by_id=actor.user_id,
            note=(note or reason)[:300],
        )


def _to_come(valid_from: dt.datetime | None, record: str) -> None:
    if valid_from is not None and valid_from <= clock.now():
        raise InvalidInput(
            f"A version does not apply from {valid_from:%Y-%m-%d %H:%M}, which is over",
            record=record, remedy="Choose a later date, or none: then it applies once it is put in force",
            fields={"valid_from": ["is over"]},
        )  # fmt: skip


def change(
    pk: int,
    *,
    content: Mapping[str, Any],
    valid_from: dt.datetime | None = None,
    actor: Actor,
    reason: str = "",
) -> Policy:
    """Rewrite a draft. Raises Conflict for a version that was ever in force."""
    with acting(actor, reason=reason):
        row: Policy = locks.row(Policy, pk)
        require(actor, "approvals.policy.draft", record=str(row))
        if row.state != Policy.State.DRAFT:
            raise Conflict("Only a draft is rewritten", record=str(row), remedy="Draft the next version")
        _to_come(valid_from, str(row))
        row.title, row.content = rules.parse(content).title[:200], dict(content)
        row.valid_from = valid_from
        row.save()
        return row


def activate(pk: int, *, actor: Actor, reason: str = "") -> Policy:
    """Put a drafted version in force from its date on, or at once; then the one before is retired.

    Raises NotAuthorised for whoever drafted it, Conflict for one that the lint blocks or that no request
    approved.
    """
    with acting(actor, reason=reason):
        row: Policy = locks.row(Policy, pk)
        require(actor, "approvals.policy.activate", record=str(row))
        if row.drafted_by_id == actor.user_id:
            raise NotAuthorised("Who drafted a policy does not put it in force", record=str(row))
        if blocking := [problem.text for problem in problems(row) if problem.blocks]:
            raise Conflict(
                "; ".join(blocking), record=str(row), remedy="Correct the draft", code="policy_invalid"
            )
        gate("approvals.policy.activate", [pk])
        if row.valid_from is None or row.valid_from <= clock.now():
            _retire(Policy.objects.begun().filter(act=row.act))
        row.activate()
        row.activated_by_id, row.activated_at = actor.user_id, clock.now()
        row.save()
        return row


def retire_replaced(*, actor: Actor, reason: str = "") -> int:
    """Retire versions after which another has begun by its date; which one applies does not wait for it."""
    with acting(actor, reason=reason):
        require(actor, "approvals.timer.run")
        return _retire(Policy.objects.begun().exclude(pk__in=Policy.objects.in_force().values("pk")))


def _retire(rows: QuerySet[Policy]) -> int:
    found = list(locks.rows(Policy, rows.values_list("pk", flat=True)))
    for row in found:
        row.retire()
        row.retired_at = clock.now()
        row.save()
    return len(found)


def problems(row: Policy) -> list[Problem]:
    """What the lint says of a version, with the people and duties as they are now."""
    return check(row.act, row.content)


def check(act_code: str, content: Mapping[str, Any]) -> list[Problem]:
    """The lint of a policy for an act."""
    policy = rules.parse(content)
    return lint(
        policy,
        paths=known_paths(registry.act(act_code)),
        duties=set(duty_registry.known()),
        holders=_holders(policy),
    )


def known_paths(act: registry.Act) -> set[str]:
    """The paths that the facts of the act have: those named in its labels, and their parts."""
    return set(act.labels) | set(flat(dict.fromkeys(act.labels)))


def _holders(policy: rules.Policy) -> dict[str, int]:
    """How many active people hold each duty; of the steps' duties, how many who decide requests at all."""
    steps = {step.duty for step in policy.steps}
    rows = RoleDuty.objects.filter(
        in_force("role__grants__"),
        duty__in=steps | {step.escalate_to for step in policy.steps} | {DUTY_DECIDE},
        role__grants__user__is_active=True,
        role__grants__user__kind=User.Kind.HUMAN,
    ).values_list("duty", "role__grants__user_id")
    people: dict[str, set[int]] = {}
    for duty, pk in rows:
        people.setdefault(duty, set()).add(pk)
    deciders = people.get(DUTY_DECIDE, set())
    return {duty: len(found & deciders if duty in steps else found) for duty, found in people.items()}
