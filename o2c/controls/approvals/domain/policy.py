"""A policy as data: bands of an amount, rules with conditions, and the steps that they ask for.

    {"title": "Credit memos by amount", "clause": "text of the rule, shown to the approver",
     "bands": {"path": "amount",
               "levels": [{"up_to": "5000", "steps": []}, {"up_to": null, "steps": ["head"]}]},
     "rules": [{"code": "backdated", "because": "Starts before it was signed",
                "when": [{"path": "days_back", "op": ">", "value": "0"}], "steps": ["head"]}],
     "steps": [{"code": "head", "title": "Head of billing", "duty": "billing.credit.approve", "approvers": 1,
                "watches": [{"path": "amount", "worse": "up"}], "remind_hours": 8, "escalate_hours": 16,
                "expire_hours": 80, "escalate_to": "approvals.policy.activate"}]}

What is late is told to the holders of the duty `escalate_to`, or of the one that governs approvals.
`cooling_hours` (of any day) pass between the last approval and the act.
A band reaches up to and including its limit; the last has none. All conditions of a rule hold, or it does not
apply. The database evaluates the same data by itself (o2c/controls/approvals/sql.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from o2c.errors import InvalidInput

NUMERIC = (">", ">=", "<", "<=")
OPERATORS = (*NUMERIC, "=", "!=", "in", "not in")
DIRECTIONS = ("up", "down", "change")
HOURS = {"remind_hours": 8, "escalate_hours": 16, "expire_hours": 80}
GOVERNS = "approvals.policy.activate"


@dataclass(frozen=True, slots=True)
class Condition:
    path: str
    op: str
    value: Any

    def __str__(self) -> str:
        value = ", ".join(map(str, self.value)) if isinstance(self.value, list) else self.value
        return f"{self.path} {self.op} {value}"


@dataclass(frozen=True, slots=True)
class Watch:
    """A step is asked again when the value at `path` moves in the direction `worse`; otherwise not."""

    path: str
    worse: str


@dataclass(frozen=True, slots=True)
class Step:
    code: str
    title: str
    duty: str
    approvers: int
    watches: tuple[Watch, ...]
    remind_hours: int
    escalate_hours: int
    expire_hours: int
    escalate_to: str = GOVERNS


@dataclass(frozen=True, slots=True)
class Level:
    """`up_to` is inclusive; None has no limit."""

    up_to: Decimal | None
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    code: str
    because: str
    when: tuple[Condition, ...]
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    title: str
    clause: str
    band_path: str
    levels: tuple[Level, ...]
    rules: tuple[Rule, ...]
    steps: tuple[Step, ...]
    cooling_hours: int = 0

    def step(self, code: str) -> Step:
        return next(step for step in self.steps if step.code == code)


@dataclass(frozen=True, slots=True)
class Asked:
    """A step that must be decided, and the clauses that ask for it."""

    step: Step
    because: tuple[str, ...]


def parse(content: Mapping[str, Any]) -> Policy:
    """The policy that `content` says. Raises InvalidInput for what is not of the form above."""
    try:
        bands = content.get("bands") or {}
        return Policy(
            title=str(content["title"]),
            clause=str(content["clause"]),
            band_path=str(bands.get("path", "")),
            levels=tuple(
                Level(None if level["up_to"] is None else exact(level["up_to"]), tuple(level["steps"]))
                for level in bands.get("levels", ())
            ),
            rules=tuple(
                Rule(
                    str(rule["code"]),
                    str(rule["because"]),
                    tuple(Condition(str(c["path"]), str(c["op"]), c["value"]) for c in rule["when"]),
                    tuple(rule["steps"]),
                )
                for rule in content.get("rules", ())
            ),
            steps=tuple(_step(step) for step in content["steps"]),
            cooling_hours=int(content.get("cooling_hours", 0)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(
            f"The policy cannot be read: {error!r}",
            remedy="Compare it with the form in docs/procedures/approvals.md",
            code="policy_unreadable",
        ) from error


def _step(step: Mapping[str, Any]) -> Step:
    return Step(
        code=str(step["code"]),
        title=str(step["title"]),
        duty=str(step["duty"]),
        approvers=int(step.get("approvers", 1)),
        watches=tuple(Watch(str(w["path"]), str(w["worse"])) for w in step.get("watches", ())),
        escalate_to=str(step.get("escalate_to", GOVERNS)),
        **{name: int(step.get(name, default)) for name, default in HOURS.items()},
    )


def exact(value: Any) -> Decimal:
    """The number that a decimal text says. Raises InvalidInput for anything else."""
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite():
            return number
    raise InvalidInput(f"{value!r} is no exact number", remedy="Write it as text: '5000.00'")


def at(facts: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path. Raises InvalidInput where the facts do not say it: nothing is assumed."""
    value: Any = facts
    for name in path.split("."):
        if not isinstance(value, Mapping) or value.get(name) is None:
            raise InvalidInput(
                f"The facts do not say '{path}', which the policy asks about",
                remedy="Nothing can be approved until the policy or the data is corrected",
                code="policy_engine",
            )
        value = value[name]
    return value


