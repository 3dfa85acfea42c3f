"""What tables refuse, as their models declare it: tried by the ORM and by SQL as the product's own role.

With the rights of the tables' owner too, where the connection has them (the tests, a mutation run): there
the missing right of the product's role does not hide a missing trigger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.db import connection, models

from o2c.actor import Actor
from o2c.audit.declarations import Declaration, declaration
from o2c.audit.triggers import lit, q
from o2c.controls.selftest.attempts import Attempt, Plan, Refusal, as_actor, by_state, run_sql
from o2c.controls.selftest.families.rows import copy_row, execute, literal, named, other, pick
from o2c.controls.selftest.world import World
from o2c.runtime import roles

NO_RIGHT, REFUSED, NOBODY = "42501", "OC001", "OC002"
SHELL, SQL, OWNER = "shell", "SQL", "SQL as owner"


def may_own() -> bool:
    """Whether this connection logged in as the owner of the tables and stepped down."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_user = %s AND current_user <> session_user", [roles.OWNER])
        return bool(cursor.fetchone()[0])


@contextmanager
def owning() -> Iterator[None]:
    """The owner's rights until the end; an error leaves it to the savepoint to restore the role."""
    run_sql("SET LOCAL ROLE NONE")
    yield
    run_sql(f"SET LOCAL ROLE {roles.APP}")


