"""Who may decide a step, and who may not, with the reason: authority, hands, segregation, delegation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from o2c.access.authorise import in_force
from o2c.access.models import RoleDuty, User
from o2c.controls.approvals.domain.policy import Asked
from o2c.controls.approvals.models import Delegation
from o2c.controls.approvals.models.request import DUTY_DECIDE
from o2c.controls.approvals.registry import Act
from o2c.controls.approvals.selectors.facts import authors_of, kept_apart
from o2c.errors import Conflict


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may decide: by a duty of their own, or by `delegation_id` of `delegator_id`."""

    user_id: int
    name: str
    delegation_id: int | None = None
    delegator_id: int | None = None
    delegator: str = ""

    def __str__(self) -> str:
        return f"{self.name} for {self.delegator}" if self.delegator else self.name


@dataclass(frozen=True, slots=True)
class Excluded:
    user_id: int
    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name} ({self.why})"


@dataclass(frozen=True, slots=True)
class Candidates:
    """Of one step: who may decide and who holds the duty but may not."""

    duty: str
    eligible: tuple[Person, ...]
    excluded: tuple[Excluded, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """Candidates per step code, and everybody who may decide nothing of this request."""

    steps: Mapping[str, Candidates] = field(default_factory=dict)
    barred: Mapping[int, str] = field(default_factory=dict)

    @property
    def exclusions(self) -> list[dict[str, object]]:
        """As they are kept with the round: each person once, with the steps that they may not decide (by
        another delegation they may decide one that they are kept from by the first).
        """
        seen: dict[int, Excluded] = {}
        steps: dict[int, list[str]] = defaultdict(list)
        for code, step in self.steps.items():
            able = {one.user_id for one in step.eligible}
            for one in step.excluded:
                seen[one.user_id] = one
                steps[one.user_id] += [code] if one.user_id not in able else []
        return [
            {"user": pk, "name": one.name, "why": one.why, "steps": steps[pk]} for pk, one in seen.items()
        ]


def barred(act: Act, subject_id: int, makers: Iterable[int]) -> dict[int, str]:
    """Who may not decide about this subject, with the reason: who asks, and whose hand is in the values."""
    found = dict.fromkeys(authors_of(act, subject_id), "wrote what is to be approved")
    wanted = set(makers)
    owners = User.objects.filter(pk__in=wanted, owner__isnull=False).values_list("owner_id", flat=True)
    return found | dict.fromkeys([*wanted, *owners], "asked for it")


def candidates(act: Act, subject_id: int, steps: Sequence[Asked], barred_: Mapping[int, str]) -> Field:
    """Who may decide each step about this subject. `barred_`: user → why not, whatever the step.

    For each step also those whom a segregation rule keeps from its duty on this lineage.
    """
    duties = {asked.step.duty for asked in steps}
    holders = _holders({*duties, DUTY_DECIDE})
    deciders = holders.get(DUTY_DECIDE, {})
    apart = kept_apart(act, subject_id, duties)
    delegations = _delegations({pk for people in holders.values() for pk in people})
    found = {}
    for asked in steps:
        own = {pk: name for pk, name in holders.get(asked.step.duty, {}).items() if pk in deciders}
        bar = {**apart[asked.step.duty], **barred_}
        people = [Person(pk, name) for pk, name in own.items() if pk not in bar]
        excluded = [Excluded(pk, name, bar[pk]) for pk, name in own.items() if pk in bar]
        for given in delegations:
            if given.delegator_id not in own or given.delegate_id in own:
                continue
            if why := bar.get(given.delegate_id) or bar.get(given.delegator_id):
                who = "delegator " if given.delegate_id not in bar else ""
                excluded.append(Excluded(given.delegate_id, str(given.delegate), f"{who}{why}"))
            else:
                people.append(
                    Person(
                        given.delegate_id,
                        str(given.delegate),
                        given.pk,
                        given.delegator_id,
                        str(given.delegator),
                    )
                )
        found[asked.step.code] = Candidates(asked.step.duty, tuple(people), tuple(excluded))
    return Field(found, barred_)


def require_somebody(steps: Sequence[Asked], found: Field, record: str) -> None:
    """Refuse when the steps cannot all be decided by different people; say who is excluded and why.

    A request that nobody can decide would only be found out about by waiting.
    """
    wanted = [asked.step.code for asked in steps for _ in range(asked.step.approvers)]
    people = {code: {p.user_id for p in found.steps[code].eligible} for code in wanted}
    if _assign(wanted, people, frozenset()):
        return
    lacking = [asked for asked in steps if len(people[asked.step.code]) < asked.step.approvers]
    named = "; ".join(_lack(asked, found.steps[asked.step.code]) for asked in lacking or steps)
    raise Conflict(
        f"Nobody could decide this: {named}",
        record=record,
        remedy="Another person needs the duty, or somebody delegates it",
        code="nobody_eligible",
    )


def _lack(asked: Asked, candidates_: Candidates) -> str:
    out = ", ".join(map(str, candidates_.excluded)) or "nobody holds the duty"
    left = ", ".join(map(str, candidates_.eligible)) or "nobody"
    return f"step '{asked.step.title}' ({asked.step.duty}) leaves {left}; excluded: {out}"


def _assign(wanted: list[str], people: Mapping[str, set[int]], used: frozenset[int]) -> bool:
    """Whether every step finds people of its own: one person decides one step of a request."""
    if not wanted:
        return True
    return any(_assign(wanted[1:], people, used | {pk}) for pk in sorted(people[wanted[0]] - used)[:8])


def holders_of(duty: str) -> dict[int, str]:
    """Active humans who hold the duty: {id: name}."""
    return _holders({duty}).get(duty, {})


def _holders(duties: set[str]) -> dict[str, dict[int, str]]:
    """Active humans by duty: duty → {id: name}."""
    rows = (
        RoleDuty.objects.filter(
            in_force("role__grants__"),
            duty__in=duties,
            role__grants__user__is_active=True,
            role__grants__user__kind=User.Kind.HUMAN,
        )
        .values_list("duty", "role__grants__user_id", "role__grants__user__display_name",
                     "role__grants__user__username")
        .order_by("role__grants__user__username")
    )  # fmt: skip
    found: dict[str, dict[int, str]] = {}
    for duty, pk, name, username in rows:
        found.setdefault(duty, {})[pk] = name or username
    return found


def _delegations(delegators: set[int]) -> list[Delegation]:
    return list(
        Delegation.objects.in_force()
        .filter(delegator_id__in=delegators, delegate__is_active=True, delegate__kind=User.Kind.HUMAN)
        .select_related("delegate", "delegator")
    )