def holds(condition: Condition, facts: Mapping[str, Any]) -> bool:
    """Whether the facts meet the condition. Raises InvalidInput when that cannot be said."""
    value = at(facts, condition.path)
    if condition.op in NUMERIC:
        left, right = exact(value), exact(condition.value)
        return {">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}[condition.op]
    if condition.op == "=":
        return text(value) == text(condition.value)
    if condition.op == "!=":
        return text(value) != text(condition.value)
    if condition.op in ("in", "not in"):
        found = text(value) in {text(one) for one in condition.value}
        return found == (condition.op == "in")
    raise InvalidInput(f"'{condition.op}' is no operator", remedy=f"One of {', '.join(OPERATORS)}")


def text(value: Any) -> str:
    """A value as it is compared for equality."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def asked(policy: Policy, facts: Mapping[str, Any]) -> list[Asked]:
    """The steps that these facts need, in the order of the policy; none when nobody else need look."""
    because: dict[str, list[str]] = {}
    if policy.levels:
        value = exact(at(facts, policy.band_path))
        level = band(policy.levels, value)
        for code in level.steps:
            because.setdefault(code, []).append(reach(policy, level, value))
    for rule in policy.rules:
        if all(holds(condition, facts) for condition in rule.when):
            for code in rule.steps:
                because.setdefault(code, []).append(rule.because)
    return [Asked(step, tuple(because[step.code])) for step in policy.steps if step.code in because]


def band(levels: Sequence[Level], value: Decimal) -> Level:
    """The first band that reaches the value. Raises InvalidInput when none does."""
    for level in levels:
        if level.up_to is None or value <= level.up_to:
            return level
    raise InvalidInput(f"No band of the policy reaches {value}", code="policy_engine")


def reach(policy: Policy, level: Level, value: Decimal) -> str:
    """What a band says of a value: 'amount 7500.00 is above 5000'."""
    index = policy.levels.index(level)
    if index == 0:
        return f"{policy.band_path} {value} is at most {level.up_to}"
    return f"{policy.band_path} {value} is above {policy.levels[index - 1].up_to}"


def worsened(watches: Sequence[Watch], before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Paths that a step watches and that moved in the direction that is not safe.

    What cannot be compared counts as worse; a path that appears, disappears or changes under 'change' too.
    """
    return [watch.path for watch in watches if _worse(watch, before, after)]


def _worse(watch: Watch, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    old, new = peek(before, watch.path), peek(after, watch.path)
    if old == new:
        return False
    if watch.worse == "change":
        return True
    try:
        was, now = exact(old), exact(new)
    except InvalidInput:
        return True
    return now > was if watch.worse == "up" else now < was


def peek(facts: Mapping[str, Any], path: str) -> Any:
    """The value at a path, None where there is none."""
    value: Any = facts
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
