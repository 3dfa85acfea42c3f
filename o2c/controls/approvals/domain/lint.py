"""What is wrong with a policy, before anybody can activate it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from o2c.controls.approvals.domain.policy import DIRECTIONS, NUMERIC, OPERATORS, Policy, exact
from o2c.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Problem:
    """`blocks`: the policy cannot be activated with it."""

    text: str
    blocks: bool = True


def lint(
    policy: Policy, *, paths: Collection[str], duties: Collection[str], holders: Mapping[str, int]
) -> list[Problem]:
    """Every problem of a policy.

    `paths`: facts that the act has; `duties`: those the product knows; `holders`: how many people hold each.
    """
    return [
        *_bands(policy, paths),
        *_rules(policy, paths),
        *_steps(policy, paths, duties, holders),
        *_reach(policy),
    ]


def _bands(policy: Policy, paths: Collection[str]) -> list[Problem]:
    found = []
    if policy.levels and policy.band_path not in paths:
        found.append(Problem(f"The bands are over '{policy.band_path}', which the act does not say"))
    limits = [level.up_to for level in policy.levels]
    if limits and limits[-1] is not None:
        found.append(Problem(f"Nothing is said above {limits[-1]}: the last band must have no limit (gap)"))
    for lower, upper in pairwise(limits):
        if lower is None:
            found.append(Problem("A band without a limit hides those after it (unreachable)"))
        elif upper is not None and upper <= lower:
            found.append(Problem(f"The band up to {upper} lies within the one up to {lower} (overlap)"))
    for lower_level, upper_level in pairwise(policy.levels):
        if lost := set(lower_level.steps) - set(upper_level.steps):
            found.append(
                Problem(f"Above {lower_level.up_to} nobody asks {', '.join(sorted(lost))} any more", False)
            )
    return found


def _rules(policy: Policy, paths: Collection[str]) -> list[Problem]:
    found = []
    for rule in policy.rules:
        if not rule.steps:
            found.append(Problem(f"Rule {rule.code} asks for no step"))
        for condition in rule.when:
            if condition.path not in paths:
                found.append(
                    Problem(f"Rule {rule.code} asks about '{condition.path}', which the act does not say")
                )
            if condition.op not in OPERATORS:
                found.append(Problem(f"Rule {rule.code}: '{condition.op}' is no operator"))
            elif condition.op in NUMERIC and not _is_number(condition.value):
                found.append(Problem(f"Rule {rule.code}: {condition.value!r} is no exact number"))
            elif condition.op in ("in", "not in") and not isinstance(condition.value, list):
                found.append(Problem(f"Rule {rule.code}: '{condition.op}' needs a list"))
    return found


def _steps(
    policy: Policy, paths: Collection[str], duties: Collection[str], holders: Mapping[str, int]
) -> list[Problem]:
    found = []
    codes = [step.code for step in policy.steps]
    for code in sorted({code for code in codes if codes.count(code) > 1}):
        found.append(Problem(f"Step {code} is there twice"))
    for step in policy.steps:
        if step.duty not in duties:
            found.append(Problem(f"Step {step.code} needs '{step.duty}', which is no duty of this product"))
        elif (have := holders.get(step.duty, 0)) < step.approvers + 1:
            found.append(
                Problem(
                    f"Step {step.code}: {have} {'person holds' if have == 1 else 'people hold'} {step.duty};"
                    f" {step.approvers + 1} are needed, because one may be away or excluded"
                )
            )
        if step.escalate_to not in duties:
            found.append(
                Problem(
                    f"Step {step.code} escalates to '{step.escalate_to}', which is no duty of this product"
                )
            )
        elif not holders.get(step.escalate_to):
            found.append(
                Problem(f"Step {step.code} escalates to nobody: nobody holds {step.escalate_to}", False)
            )
        if step.approvers < 1:
            found.append(Problem(f"Step {step.code} asks nobody"))
        if not step.watches:
            found.append(Problem(f"Step {step.code} watches nothing: no change would ever ask it again"))
        for watch in step.watches:
            if watch.path not in paths:
                found.append(Problem(f"Step {step.code} watches '{watch.path}', which the act does not say"))
            if watch.worse not in DIRECTIONS:
                found.append(Problem(f"Step {step.code}: worse is one of {', '.join(DIRECTIONS)}"))
        if not 0 < step.remind_hours <= step.escalate_hours <= step.expire_hours:
            found.append(Problem(f"Step {step.code}: it reminds, then escalates, then expires"))
    return found


def _reach(policy: Policy) -> list[Problem]:
    known = {step.code for step in policy.steps}
    named: list[tuple[str, Sequence[str]]] = [
        *((f"The band up to {level.up_to}", level.steps) for level in policy.levels),
        *((f"Rule {rule.code}", rule.steps) for rule in policy.rules),
    ]
    found = [
        Problem(f"{where} asks for '{code}', which is no step")
        for where, codes in named
        for code in codes
        if code not in known
    ]
    used = {code for _, codes in named for code in codes}
    found += [Problem(f"Nothing ever asks for step {code} (unreachable)") for code in sorted(known - used)]
    if not named:
        found.append(Problem("The policy has neither bands nor rules"))
    return found


def _is_number(value: object) -> bool:
    try:
        exact(value)
    except InvalidInput:
        return False
    return True
