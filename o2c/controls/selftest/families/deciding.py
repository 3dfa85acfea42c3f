"""Whom a decision does not belong to, and a decision written by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

from django.test import Client

from o2c import clock
from o2c.access.models import User
from o2c.actor import Actor, acting
from o2c.controls.approvals.models import Decision, Delegation, Request, Step
from o2c.controls.approvals.tasks import tick
from o2c.controls.selftest.attempts import run_sql
from o2c.controls.selftest.world import REASON, World, end_grants, lend
from o2c.errors import NotAuthorised

DECIDE = "approvals.request.decide"


class Cast:
    """People who stand in for somebody, or once could; made once for all acts."""

    def __init__(self, world: World, browser: Callable[[User], Client]) -> None:
        self.world, self._open = world, browser
        self._given: dict[tuple[int, int], Delegation] = {}
        self._former: dict[str, User] = {}
        self._browsers: dict[int, Client] = {}
        self._left: set[int] | None = None
        self.plain = self._deciding("plain")

    def _deciding(self, name: str) -> User:
        """Somebody who may decide, but holds the duty of no step: another thing is left to refuse them."""
        person = self.world.named(name)
        lend(person, DECIDE)
        return person

    def left_open(self) -> set[int]:
        """The requests of the world that the clock of approvals leaves as they are: asked once for all."""
        if self._left is None:
            tick.apply(throw=True)
            ours = [request.pk for request in self.world.requests.values()]
            still = Request.objects.filter(pk__in=ours, state=Request.State.OPEN)
            self._left = set(still.values_list("pk", flat=True))
        return self._left

    def browser(self, person: User) -> Client:
        if person.pk not in self._browsers:
            self._browsers[person.pk] = self._open(person)
        return self._browsers[person.pk]

    def delegation(
        self, giver: User, taker: User, *, accepted: bool = True, over: bool = False, revoked: bool = False
    ) -> Delegation:
        """In force, unless said otherwise: given by one, accepted by the other."""
        if (giver.pk, taker.pk) not in self._given:
            now = clock.now()
            until = now + dt.timedelta(days=-1 if over else 2)
            with acting(Actor.of(giver), reason=REASON):
                given = Delegation.objects.create(
                    delegator=giver, delegate=taker, reason=REASON, valid_to=until,
                    valid_from=now - dt.timedelta(days=2),
                )  # fmt: skip
            row = Delegation.objects.filter(pk=given.pk)
            if accepted:
                accept(given, taker)
            if revoked:
                with acting(Actor.of(giver), reason=REASON):
                    row.update(revoked_at=now)
            self._given[giver.pk, taker.pk] = row.get()
        return self._given[giver.pk, taker.pk]

    def in_force(self, approver: User) -> Delegation:
        return self.delegation(approver, self._stand_in("delegate"))

    def for_maker(self, maker: User) -> Delegation:
        """Somebody who stands in for a maker, and for nobody else."""
        return self.delegation(maker, self._stand_in(f"for-{maker.pk}"))

    def passed_on(self, approver: User) -> Delegation:
        """What the delegate of an approver gave to somebody else."""
        return self.delegation(self.in_force(approver).delegate, self._stand_in("delegate-of-delegate"))

    def not_in_force(self, approver: User) -> Iterator[tuple[str, Delegation]]:
        for how, said in (
            ("not accepted", {"accepted": False}),
            ("that is over", {"over": True}),
            ("that was revoked", {"revoked": True}),
        ):
            yield how, self.delegation(approver, self._stand_in(how.replace(" ", "-")), **said)

    def _stand_in(self, name: str) -> User:
        if name not in self._former:
            self._former[name] = self._deciding(name)
        return self._former[name]

    def former(self, duty: str) -> User:
        """Somebody who held this duty until a moment ago, and may decide."""
        if duty not in self._former:
            self._former[duty] = former_holder(self.world, duty)
            lend(self._former[duty], DECIDE)
        return self._former[duty]


def accept(given: Delegation, taker: User) -> bool:
    """Take it on. False where a rule of segregation forbids it: then it is not in force."""
    try:
        with acting(Actor.of(taker), reason=REASON):
            Delegation.objects.filter(pk=given.pk).update(accepted_at=clock.now())
    except NotAuthorised as error:
        if error.code != "segregation":
            raise
        return False
    return True


def former_holder(world: World, duty: str) -> User:
    """Somebody who held this duty until a moment ago, and holds nothing now."""
    person = world.named(f"former-{duty}")
    lend(person, duty)
    end_grants(person)
    return person


def step(request: Request) -> Step:
    """The first step of the round."""
    return Step.objects.filter(request=request, round=request.round).order_by("position")[0]


def _values(request: Request, person: User, given: Delegation | None) -> dict[str, Any]:
    waiting = step(request)
    return {
        "request_id": request.pk,
        "step_id": waiting.pk,
        "round": request.round,
        "step_code": waiting.code,
        "verdict": Decision.Verdict.APPROVE,
        "decided_by_id": person.pk,
        "delegation_id": given.pk if given else None,
        "delegator_id": given.delegator_id if given else None,
        "facts_digest": request.facts_digest,
        "digest": request.digest,
        "comment": REASON,
    }


def by_shell(request: Request, person: User, given: Delegation | None) -> object:
    return Decision.objects.create(**_values(request, person, given))


def by_sql(request: Request, person: User, given: Delegation | None) -> object:
    values = _values(request, person, given) | {"context": "{}"}
    places = ", ".join(["%s"] * len(values))
    return run_sql(
        f"INSERT INTO approvals_decision ({', '.join(values)}) VALUES ({places})",  # noqa: S608
        list(values.values()),
    )
