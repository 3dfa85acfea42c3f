"""Rows to try things on: picked, copied and changed by what the model says of its columns."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from django.db import connection, models

from o2c.audit.triggers import lit, q
from o2c.controls.selftest.attempts import run_sql
from o2c.states import StateField, initial_states

NUMBERS = ("integer", "bigint", "smallint", "numeric", "double precision", "serial", "bigserial")


def pick(model: type[models.Model], where: str = "true", parameters: list[Any] | None = None) -> Any:
    """The key of the newest row that meets the condition on `t`; None without one."""
    key = q(str(_pk(model).column))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT t.{key} FROM {q(model._meta.db_table)} t WHERE {where} ORDER BY t.{key} DESC LIMIT 1",  # noqa: S608
            parameters or [],
        )
        found = cursor.fetchone()
    return found[0] if found else None


def _pk(model: type[models.Model]) -> models.Field[Any, Any]:
    pk = model._meta.pk
    assert pk is not None
    return pk


def other(field: models.Field[Any, Any], alias: str = "") -> str | None:
    """SQL of a value that the column does not have now; None for a type that nobody can do this for."""
    column = (f"{alias}." if alias else "") + q(str(field.column))
    kind = (field.db_type(connection) or "").split("(")[0]
    if field.choices:
        values = ", ".join(f"'{value}'" for value, _ in field.flatchoices)
        return f"(SELECT v FROM unnest(ARRAY[{values}]) v WHERE v IS DISTINCT FROM {column}::text LIMIT 1)"  # noqa: S608
    if kind in NUMBERS:
        return f"coalesce({column}, 0) + 1"
    if kind in ("varchar", "text"):
        first = f"CASE WHEN left({column}, 1) = 'x' THEN 'y' ELSE 'x' END"
        return f"CASE WHEN coalesce({column}, '') = '' THEN 'x' ELSE {first} || substr({column}, 2) END"
    if kind == "date":
        return f"coalesce({column}, DATE '2001-01-01') + 1"
    if kind == "timestamp with time zone":
        return f"coalesce({column}, TIMESTAMPTZ '2001-01-01') + interval '1 day'"
    if kind == "boolean":
        return f"NOT coalesce({column}, false)"
    return {"jsonb": """'{"self-test": "1"}'::jsonb""", "uuid": "gen_random_uuid()"}.get(kind)


def named(model: type[models.Model], column: str) -> models.Field[Any, Any]:
    """The field behind a column."""
    return next(f for f in model._meta.concrete_fields if f.column == column)


def _unique(model: type[models.Model], keep: Container[str]) -> set[str]:
    """Columns of which a copy differs: one of each unique set, no key of another table, none to keep."""
    sets = [{f.name} for f in model._meta.concrete_fields if f.unique and not f.primary_key]
    sets += [set(names) for names in model._meta.unique_together]
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint):
            sets.append(set(constraint.fields))
    found: set[str] = set()
    for names in sets:
        fields = [model._meta.get_field(name) for name in sorted(names)]
        free = [
            f for f in fields if not f.is_relation and not getattr(f, "choices", None) and f.name not in keep
        ]
        if free and not names & found:
            found.add(free[0].name)
    return found


def copy_row(model: type[models.Model], pk: Any, keep: Container[str] = ()) -> str:
    """SQL that inserts a copy of a row under a new key, in its initial state, with other values in columns
    that are unique, those to `keep` excepted. A numeric key is taken from the sequence; any other gets a new
    uuid.
    """
    chosen: list[str] = []
    columns: list[str] = []
    differing = _unique(model, keep)
    for field in model._meta.concrete_fields:
        column = str(field.column)
        if getattr(field, "generated", False) or (column == "actor_id" and not field.is_relation):
            continue
        if field.primary_key:
            if field.get_internal_type().endswith("AutoField"):
                continue
            value = other(field, "t") or f"t.{q(column)}"
        elif isinstance(field, StateField):
            value = lit(initial_states(model)[0])
        elif field.name in differing:
            value = _fresh(field) or f"t.{q(column)}"
        elif not field.editable and isinstance(field.default, int | str):
            value = lit(str(field.default))  # kept by the database: as in a new row
        else:
            value = f"t.{q(column)}"
        columns.append(q(column))
        chosen.append(value)
    table, key = q(model._meta.db_table), q(str(_pk(model).column))
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(chosen)} FROM {table} t"  # noqa: S608
        f" WHERE t.{key} = {literal(pk)} RETURNING {key}"
    )


def _fresh(field: models.Field[Any, Any]) -> str | None:
    """SQL of a value that no row has; for a text, one of its length."""
    kind = (field.db_type(connection) or "").split("(")[0]
    if kind in ("varchar", "text"):
        length = min(getattr(field, "max_length", None) or 32, 32)
        return f"left('z' || md5(random()::text || clock_timestamp()::text), {length})"
    if kind in NUMBERS:
        return f"t.{q(str(field.column))} + 30000"
    if kind == "date":
        return f"t.{q(str(field.column))} + 3000"
    return other(field, "t")


def literal(value: Any) -> str:
    """A key as SQL."""
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def execute(sql: str) -> int:
    """One statement without parameters."""
    return run_sql(sql)
