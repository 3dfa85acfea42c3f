"""SQL for a path of the lineage: which rows of another table a record was made from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from django.apps import apps
from django.db import models

from o2c.audit.triggers import q
from o2c.controls.sod.declare import declared
from o2c.errors import InvalidInput


@dataclass(frozen=True)
class Written:
    """Where the authors of a table's rows are read: its history, or the facts themselves."""

    table: str
    key: str
    actor: str
    behalf: str  # SQL expression; NULL where the table has no such column
    order: str
    is_history: bool


def model_of(label: str) -> type[models.Model]:
    return apps.get_model(label)


def key_column(model: type[models.Model]) -> str:
    """The column of the primary key."""
    pk = model._meta.pk
    assert pk is not None
    return str(pk.column)


@cache
def written(model: type[models.Model]) -> Written:
    """The table that says who wrote the rows of `model`. Refused for a table that nobody keeps a trace of."""
    key = key_column(model)
    history = getattr(model, "history", None)
    if history is not None:
        return Written(
            history.model._meta.db_table,
            key,
            "history_user_id",
            "history_on_behalf_of_id",
            "history_id",
            True,
        )
    if any(field.name == "actor_id" for field in model._meta.concrete_fields):
        return Written(model._meta.db_table, key, "actor_id", "NULL::bigint", key, False)
    raise InvalidInput(f"Nobody keeps who wrote {model._meta.label_lower}")


@cache
def target(label: str, path: str) -> type[models.Model]:
    """The model at the end of a path: ("orders.order", "lines__segments") → Segment; "@…" names a link."""
    if path.startswith("@"):
        return model_of(path[1:])
    model = model_of(label)
    for hop in path.split("__") if path else ():
        related = model._meta.get_field(hop).related_model
        if not isinstance(related, type):
            raise InvalidInput(f"{hop} of {model._meta.label_lower} is no relation")
        model = related
    return model


@cache
def pairs(label: str, path: str) -> str:
    """A SELECT of (subject, source): every record of `label` with the rows at the end of the path."""
    model = model_of(label)
    if not path:
        key = q(key_column(model))
        return f"SELECT {key} AS subject, {key} AS source FROM {q(model._meta.db_table)}"
    if path.startswith("@"):
        return " UNION ALL ".join(
            f"SELECT s.{q(key_column(model))} AS subject, t.{q(key_column(target(label, path)))} AS source"
            f" FROM {link.rows}"
            for link in declared().links[label]
            if link.path == path
        )
    rows = model._base_manager.filter(**{f"{path}__isnull": False}).order_by()
    sql, parameters = rows.values_list("pk", f"{path}__pk").query.sql_with_params()
    if parameters:
        raise InvalidInput(f"The path {path} of {label} takes parameters")
    return f"SELECT subject, source FROM ({sql}) AS path(subject, source)"
