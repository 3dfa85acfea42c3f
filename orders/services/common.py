"""What the services of this app share: numbers of records, problems by path, many rows through one
transition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar
from zoneinfo import available_timezones

from django.db import connection, models

from o2c.actor import Actor
from o2c.errors import InvalidInput
from o2c.states import StateMachine, state_field

M = TypeVar("M", bound=StateMachine)
BATCH = 1000


@cache
def time_zones() -> frozenset[str]:
    """The IANA names that this machine knows; asking for them walks a directory, hence once."""
    return frozenset(available_timezones())


class Problems:
    """Everything that is wrong with an input, by the path of the field, so that it is said at once."""

    def __init__(self) -> None:
        self.fields: dict[str, list[str]] = {}

    def add(self, path: str, message: str) -> None:
        self.fields.setdefault(path, []).append(message)

    def __bool__(self) -> bool:
        return bool(self.fields)

    def raise_if_any(self, what: str, *, record: str = "", code: str = "") -> None:
        """Raise InvalidInput that names all of them."""
        if not self.fields:
            return
        told = [f"{path}: {text}" if path else text for path, texts in self.fields.items() for text in texts]
        more = f" (and {len(told) - 20} more)" if len(told) > 20 else ""
        raise InvalidInput(
            f"{what} is not valid. " + "; ".join(t.rstrip(".") for t in told[:20]) + more,
            record=record,
            remedy="Correct the fields and send it again",
            code=code,
            fields=self.fields,
        )


def responsible(actor: Actor) -> int:
    """The user who answers for the act: the person on whose behalf an account acts, else the actor.

    Makers and checkers are compared by this, so that nobody gets past their own name through an account.
    """
    return actor.on_behalf_of_id or actor.user_id


def numbered(model: type[models.Model], prefix: str, count: int) -> list[tuple[int, str]]:
    """`count` new primary keys of `model`, each with its number: (12, "O-000012").

    These numbers identify; they are not documents, so a rollback may leave a gap.
    """
    if count == 0:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [model._meta.db_table, count],
        )
        return [(pk, f"{prefix}-{pk:06d}") for (pk,) in cursor.fetchall()]


def move(rows: Sequence[M], transition: str, **columns: Any) -> None:
    """Take locked rows of one model through a declared transition, and set columns, in one statement.

    Raises Conflict, naming the row, when one of them is not in a state from which the transition starts. The
    rows in memory are as they are in the database afterwards.
    """
    if not rows:
        return
    model = type(rows[0])
    field = state_field(model)
    assert field is not None
    for row in rows:
        for name, value in columns.items():
            setattr(row, name, value)
        getattr(row, transition)()
    target = getattr(rows[0], field.name)
    pks = [row.pk for row in rows]
    model._default_manager.filter(pk__in=pks).update(**{field.attname: target}, **columns)


def changed(row: models.Model, values: Mapping[str, Any]) -> list[str]:
    """Set the values that differ; answer the names of the columns that did."""
    names = []
    for name, value in values.items():
        if getattr(row, name) != value:
            setattr(row, name, value)
            names.append(name)
    return names
