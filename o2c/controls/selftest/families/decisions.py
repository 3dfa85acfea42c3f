"""Acts under approval: not without the decisions, and not by whoever has a hand in what is approved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from o2c.access.models import User
from o2c.actor import Actor, acting
from o2c.console.acts import resolve
from o2c.controls import approvals
from o2c.controls.approvals import registry
from o2c.controls.approvals.models import Decision, Request, Step
from o2c.controls.selftest.attempts import Attempt, Plan, as_actor, sqlstate
from o2c.controls.selftest.families.rows import execute, literal
from o2c.controls.selftest.world import REASON, Subject, World, lend
from o2c.errors import Conflict, NotAuthorised

UNAPPROVED = "OC006"


def _needs_approval(error: Exception) -> bool:
    return sqlstate(error) == UNAPPROVED or (
        isinstance(error, Conflict) and error.code == "approval_required"
    )


def _may_not_decide(error: Exception) -> bool:
    return sqlstate(error) == UNAPPROVED or isinstance(error, NotAuthorised)


class Case:
    """One act, and a record about which it can be asked."""

    def __init__(self, world: World, act: registry.Act, subject: Subject) -> None:
        self.world, self.act, self.subject = world, act, subject
        self.table = act.table
        self.duty = registry.act(act.code).does

    def attempts(self) -> Iterator[Attempt]:
        yield from self._without()
        yield from self._deciding()
        yield self._attempt(
            "approved by a colleague", "service", "role holder", self._approved, permitted=True
        )

    def _attempt(
        self, title: str, door: str, who: str, do: Callable[[], object], *, permitted: bool = False
    ) -> Attempt:
        refused = _needs_approval if title == "done without approval" else _may_not_decide
        title = f"{self.act.label}: {title}"
        return Attempt(
            f"approval {self.act.code}", title, door, who, do, refused, permitted=permitted, table=self.table
        )

    def _without(self) -> Iterator[Attempt]:
        """The act itself, or its row, with no request."""
        doer = self.subject.asked_by if self.act.runs_as == "maker" else self.subject.approver
        chief = self.world.user("", 6, superuser=True)
        sql = self.subject.by_hand.replace("%s", literal(self.subject.pk))
        title = "done without approval"
        yield self._attempt(title, "service", "role holder", lambda: self._service(doer))
        for who, actor in (
            ("role holder", doer),
            ("staff superuser", Actor.of(chief)),
            ("service account", Actor.of(self.world.account_of(chief))),
        ):
            yield self._attempt(title, "SQL", who, as_actor(actor, lambda: execute(sql)))

    def _service(self, actor: Actor) -> object:
        service = resolve(self.act.service)
        return service(self.subject.pk, actor=actor, reason=REASON, **self.subject.parameters)

    def _ask(self) -> Request:
        return approvals.submit(
            self.act.code,
            self.subject.pk,
            actor=self.subject.asked_by,
            reason=REASON,
            parameters=self.subject.parameters,
        )

    def _approved(self) -> object:
        done = approvals.approve(self._ask().pk, actor=self.subject.approver, reason=REASON)
        if done.state == Request.State.REJECTED:
            raise Conflict("It was rejected")
        return done

    def _deciding(self) -> Iterator[Attempt]:
        """A decision by somebody whom it does not belong to, by the service and by hand."""
        world = self.world
        chief = world.user("", 6, superuser=True)
        account = world.account_of(User.objects.get(pk=self.subject.approver.user_id))
        for who, person in (
            ("maker", User.objects.get(pk=self.subject.asked_by.user_id)),
            ("staff superuser", chief),
            ("service account", account),
        ):
            yield from self._by_each_door(who, person, lambda: None)
        if self.subject.edit:
            editor = world.user("", 10)
            yield from self._by_each_door("last editor", editor, lambda: self._edit(editor))

    def _edit(self, editor: User) -> None:
        with acting(Actor.of(editor), reason=REASON):
            execute(self.subject.edit.replace("%s", literal(self.subject.pk)))

    def _by_each_door(self, who: str, person: User, before: Callable[[], None]) -> Iterator[Attempt]:
        title = "decided by whom it is not for"

        def by_service() -> object:
            before()
            request = self._ask()
            _let_decide(person, request)
            return approvals.approve(request.pk, actor=Actor.of(person), reason=REASON)

        def by_hand() -> object:
            before()
            request = self._ask()
            _let_decide(person, request)
            with acting(Actor.of(person), reason=REASON):
                return _decision(request, person)

        yield self._attempt(title, "service", who, by_service)
        yield self._attempt(title, "shell", who, by_hand)


def _let_decide(person: User, request: Request) -> None:
    """Maker and last editor hold the duty of the step: only their hand in it is left to refuse them."""
    if not person.is_superuser and not person.is_service:
        lend(person, _step(request).duty, "approvals.request.decide")


def _step(request: Request) -> Step:
    return Step.objects.filter(request=request, round=request.round).order_by("position")[0]


def _decision(request: Request, person: User) -> Decision:
    step = _step(request)
    values: dict[str, Any] = {
        "request": request,
        "step": step,
        "round": request.round,
        "step_code": step.code,
        "verdict": Decision.Verdict.APPROVE,
        "decided_by_id": person.pk,
        "facts_digest": request.facts_digest,
        "digest": request.digest,
    }
    return Decision.objects.create(**values)


def plan(world: World) -> Plan:
    made = Plan()
    for act in registry.acts():
        subject = world.subjects.get(act.code)
        if subject is None:
            made.untried.append(f"approval {act.code}: no record of the self-test's own to ask about")
        else:
            made.attempts += Case(world, act, subject).attempts()
    return made
