"""What somebody does who owns the tables: rows that no guard let through."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from o2c.evidence.pack import ask, reperform
from o2c.evidence.registry import control
from tests import database
from tests.evidence.test_evidence import today


class Undo(Exception):
    """What was tried is undone."""


@contextmanager
def tried() -> Iterator[None]:
    """Whatever is done inside is undone again."""
    try:
        with transaction.atomic():
            yield
            raise Undo
    except Undo:
        pass


@contextmanager
def unguarded(*tables: str) -> Iterator[Any]:
    """As the owner, with the triggers and checks of tables off; even history is silent."""
    with database.owner(), connection.cursor() as cursor:
        database.immediately()
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute(
                "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('c', 'x')",
                [table],
            )
            for (name,) in cursor.fetchall():
                cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        yield cursor


def change(table: str, assignment: str, where: str = "true", *values: Any) -> None:
    with unguarded(table) as cursor:
        cursor.execute(f"UPDATE {table} SET {assignment} WHERE {where}", values)


def forget(table: str, where: str = "true", *values: Any) -> None:
    with unguarded(table) as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE {where}", values)


def exceptions(code: str) -> set[str]:
    """What a control finds today, without the items."""
    return {str(problem) for _, problem in reperform(control(code), *today()).rows}


def items(code: str) -> int:
    return len(ask(control(code).population, *today()).rows)
