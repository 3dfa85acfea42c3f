"""Acts under approval: not without the decisions, and not by whoever has a hand in what is approved.

About the request that waits in the world for each act (`Subject`): by every door, as everybody whom it is not
for. That a colleague, and whoever stands in for one, can decide it is the counterpart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.urls import reverse

from o2c.access import has_duty
from o2c.access.models import User
from o2c.access.system import system_actor
from o2c.actor import Actor, acting
from o2c.console.acts import resolve
from o2c.controls import approvals
from o2c.controls.approvals import registry
from o2c.controls.approvals.models import Delegation, Request
from o2c.controls.approvals.selectors.facts import authors_of
from o2c.controls.approvals.services import carrying, submitting
from o2c.controls.selftest.attempts import Attempt, Plan, Refusal, as_actor, by_code, second_person, sqlstate
from o2c.controls.selftest.families import deciding
from o2c.controls.selftest.families.deciding import DECIDE, Cast
from o2c.controls.selftest.families.doors import browser, posting
from o2c.controls.selftest.families.rows import execute, literal
from o2c.controls.selftest.world import REASON, Subject, World, lend
from o2c.errors import Conflict, NotAuthorised

UNAPPROVED, REQUIRED = "OC006", "approval_required"
NOT_APPROVED, LEFT_ALONE = "not_approved", "left_alone"
NOT_FOR_THEM = ("may not decide", "hold the duty", "takes the duty", "You asked for it")


def _needs_approval(error: Exception) -> bool:
    """The table says so at the latest, or that it takes another person; a task that leaves the request alone
    does nothing without it.
    """
    said = by_code(REQUIRED, NOT_APPROVED, LEFT_ALONE, "segregation")(error)
    return sqlstate(error) == UNAPPROVED or said or second_person(error)


def _may_not_decide(error: Exception) -> bool:
    return sqlstate(error) == UNAPPROVED or isinstance(error, NotAuthorised)


@dataclass(frozen=True)
class Try:
    """Somebody who decides a request that is not theirs to decide. `before` happens first."""

    who: str
    title: str
    person: User
    doors: tuple[str, ...]
    delegation: Delegation | None = None
    before: Callable[[], None] = lambda: None


class Case:
    """One act, and the request about its subject."""

    def __init__(self, world: World, cast: Cast, act: registry.Act, subject: Subject) -> None:
        self.world, self.cast, self.act, self.subject = world, cast, act, subject
        self.request = world.requests[act.code]
        self.step = deciding.step(self.request)
        self.maker = User.objects.get(pk=subject.asked_by.user_id)
        self.approver = User.objects.get(pk=subject.approver.user_id)

    def attempts(self) -> Iterator[Attempt]:
        yield from self._without()
        yield from self._around()
        for one in self._people():
            yield from self._by_each_door(one)
        behalf = Actor(system_actor().user_id, f"system for {self.approver}", self.approver.pk)
        yield self._attempt(
            "decided by an account", "service", "the product on their behalf",
            lambda: self._approve(behalf), _may_not_decide,
        )  # fmt: skip
        name = as_actor(self.subject.asked_by, lambda: deciding.by_sql(self.request, self.approver, None))
        yield self._attempt("decided in an approver's name", "SQL", "maker", name, _may_not_decide)
        yield self._attempt("approved by a colleague", "service", "role holder", self._approved, None)
        stand_in = self.cast.in_force(self.approver)
        yield self._attempt(
            "approved by whoever stands in", "service", "delegate",
            lambda: self._approve(Actor.of(stand_in.delegate)), None,
        )  # fmt: skip

    def _attempt(
        self, title: str, door: str, who: str, do: Callable[[], object], refused: Refusal | None
    ) -> Attempt:
        """`refused` None: it is permitted."""
        return Attempt(
            f"approval {self.act.code}", f"{self.act.label}: {title}", door, who, do,
            refused or (lambda error: False), permitted=refused is None, table=self.act.table,
        )  # fmt: skip

    def _without(self) -> Iterator[Attempt]:
        """The act itself, or its row, while the request waits."""
        doer = self._doer()
        chief = self.world.user("", 6, superuser=True)
        sql = self._sql(self.subject.by_hand)
        title = "done without approval"
        yield self._attempt(title, "service", "role holder", lambda: self._service(doer), by_code(REQUIRED))
        for who, actor in (
            ("maker", self.subject.asked_by),
            ("role holder", doer),
            ("staff superuser", Actor.of(chief)),
            ("service account", Actor.of(self.world.account_of(chief))),
        ):
            yield self._attempt(title, "SQL", who, as_actor(actor, lambda: execute(sql)), _needs_approval)

    def _around(self) -> Iterator[Attempt]:
        """Before anybody has decided: by the clock, by a colleague, by a request that says otherwise."""
        title, maker = "done before it is decided", self.subject.asked_by

        def by_clock() -> None:
            if self.request.pk in self.cast.left_open():
                raise Conflict(f"{self.request} was left alone", code=LEFT_ALONE)

        def by_colleague() -> object:
            return carrying.carry_out(self.request.pk, actor=self._doer(), reason=REASON)

        def by_hand() -> object:
            self._force("committed")
            return execute(self._sql(self.subject.by_hand))

        yield self._attempt(title, "task", "maker", by_clock, _needs_approval)
        yield self._attempt(title, "service", "role holder", by_colleague, _needs_approval)
        yield self._attempt(title, "SQL", "maker", as_actor(maker, by_hand), _needs_approval)

    def _doer(self) -> Actor:
        """Whoever holds the duty of the act: only the missing decisions are left to refuse them."""
        if self.act.runs_as == "maker":
            return self.subject.asked_by
        able = (self.subject.approver, *self.subject.others)
        return next((who for who in able if has_duty(who, self.act.does)), self.subject.approver)

    def _force(self, state: str) -> None:
        execute(
            f"UPDATE approvals_request SET state = '{state}', decided_at = now(), committed_at = now(),"  # noqa: S608
            f" committed_txid = pg_current_xact_id()::text::bigint, result_id = {self.subject.pk}"
            f" WHERE id = {self.request.pk}"
        )

    def _sql(self, sql: str) -> str:
        return sql.replace("%s", literal(self.subject.pk))

    def _service(self, actor: Actor) -> object:
        service = resolve(self.act.service)
        typed = {
            name: self.act.parameters.get(name, str)(value) if isinstance(value, str) else value
            for name, value in self.subject.parameters.items()
        }
        return service(self.subject.pk, actor=actor, reason=REASON, **typed)

    def _approve(self, actor: Actor) -> Request:
        done = approvals.approve(self.request.pk, actor=actor, reason=REASON)
        if done.problem and "cools off" not in done.problem:
            raise Conflict(done.problem)
        return done

    def _approved(self) -> Request:
        done = self._approve(self.subject.approver)
        for actor in self.subject.others:
            done = self._approve(actor)
        if done.state not in (Request.State.COMMITTED, Request.State.APPROVED):
            raise Conflict(f"{done} is {done.state}: not everybody has decided")
        return done

    def _people(self) -> Iterator[Try]:
        """Everybody whom the decision does not belong to."""
        every, some = ("service", "shell", "SQL", "console act"), ("service", "SQL")
        chief = self.world.user("", 6, superuser=True)
        title = "decided by whom it is not for"
        yield Try("maker", title, self.maker, every)
        yield Try("staff superuser", title, chief, every)
        yield Try("service account", title, self.world.account_of(self.approver), ("service", "shell", "SQL"))
        yield Try("role holder", title, self.cast.plain, some)
        yield Try("former role holder", title, self.cast.former(self.step.duty), some)
        yield from self._editors(title, every)
        stands_in = self.cast.delegation(self.approver, self.maker)
        yield Try("delegate", "decided by its maker for an approver", self.maker, every, stands_in)
        for_maker = self.cast.for_maker(self.maker)
        yield Try(
            "delegate", "decided for its maker", for_maker.delegate, some, for_maker,
            lambda: self._lend(self.maker),
        )  # fmt: skip
        # What a delegation is worth is one question for all acts: the table's, which answers for the service.
        for how, given in self.cast.not_in_force(self.approver):
            yield Try("delegate", f"decided by delegation {how}", given.delegate, ("SQL",), given)
        passed_on = self.cast.passed_on(self.approver)
        yield Try("delegate", "decided by a delegate's delegate", passed_on.delegate, some, passed_on)

    def _editors(self, title: str, doors: tuple[str, ...]) -> Iterator[Try]:
        """Whoever wrote what is approved: last, or, where that is frozen, before it was asked for."""
        if self.subject.edit:
            editor = self.world.user("", 10)
            yield Try("last editor", title, editor, doors, before=lambda: self._edit(editor))
            return
        wrote = authors_of(self.act, self.subject.pk) - {self.maker.pk}
        for editor in User.objects.filter(pk__in=wrote, kind=User.Kind.HUMAN).order_by("pk")[:1]:
            yield Try("last editor", title, editor, doors)

    def _edit(self, editor: User) -> None:
        with acting(Actor.of(editor), reason=REASON):
            execute(self._sql(self.subject.edit))
        submitting.renew(self.request.pk, actor=self.subject.asked_by, reason=REASON)

    def _lend(self, person: User) -> None:
        """They hold the duty of the step: only their hand in it is left to refuse them."""
        if not person.is_superuser and not person.is_service:
            lend(person, self.step.duty, DECIDE)

    def _by_each_door(self, one: Try) -> Iterator[Attempt]:
        actor, given = Actor.of(one.person), one.delegation
        own = one.who in ("maker", "last editor")  # of the others the duty is what they lack

        def at_hand() -> Request:
            one.before()
            if own:
                self._lend(one.person)
            return Request.objects.get(pk=self.request.pk)

        def by_row(write: Callable[..., object]) -> Callable[[], object]:
            def do() -> object:
                request = at_hand()
                with acting(actor, reason=REASON):
                    return write(request, one.person, given)

            return do

        def by_page(visitor: Callable[..., Callable[[], object]]) -> Callable[[], object]:
            def do() -> object:
                request = at_hand()
                return visitor({"digest": request.digest})()

            return do

        doors: dict[str, Callable[[], object]] = {
            "service": lambda: approvals.approve(at_hand().pk, actor=actor, reason=REASON),
            "shell": by_row(deciding.by_shell),
            "SQL": by_row(deciding.by_sql),
        }
        if "console act" in one.doors:
            address = reverse("admin:approvals_request_act", args=(self.request.pk, "approve"))
            seen = self.cast.browser(one.person)
            doors["console act"] = by_page(lambda data: posting(seen, address, NOT_FOR_THEM, data))
        for door in one.doors:
            yield self._attempt(one.title, door, one.who, doors[door], _may_not_decide)


def plan(world: World) -> Plan:
    made = Plan()
    cast = Cast(world, browser)
    for act in registry.acts():
        subject = world.subjects.get(act.code)
        if subject is None:
            made.untried.append(f"approval {act.code}: no record of the self-test's own to ask about")
        else:
            made.attempts += Case(world, cast, act, subject).attempts()
    return made
