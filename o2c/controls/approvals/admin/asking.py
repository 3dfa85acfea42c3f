"""What a record's page says about approval: who would have to approve it, and the button that asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from o2c.console import Act, Panel
from o2c.controls.approvals import registry
from o2c.controls.approvals.admin import words
from o2c.controls.approvals.admin.requests import clauses_of, people_of
from o2c.controls.approvals.admin.words import lines, table
from o2c.controls.approvals.models import Request
from o2c.controls.approvals.services.gate import needs_approval
from o2c.controls.approvals.services.submitting import preview
from o2c.errors import DomainError

WHO = "Who would have to approve this?"
Unavailable = Callable[[Any, Any], list[str]]


def ask_act(code: str, service: str, ready: Unavailable, **options: Any) -> Act:
    """'Ask for approval' of an act on a row that exists, with who would decide in the dialog.

    `ready` says why the record is not at the point where the act could be asked for.
    """
    act = registry.act(code)

    def unavailable(obj: Any, user: Any) -> list[str]:
        return ready(obj, user) or _live(code, obj) or _needless(code, obj)

    return Act(
        "ask_approval",
        "Ask for approval",
        service,
        duty=act.duty,
        unavailable=unavailable,
        preview=who_would_decide(code),
        look=WHO,
        reason="required",
        icon="approval",
        description="Rehearsed first, so that whoever decides sees what it would do.",
        **options,
    )


def propose_act(code: str, name: str, label: str, service: str, ready: Unavailable, form: Any) -> Act:
    """The same for an act with values of its own: who decides depends on them."""
    act = registry.act(code)

    def unavailable(obj: Any, user: Any) -> list[str]:
        return ready(obj, user) or _live(code, obj)

    return Act(
        name, label, service, duty=act.duty, unavailable=unavailable, form=form, reason="required",
        primary=False, icon="approval", foresee=would_ask,
    )  # fmt: skip


def would_ask(made: Request) -> list[Panel]:
    """Who decides a request that was made to see it: for acts whose steps depend on what is entered."""
    act, rounds = registry.act(made.act), list(made.rounds.order_by("number"))
    return [clauses_of(made, act, rounds), *people_of(made, rounds)]


def needs(code: str, ready: Unavailable) -> Unavailable:
    """For the direct button: why it takes a request instead. `ready` as above; then nothing is asked."""

    def unavailable(obj: Any, user: Any) -> list[str]:
        if ready(obj, user):
            return []
        try:
            steps = needs_approval(code, [obj.pk]).get(obj.pk, [])
        except DomainError as error:
            return [str(error)]
        names = " and ".join(asked.step.title for asked in steps)
        return [f"Needs approval by {names}: use 'Ask for approval'."] if steps else []

    return unavailable


def who_would_decide(code: str) -> Callable[[Any, Any], list[Panel]]:
    """A panel: each step, why it is asked, who may decide, who may not and why."""

    def panels(obj: Any, user: Any) -> list[Panel]:
        try:
            asked, field = preview(code, obj.pk, requester=user)
        except DomainError as error:
            return [table(WHO, ["Nobody can"], [(str(error),)])]
        act = registry.act(code)
        rows = [
            (
                one.step.title,
                lines(words.because(act, one.because)),
                lines(map(str, field.steps[one.step.code].eligible)) or "nobody",
                lines(map(str, field.steps[one.step.code].excluded)) or "nobody",
            )
            for one in asked
        ]
        return [
            table(
                WHO,
                ["Step", "Because", "May decide", "May not"],
                rows,
                empty="Nobody: its policy asks no one.",
            )
        ]

    return panels


def _live(code: str, obj: Any) -> list[str]:
    live = Request.objects.filter(act=code, subject_id=obj.pk, state__in=Request.LIVE).first()
    return [f"{live.number} asks for it already."] if live else []


def _needless(code: str, obj: Any) -> list[str]:
    try:
        return [] if needs_approval(code, [obj.pk]) else ["Its policy asks nobody: do it directly."]
    except DomainError as error:
        return [str(error)]