class Table:
    """One guarded table, and the attempts on it."""

    def __init__(
        self, model: type[models.Model], d: Declaration, actors: dict[str, Actor], own: bool
    ) -> None:
        self.model, self.d, self.actors, self.own = model, d, actors, own
        self.key = q(d.pk)
        self.untried: list[str] = []

    def attempts(self) -> Iterator[Attempt]:
        yield from self._truncate()
        if self.d.append_only:
            yield from self._facts()
            return
        yield from self._deletion()
        yield from self._columns()
        yield from self._states()
        yield from self._frozen()
        yield from self._child()
        if self.d.owned:
            yield from self._owned()
        elif self.d.history_table:
            yield from self._trace()

    def each(
        self, title: str, refusal: Refusal, sql: str, orm: Callable[[], object] | None = None
    ) -> Iterator[Attempt]:
        """The same by every door and as everybody."""
        rule, first = f"table {self.d.table}", next(iter(self.actors))
        for principal, actor in self.actors.items():
            doors: list[tuple[str, Callable[[], object]]] = [(SQL, lambda: execute(sql))]
            if orm is not None:
                doors.append((SHELL, orm))
            if self.own and principal == first:
                doors.append((OWNER, self._as_owner(sql)))
            for door, do in doors:
                refused = by_state(REFUSED, NO_RIGHT) if self.d.owned else refusal
                if door == OWNER:  # who has every right: only the trigger is left to refuse
                    refused = by_state(REFUSED)
                yield Attempt(rule, title, door, principal, as_actor(actor, do), refused, table=self.d.table)

    def _as_owner(self, sql: str) -> Callable[[], object]:
        def do() -> object:
            with owning():
                return execute(sql)

        return do

    def row(self, where: str = "true") -> Any:
        return pick(self.model, where)

    def rows(self, pk: Any) -> Any:
        return self.model._base_manager.filter(pk=pk)

    def missing(self, what: str) -> None:
        self.untried.append(f"{self.d.table}: {what}")

    def _truncate(self) -> Iterator[Attempt]:
        refusal = by_state(NO_RIGHT)
        sql = f"TRUNCATE {q(self.d.table)} CASCADE"
        principal, actor = next(iter(self.actors.items()))
        yield Attempt(
            f"table {self.d.table}", "emptied", SQL, principal, as_actor(actor, lambda: execute(sql)),
            refusal, table=self.d.table,
        )  # fmt: skip

    def _facts(self) -> Iterator[Attempt]:
        refusal = by_state(NO_RIGHT, REFUSED)
        name = "history" if self.d.is_history else "a fact"
        table, key = q(self.d.table), self.key
        changed = f"UPDATE {table} SET {key} = {key} WHERE false"  # noqa: S608
        everything = self.model._base_manager.all()
        same: dict[str, Any] = {named(self.model, self.d.pk).name: models.F(self.d.pk)}
        yield from self.each(f"{name} changed", refusal, changed, lambda: everything.update(**same))
        yield from self.each(f"{name} deleted", refusal, f"DELETE FROM {table} WHERE false")  # noqa: S608
        if self.d.is_history:
            principal, actor = next(iter(self.actors.items()))
            sql = f"INSERT INTO {table} SELECT * FROM {table} WHERE false"  # noqa: S608
            yield Attempt(
                f"table {self.d.table}", "history written by hand", SQL, principal,
                as_actor(actor, lambda: execute(sql)), by_state(NO_RIGHT), table=self.d.table,
            )  # fmt: skip

    def _owned(self) -> Iterator[Attempt]:
        """What ships with the product is written by the owner of the tables alone."""
        table = q(self.d.table)
        sql = f"UPDATE {table} SET {self.key} = {self.key} WHERE false"  # noqa: S608
        for principal, actor in self.actors.items():
            yield Attempt(
                f"table {self.d.table}", "written by hand", SQL, principal,
                as_actor(actor, lambda: execute(sql)), by_state(NO_RIGHT), table=self.d.table,
            )  # fmt: skip

    def _deletion(self) -> Iterator[Attempt]:
        if self.d.no_delete:
            sql = f"DELETE FROM {q(self.d.table)} WHERE false"  # noqa: S608
            everything = self.model._base_manager.all()
            yield from self.each("deleted", by_state(REFUSED), sql, lambda: everything._raw_delete("default"))

    def _columns(self) -> Iterator[Attempt]:
        pk = self.row()
        if pk is None:
            return self.missing("no row: its columns, states and trace were not tried")
        field = named(self.model, self.d.pk)
        value = other(field)
        if value is not None and not field.is_relation:
            yield from self.each("key changed", by_state(REFUSED), self._set(self.d.pk, value, pk))
        for column in self.d.immutable:
            value = other(named(self.model, column))
            if value is not None:
                sql = self._set(column, value, pk)
                yield from self.each(f"{column} changed", by_state(REFUSED), sql)

    def _set(self, column: str, value: str, pk: Any) -> str:
        return f"UPDATE {q(self.d.table)} SET {q(column)} = {value} WHERE {self.key} = {literal(pk)}"  # noqa: S608

    def _states(self) -> Iterator[Attempt]:
        if not self.d.state_column:
            return
        column = self.d.state_column
        values = [str(value) for value, _ in named(self.model, column).flatchoices]
        inserted = next((value for value in values if value not in self.d.initial_states), None)
        if inserted is not None:
            sql = f"INSERT INTO {q(self.d.table)} ({q(column)}) VALUES ({lit(inserted)})"  # noqa: S608
            yield from self.each(f"made {inserted}", by_state(REFUSED, saying="initial states"), sql)
        for source in values:
            pk = self.row(f"t.{q(column)} = {lit(source)}")
            for target in values:
                if pk is None or target == source or (source, target) in self.d.state_changes:
                    continue
                sql = self._set(column, lit(target), pk)
                yield from self.each(f"{source} → {target}", by_state(REFUSED), sql)

    def _frozen(self) -> Iterator[Attempt]:
        if self.d.frozen is None:
            return
        frozen = self.d.frozen
        values = ", ".join(lit(value) for value in frozen.values)
        pk = self.row(f"t.{q(frozen.column)} IN ({values})")
        if pk is None:
            return self.missing(f"no row that is {' or '.join(frozen.values)}")
        free = {*frozen.except_, self.d.pk, self.d.state_column, *self.d.immutable}
        held = [column for column in self.d.columns if column not in free]
        tried = [(column, value) for column in held if (value := other(named(self.model, column)))]
        for column, value in tried[:3]:
            sql = self._set(column, value, pk)
            yield from self.each(
                f"{column} changed when {' or '.join(frozen.values)}", by_state(REFUSED), sql
            )
        sql = f"DELETE FROM {q(self.d.table)} WHERE {self.key} = {literal(pk)}"  # noqa: S608
        yield from self.each(f"deleted when {' or '.join(frozen.values)}", by_state(REFUSED), sql)

    def _child(self) -> Iterator[Attempt]:
        if self.d.child is None:
            return
        child = self.d.child
        pk = self.row(self._parent_in("NOT IN"))
        if pk is None:
            return self.missing(f"no row whose {child.parent_table} is not {' or '.join(child.values)}")
        refusal = by_state(REFUSED)
        unless = f"unless {child.parent_table} is {' or '.join(child.values)}"
        yield from self.each(f"changed {unless}", refusal, self._set(self.d.pk, self.key, pk))
        yield from self.each(f"added {unless}", refusal, copy_row(self.model, pk))
        sql = f"DELETE FROM {q(self.d.table)} WHERE {self.key} = {literal(pk)}"  # noqa: S608
        yield from self.each(f"deleted {unless}", refusal, sql)

    def _parent_in(self, how: str) -> str:
        """SQL condition on `t`: its parent is in a state in which it may be written, or NOT IN one."""
        child = self.d.child
        assert child is not None
        values = ", ".join(lit(value) for value in child.values)
        return (
            f"EXISTS (SELECT 1 FROM {q(child.parent_table)} p"  # noqa: S608
            f" WHERE p.{q(child.parent_pk)} = t.{q(child.column)}"
            f" AND p.{q(child.parent_column)} {how} ({values}))"
        )

    def _trace(self) -> Iterator[Attempt]:
        """A write by nobody, by somebody who does not exist; and one by somebody, which is remembered."""
        if "created_at" not in self.d.columns:
            return
        where = "true"
        if self.d.frozen:
            values = ", ".join(lit(value) for value in self.d.frozen.values)
            where = f"t.{q(self.d.frozen.column)} NOT IN ({values})"
        if self.d.child:
            where += f" AND {self._parent_in('IN')}"
        pk = self.row(where)
        if pk is None:
            return
        sql = self._set("created_at", "created_at + interval '1 second'", pk)
        rule, table = f"table {self.d.table}", self.d.table
        yield Attempt(
            rule, "changed by nobody", SQL, "nobody", as_actor(None, lambda: execute(sql)), by_state(NOBODY),
            table=table,
        )  # fmt: skip
        principal, actor = next(iter(self.actors.items()))
        do = as_actor(actor, lambda: self._remembered(sql, pk, actor))
        yield Attempt(rule, "changed by somebody", SQL, principal, do, permitted=True, table=table)

    def _remembered(self, sql: str, pk: Any, actor: Actor) -> None:
        execute(sql)
        seen = pick(
            self.model.history.model,  # type: ignore[attr-defined]
            f"t.{self.key} = %s AND t.history_user_id = %s AND t.history_type = '~'"
            " AND t.history_txid = pg_current_xact_id()::text::bigint",
            [pk, actor.user_id],
        )
        if seen is None:
            from o2c.errors import Conflict

            raise Conflict(f"A change of {self.d.table} left no trace")


def plan(world: World) -> Plan:
    made = Plan()
    actors = {
        "staff superuser": Actor.of(world.user("", 1, superuser=True)),
        "service account": Actor.of(world.account_of(world.user("", 1))),
    }
    own = may_own()
    for model in apps.get_models(include_auto_created=True):
        if not model._meta.managed or model._meta.proxy:
            continue
        d = declaration(model)
        if d.is_guarded:
            table = Table(model, d, actors, own)
            made.attempts += table.attempts()
            made.untried += table.untried
    return made
