"""Running scenarios: the whole life of a file in one transaction, which is always rolled back."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from django.db import DatabaseError, connection, transaction

from o2c import outbox
from o2c.access.authorise import request_cache
from o2c.actor import ambient
from o2c.errors import Conflict, DomainError
from o2c.scenarios import language
from o2c.scenarios import stage as staging
from o2c.scenarios.acts import Happening
from o2c.scenarios.cast import REASON, Cast
from o2c.scenarios.expectations import Difference, differences
from o2c.scenarios.happenings import perform
from o2c.scenarios.language import Scenario
from o2c.scenarios.observed import observe
from o2c.scenarios.outcome import Expect
from o2c.scenarios.reading import Unreadable
from o2c.scenarios.stage import Stage

T = TypeVar("T")


@dataclass(slots=True)
class Result:
    """What became of one file. It passed when nothing differs."""

    path: str
    title: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.problems


class _Undo(Exception):
    """Not an error: how a scenario leaves its transaction."""


@contextmanager
def rolled_back() -> Iterator[None]:
    """A transaction, or a savepoint of one, of which nothing remains."""
    try:
        with transaction.atomic():
            yield
            raise _Undo
    except _Undo:
        return


@contextmanager
def staged(cast: Cast) -> Iterator[None]:
    """A rolled-back transaction that is a request of its own: its events are told from all others.

    As in a request of a person, everybody's duties are asked for once.
    """
    request = f"scenario-{secrets.token_hex(8)}"
    asked = request_cache.set({})
    try:
        with rolled_back(), ambient(cast.seller, reason=REASON, request_id=request):
            yield
    finally:
        request_cache.reset(asked)


def run_files(paths: Iterable[Path]) -> list[Result]:
    """Run every file, one after the other, each from the same beginning. Nothing remains of any."""
    results = []
    with rolled_back():
        cast = Cast.hire()
        for path in paths:
            results.append(run_file(path, cast))
    return results


def run_file(path: Path, cast: Cast) -> Result:
    """Run one file with people who are there already."""
    try:
        scenario = language.read(path)
    except Unreadable as error:
        return Result(str(path), problems=list(error.lines))
    result = Result(str(path), scenario.scenario)
    result.problems += run(scenario, cast, str(path))
    return result


def run(scenario: Scenario, cast: Cast, name: str) -> list[str]:
    """Live the scenario and say what is not as it expects. Rolled back."""
    problems: list[str] = []
    with staged(cast):
        try:
            stage = live(scenario, cast, lambda line, text: problems.append(f"{name}:{line}: {text}"))
        except _Stopped:
            return problems
        last = max([*(h.on for h in scenario.happenings), stage.first_day])
        problems += _checked(stage, scenario.expect, last, name)
    return problems


class _Stopped(Exception):
    """A happening went wrong; what comes after it would mean nothing."""


def live(scenario: Scenario, cast: Cast, complain: Callable[[int, str], None]) -> Stage:
    """Set the stage and do everything that the file says, in its order."""
    try:
        with settled():
            stage = staging.build(scenario, cast)
            deliver()
    except DomainError as error:
        complain(scenario.contracts[0].at_line, str(error))
        raise _Stopped from error
    for happening in scenario.happenings:
        _happen(stage, happening, complain)
    return stage


def _happen(stage: Stage, happening: Happening, complain: Callable[[int, str], None]) -> None:
    if happening.check is not None:
        for one in _differing(stage, happening.check, happening.on, "check"):
            complain(one.line, str(one))
        return
    try:
        with settled():
            perform(stage, happening)
            deliver()
    except DomainError as error:
        if happening.refused and happening.refused.lower() in str(error).lower():
            return
        wanted = f" (expected a refusal that says {happening.refused!r})" if happening.refused else ""
        complain(happening.at_line, f"{happening.act} was refused: {error}{wanted}")
        raise _Stopped from error
    if happening.refused:
        complain(happening.at_line, f"{happening.act} was not refused, expected {happening.refused!r}")


@contextmanager
def settled() -> Iterator[None]:
    """What happens inside meets the checks that the database leaves to the commit, at once.

    Raises Conflict with what the database says, for instance that an approval is missing.
    """
    with transaction.atomic():
        yield
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        except DatabaseError as error:
            raise Conflict(str(error).splitlines()[0]) from error


def deliver() -> None:
    """Hand the events of the scenario, and nobody else's, to their consumers."""
    outbox.deliver_here()


def _differing(stage: Stage, expect: Expect, on: dt.date, place: str) -> list[Difference]:
    return differences(expect, observe(stage, expect, on), place)


def _checked(stage: Stage, expect: Expect, on: dt.date, name: str) -> list[str]:
    return [f"{name}:{one.line}: {one}" for one in _differing(stage, expect, on, "expect")]
