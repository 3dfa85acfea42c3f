"""Guards taken away one at a time, to see that the self-test notices.

A mutant is a guard of the database (a trigger or a check that the product declares, a rule of segregation,
one question of the table of decisions) or of a service (the question after a duty, or after an approval),
removed inside a savepoint of the test's transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import CheckConstraint

from o2c.access import authorise
from o2c.access.registry import is_ours
from o2c.audit.install import existing_triggers
from o2c.audit.triggers import q
from o2c.controls.approvals import registry
from o2c.controls.approvals.services.gate import carrying
from o2c.controls.selftest.attempts import Attempt, judge, settle, undone
from o2c.controls.sod.models import SodRule
from tests import database
from tests.factories.access import change_rules


@dataclass(frozen=True)
class Mutant:
    """`without` takes the guard away while it is open; `about` picks the attempts that should notice."""

    name: str
    without: Callable[[], AbstractContextManager[None]]
    about: Callable[[Attempt], bool]


def triggers() -> Iterator[Mutant]:
    """Each installed guard; emptying a table is left out, because the tests themselves empty tables."""
    for table, name in sorted(existing_triggers()):
        if not name.endswith("_no_truncate"):
            yield Mutant(f"{table}.{name}", _disabled(table, name), lambda a, table=table: a.table == table)  # type: ignore[misc]


def rules(attempts: Sequence[Attempt]) -> Iterator[Mutant]:
    """Each rule of segregation that something is tried for."""
    codes = {attempt.rule for attempt in attempts}
    for rule in SodRule.objects.filter(code__in=codes).order_by("code"):
        yield Mutant(f"rule {rule.code}", _off(rule.code), lambda a, code=rule.code: a.rule == code)  # type: ignore[misc]


def duties(attempts: Sequence[Attempt], refused: set[int]) -> Iterator[Mutant]:
    """Each duty for whose lack some service refuses."""
    for duty in sorted({a.duty for a in attempts if a.duty and a.door == "service" and id(a) in refused}):
        yield Mutant(
            f"duty {duty}",
            _unasked(duty),
            lambda a, duty=duty: a.duty == duty and a.door == "service",  # type: ignore[misc]
        )


def constraints() -> Iterator[Mutant]:
    """Each check that the models declare: that one person is not the other, among them."""
    for model in apps.get_models(include_auto_created=True):
        table = model._meta.db_table
        if (
            not model._meta.managed
            or model._meta.proxy
            or not is_ours(apps.get_app_config(model._meta.app_label))
        ):
            continue
        for check in model._meta.constraints:
            if isinstance(check, CheckConstraint):
                yield Mutant(
                    f"{table}.{check.name}", _dropped(table, check.name),
                    lambda a, table=table: a.table == table,  # type: ignore[misc]
                )  # fmt: skip


def gates() -> Iterator[Mutant]:
    """The question after an approval in the service of each act; the table asks again."""
    for act in registry.acts():
        yield Mutant(
            f"gate {act.code}", _passed(act.code),
            lambda a, code=act.code: a.rule == f"approval {code}" and a.title.endswith("without approval"),  # type: ignore[misc]
        )  # fmt: skip


# What the table of decisions asks, and what is left when it does not.
CLAUSES = {
    "whose hand is in it": ("person = ANY(hands)", "false"),
    "who is acting": ("NEW.decided_by_id <> o2c_actor()", "false"),
    "who holds the duty": ("NOT o2c_person_holds(person, step.duty)", "false"),
    "an accepted delegation": ("g.accepted_at IS NOT NULL", "true"),
    "a delegation that was not revoked": ("g.revoked_at IS NULL", "true"),
    "a delegation that is not over": ("clock_timestamp() < g.valid_to", "true"),
}


def clauses() -> Iterator[Mutant]:
    """Each question of o2c_may_decide by itself."""
    for name, (asked, instead) in CLAUSES.items():
        yield Mutant(
            f"o2c_may_decide: {name}", _unsaid("o2c_may_decide", asked, instead),
            lambda a: a.rule.startswith("approval ") and a.door == "SQL",
        )  # fmt: skip


def _dropped(table: str, name: str) -> Callable[[], AbstractContextManager[None]]:
    @contextmanager
    def without() -> Iterator[None]:
        settle()
        with database.owner(), connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {q(table)} DROP CONSTRAINT {q(name)}")
        yield

    return without


def _passed(code: str) -> Callable[[], AbstractContextManager[None]]:
    return lambda: carrying(code)


def _unsaid(function: str, asked: str, instead: str) -> Callable[[], AbstractContextManager[None]]:
    @contextmanager
    def without() -> Iterator[None]:
        settle()
        with database.owner(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_get_functiondef(%s::regproc)", [function])
            body = cursor.fetchone()[0]
            assert asked in body, asked
            cursor.execute(body.replace(asked, instead))
        yield

    return without


def _disabled(table: str, name: str) -> Callable[[], AbstractContextManager[None]]:
    @contextmanager
    def without() -> Iterator[None]:
        settle()
        with database.owner(), connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {q(table)} DISABLE TRIGGER {q(name)}")
        yield

    return without


def _off(code: str) -> Callable[[], AbstractContextManager[None]]:
    @contextmanager
    def without() -> Iterator[None]:
        change_rules(SodRule.objects.filter(code=code), at_grant=False, at_transaction=False, window_days=0)
        yield

    return without


def _unasked(duty: str) -> Callable[[], AbstractContextManager[None]]:
    @contextmanager
    def without() -> Iterator[None]:
        asked = authorise._judged
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(authorise, "_judged", lambda a, code: ("", 0) if code == duty else asked(a, code))
            yield

    return without


def survives(
    mutant: Mutant, attempts: Sequence[Attempt], refused: set[int], *, unlisted: bool = False
) -> bool:
    """Whether no attempt fared differently without the guard. `refused`: the ids of those that it refuses.

    `unlisted`: without the list of what is installed.
    """
    chosen = [a for a in attempts if mutant.about(a) and (a.permitted or id(a) in refused)]
    chosen = [a for a in chosen if not unlisted or a.door != "inventory"]
    alive = True
    with undone(), mutant.without():
        for attempt in chosen:
            outcome = judge(attempt).outcome
            if outcome not in ("refused", "allowed"):
                alive = False
                break
    return alive
