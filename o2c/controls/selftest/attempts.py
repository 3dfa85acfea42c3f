"""One forbidden act, tried for real and taken back; and its counterpart, which must be possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import psycopg
from django.db import IntegrityError, connection, transaction

from o2c.actor import Actor, acting, current_trace, tell_database
from o2c.errors import DomainError

Outcome = Literal["refused", "unproven", "through", "allowed", "blocked"]
Refusal = Callable[[Exception], bool]


@dataclass(frozen=True)
class Attempt:
    """`do` does the act; `refused_by` tells whether an error is the refusal of the guard that it is about.

    `permitted`: the counterpart that shows that the guard refuses the person, and not everybody.
    `table` names the table that is guarded, `duty` the duty that is asked for, where there is one.
    """

    rule: str
    title: str
    door: str
    principal: str
    do: Callable[[], object]
    refused_by: Refusal = lambda error: True
    permitted: bool = False
    table: str = ""
    duty: str = ""


@dataclass(frozen=True)
class Cell:
    """What came of an attempt, and the words of whoever refused."""

    attempt: Attempt
    outcome: Outcome
    said: str = ""

    @property
    def wrong(self) -> bool:
        return self.outcome in ("through", "blocked")

    def sentence(self) -> str:
        a = self.attempt
        if self.outcome == "blocked":
            return f"{a.rule}, {a.title}: {a.principal} may do it by {a.door}, and was refused: {self.said}"
        return f"{a.rule}, {a.title}: got through as {a.principal} by {a.door}"


@dataclass
class Plan:
    """The attempts of a self-test, and what could not be tried for want of a specimen."""

    attempts: list[Attempt] = field(default_factory=list)
    untried: list[str] = field(default_factory=list)


class _Undone(Exception):
    """Takes back what an attempt did."""


@contextmanager
def undone() -> Iterator[None]:
    """A savepoint of which nothing stays; what is deferred to the commit is asked before."""
    try:
        with transaction.atomic():
            yield
            settle()
            raise _Undone
    except _Undone:
        pass


def settle() -> None:
    """Have the checks that wait for the commit made now."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def judge(attempt: Attempt) -> Cell:
    """Try it, take it back, and say what came of it."""
    try:
        with undone():
            attempt.do()
    except Exception as error:
        said = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        if attempt.permitted:
            return Cell(attempt, "blocked", said)
        return Cell(attempt, "refused" if attempt.refused_by(error) else "unproven", said)
    finally:
        tell_database(current_trace())
    return Cell(attempt, "allowed" if attempt.permitted else "through")


def sqlstate(error: Exception) -> str:
    """The SQLSTATE behind an error, '' when the database did not refuse."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, psycopg.Error):
            return cause.sqlstate or ""
        cause = cause.__cause__
    return ""


def by_state(*states: str, saying: str = "") -> Refusal:
    """Refused by the database with one of these SQLSTATEs, in words that hold `saying`."""
    return lambda error: sqlstate(error) in states and saying in str(error)


def by_code(*codes: str) -> Refusal:
    """Refused by a service with one of these codes; a command says it in an error of its own."""

    def refused(error: Exception) -> bool:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, DomainError):
            cause = cause.__cause__
        return cause is not None and cause.code in codes

    return refused


# What check constraints that keep two people apart are called.
SECOND_PERSON = ("second_person", "another", "maker_is_not_checker", "by_two")


def second_person(error: Exception) -> bool:
    """Whether the table itself holds that another person has to do it."""
    return isinstance(error, IntegrityError) and any(word in str(error) for word in SECOND_PERSON)


def run_sql(sql: str, parameters: list[Any] | None = None) -> int:
    """Execute one statement; how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)


def as_actor(actor: Actor | None, do: Callable[[], object]) -> Callable[[], object]:
    """`do` with the database told that `actor` acts; None: nobody."""
    if actor is None:

        def nameless() -> object:
            tell_database(None)
            return do()

        return nameless

    def named() -> object:
        with acting(actor, reason="self-test"):
            return do()

    return named
