"""What each model declares about its rows: history, states, and the `Guards` inside its class.

    class Guards:
        append_only = True            # no UPDATE, no DELETE
        sealed = False                # of append-only rows: no leaf each (usage events, by the million)
        no_delete = True              # no DELETE
        immutable = ["order"]         # columns that keep the value they were inserted with
        frozen_when = {"field": "state", "values": ["posted"], "except_": ["delivered_at"]}
        child_of = ("invoice", "state", ["draft"])   # rows move only while the parent is a draft
        owned = True                  # rows ship with the product: only the owner of the tables writes them
        signatures = ["approved_by"]  # columns that name who acts: set by that person, or for them, alone

Attributes of base classes are inherited one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from simple_history.models import HistoricalChanges

from o2c.states import initial_states, state_field, transitions_of

KNOWN = {"append_only", "no_delete", "immutable", "frozen_when", "child_of", "sealed", "owned", "signatures"}


@dataclass(frozen=True)
class Frozen:
    """Rows whose `column` is in `values` do not change, but for the columns in `except_`."""

    column: str
    values: tuple[str, ...]
    except_: frozenset[str]


@dataclass(frozen=True)
class Child:
    """Rows are written only while the parent's `parent_column` is in `values`."""

    column: str
    parent_table: str
    parent_pk: str
    parent_column: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Declaration:
    """Everything the database must hold about one table."""

    table: str
    pk: str
    columns: tuple[str, ...]
    history_table: str = ""
    history_columns: tuple[str, ...] = ()
    sealed_columns: tuple[str, ...] = ()
    append_only: bool = False
    is_history: bool = False
    no_delete: bool = False
    immutable: tuple[str, ...] = ()
    frozen: Frozen | None = None
    child: Child | None = None
    owned: bool = False
    signatures: tuple[str, ...] = ()
    state_column: str = ""
    initial_states: tuple[str, ...] = ()
    state_changes: tuple[tuple[str, str], ...] = field(default=())

    @property
    def is_guarded(self) -> bool:
        return bool(
            self.history_table
            or self.append_only
            or self.no_delete
            or self.immutable
            or self.frozen
            or self.child
            or self.signatures
            or self.state_column
        )


def _guards(model: type[models.Model]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for base in reversed(model.__mro__):
        declared = base.__dict__.get("Guards")
        if declared is not None:
            merged.update({k: v for k, v in vars(declared).items() if not k.startswith("_")})
    unknown = set(merged) - KNOWN
    if unknown:
        raise ImproperlyConfigured(f"{model.__name__}.Guards does not know {', '.join(unknown)}")
    return merged


def _column(model: type[models.Model], name: str) -> str:
    field: Any = model._meta.get_field(name)
    return str(field.column)


def _frozen(model: type[models.Model], declared: dict[str, Any] | None) -> Frozen | None:
    if declared is None:
        return None
    return Frozen(
        column=_column(model, declared["field"]),
        values=tuple(str(value) for value in declared["values"]),
        except_=frozenset(_column(model, name) for name in declared.get("except_", ())),
    )


def _child(model: type[models.Model], declared: tuple[str, str, list[str]] | None) -> Child | None:
    if declared is None:
        return None
    name, parent_field, values = declared
    relation: Any = model._meta.get_field(name)
    parent: type[models.Model] = relation.related_model
    assert parent._meta.pk is not None
    return Child(
        column=str(relation.column),
        parent_table=parent._meta.db_table,
        parent_pk=str(parent._meta.pk.column),
        parent_column=_column(parent, parent_field),
        values=tuple(str(value) for value in values),
    )


def _sealed_columns(model: type[models.Model], history: Any, guards: dict[str, Any]) -> tuple[str, ...]:
    """The columns whose values are sealed: of the history, or of a fact.

    Bytes that stand beside their own SHA-256, which a constraint proves, are sealed by it.
    """
    if history is not None:
        return tuple(str(f.column) for f in history._meta.concrete_fields)
    if not guards.get("append_only") or not guards.get("sealed", True):
        return ()
    fields = model._meta.concrete_fields
    proved = any(f.name == "sha256" for f in fields)
    return tuple(str(f.column) for f in fields if not (proved and isinstance(f, models.BinaryField)))


def declaration(model: type[models.Model]) -> Declaration:
    """What `model` declares. Raises ImproperlyConfigured for a guard that is not known."""
    meta = model._meta
    assert meta.pk is not None
    if issubclass(model, HistoricalChanges):
        return Declaration(meta.db_table, str(meta.pk.column), (), append_only=True, is_history=True)
    guards = _guards(model)
    manager = getattr(meta, "simple_history_manager_attribute", None)
    history = getattr(model, manager).model if manager else None
    state = state_field(model)
    changes = [
        (source, edge.target)
        for edge in transitions_of(model)
        for source in edge.sources
        if source != edge.target
    ]
    return Declaration(
        table=meta.db_table,
        pk=str(meta.pk.column),
        columns=tuple(str(f.column) for f in meta.concrete_fields),
        history_table=history._meta.db_table if history else "",
        history_columns=tuple(f.column for f in history.tracked_fields) if history else (),
        sealed_columns=_sealed_columns(model, history, guards),
        append_only=guards.get("append_only", False),
        no_delete=guards.get("no_delete", False),
        owned=guards.get("owned", False),
        immutable=tuple(_column(model, name) for name in guards.get("immutable", ())),
        frozen=_frozen(model, guards.get("frozen_when")),
        child=_child(model, guards.get("child_of")),
        signatures=tuple(_column(model, name) for name in guards.get("signatures", ())),
        state_column=str(state.column) if state else "",
        initial_states=initial_states(model) if state else (),
        state_changes=tuple(sorted(set(changes))),
    )


def declarations(app_label: str | None = None) -> Iterator[Declaration]:
    """The declarations of every guarded table, of one app or of all."""
    config = apps.get_app_config(app_label) if app_label else apps
    for model in config.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy:
            declared = declaration(model)
            if declared.is_guarded:
                yield declared
