"""Who hears of a step that is late: others than those who were reminded of it."""

from __future__ import annotations

from o2c.controls.approvals import registry
from o2c.controls.approvals.domain import policy as rules
from o2c.controls.approvals.models import Request, Step
from o2c.controls.approvals.selectors.eligibility import barred, candidates, holders_of

# Where everybody who holds the duty of the step is late, somebody else has to be given it.
GIVES_ROLES = "access.role.grant"


def reminded(request: Request, step: Step) -> set[int]:
    """Who may decide the step now: they are asked, and reminded."""
    act, said = registry.act(request.act), _said(request, step)
    bar = barred(act, request.subject_id, [request.requested_by_id])
    field = candidates(act, request.subject_id, [rules.Asked(said, ())], bar)
    return {person.user_id for person in field.steps[step.code].eligible}


def escalated_to(request: Request, step: Step) -> dict[int, str]:
    """{id: name} of whoever sees to it that somebody decides.

    The holders of the duty that the policy names for it, or else of one that governs, without those who were
    reminded; the first of these duties that leaves anybody. They are told, and decide nothing by it.
    """
    late = reminded(request, step)
    for duty in (_said(request, step).escalate_to, rules.GOVERNS, GIVES_ROLES):
        others = {pk: name for pk, name in holders_of(duty).items() if pk not in late}
        if others:
            return others
    return {}


def _said(request: Request, step: Step) -> rules.Step:
    return rules.parse(request.policy.content).step(step.code)
