"""Segregation at the transaction: whoever did one side on a record does not do the other, by any door.

For every check that the rules and the apps' declarations make (`o2c.controls.sod.evidence`), a record of the
world is looked for on which one side was done by somebody; that somebody, their superuser self, an account
that they answer for and the product's own machine on their behalf then try the other side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from django.db import connection
from django.db.models.expressions import RawSQL

from o2c.access.models import User
from o2c.access.system import system_actor
from o2c.actor import Actor, acting
from o2c.audit.declarations import declaration
from o2c.audit.triggers import lit, q
from o2c.controls.selftest.attempts import Attempt, Plan, as_actor, judge, second_person, sqlstate
from o2c.controls.selftest.families.duties import filled
from o2c.controls.selftest.families.rows import copy_row, execute, literal, named, other, pick
from o2c.controls.selftest.world import PREFIX, REASON, World, as_superuser, end_grants, lend
from o2c.controls.sod import evidence, paths
from o2c.controls.sod.evidence import Check
from o2c.errors import NotAuthorised
from o2c.states import Declared, transitions_of


class Specimen:
    """A record on which `before` was done by `author`, and the statement that does `now`."""

    def __init__(self, world: World, check: Check, pk: Any, author: int) -> None:
        self.world, self.check, self.pk, self.author = world, check, pk, author
        self.model = paths.model_of(check.now.model)

    @cached_property
    def changes(self) -> dict[str, str]:
        """Column → SQL of the update that does it: an edit writes what is there already."""
        if self.check.now.how == "edit":
            key = paths.key_column(self.model)
            return {key: q(key)}
        return self._move()

    @cached_property
    def sql(self) -> str:
        if self.check.now.how == "insert":
            return copy_row(self.model, self.pk, keep=self.check.now.where)
        table, key = q(self.model._meta.db_table), q(paths.key_column(self.model))
        sets = ", ".join(f"{q(column)} = {value}" for column, value in self.changes.items())
        return f"UPDATE {table} SET {sets} WHERE {key} = {literal(self.pk)}"  # noqa: S608

    @cached_property
    def state(self) -> str:
        return str(self._values(self.pk)[declaration(self.model).state_column])

    def by_shell(self) -> object:
        values: dict[str, Any] = {
            field.name: RawSQL(f"({self.changes[str(field.column)]})", ())  # noqa: S611
            for field in self.model._meta.concrete_fields
            if field.column in self.changes
        }
        return self.model._base_manager.filter(pk=self.pk).update(**values)

    def by_sql(self) -> object:
        return execute(self.sql)

    def _move(self) -> dict[str, str]:
        """Into the target state, with what a row has that is there already: times, numbers, signatures."""
        d = declaration(self.model)
        target = self.check.now.to[0]
        changes = {d.state_column: lit(target)}
        given = self.world.signed.get((self.model._meta.label_lower, target))
        if given is not None:
            return changes | given
        donor = pick(self.model, f"t.{q(d.state_column)} = {lit(target)}")
        here, there = self._values(self.pk), self._values(donor) if donor is not None else {}
        for column, value in there.items():
            if value not in (None, "") and here[column] in (None, "") and column not in d.immutable:
                changes[column] = self._given(column, donor)
        return changes

    def _values(self, pk: Any) -> dict[str, Any]:
        columns = [str(f.column) for f in self.model._meta.concrete_fields if not f.primary_key]
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {', '.join(map(q, columns))} FROM {q(self.model._meta.db_table)}"  # noqa: S608
                f" WHERE {q(paths.key_column(self.model))} = %s",
                [pk],
            )
            return dict(zip(columns, cursor.fetchone(), strict=True))

    def _given(self, column: str, donor: Any) -> str:
        """A signature is that of whoever acts; what is unique is made anew."""
        field = named(self.model, column)
        if field.is_relation and field.related_model is User:
            return "o2c_actor()"
        table, key = q(self.model._meta.db_table), q(paths.key_column(self.model))
        value = (other(field, "t") if field.unique else None) or f"t.{q(column)}"
        return f"(SELECT {value} FROM {table} t WHERE t.{key} = {literal(donor)})"  # noqa: S608


CANDIDATES = 6


def find(world: World, check: Check) -> tuple[Specimen | None, str]:
    """A record of the world on which `now` is possible for others and `before` was done by somebody.

    None and the reason when there is none.
    """
    model = paths.model_of(check.now.model)
    table, key = q(model._meta.db_table), q(paths.key_column(model))
    conditions = [*evidence.narrowing(check.now, "n"), *_sources(check), "true"]
    sql = f"""
      SELECT DISTINCT n.{key}, found.who FROM {table} n CROSS JOIN LATERAL (
        SELECT {evidence.actor_column(check)} AS who FROM {evidence.source(check, f"n.{key}")}
          AND {evidence.happened(check.before)}
      ) found
      JOIN access_user u ON u.id = found.who AND starts_with(u.username, {lit(PREFIX)}) AND u.kind = 'human'
      WHERE {" AND ".join(conditions)} ORDER BY n.{key} DESC LIMIT {CANDIDATES}
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql)
        found = [Specimen(world, check, pk, author) for pk, author in cursor.fetchall()]
    said = "there is no record to try it on"
    for one in found:
        cell = judge(_permitted(world, one))
        if cell.outcome == "allowed":
            return one, ""
        said = cell.said
    return None, said


def _possible(check: Check) -> bool:
    """A new record leads to what it names itself, and to nothing that names it."""
    if check.now.how != "insert" or check.days:
        return True
    if not check.path:
        return False
    if check.path.startswith("@"):
        return not check.backwards  # a link says by its columns what it leads to
    hops = check.path.split("__")
    if not check.backwards:
        return bool(paths.model_of(check.now.model)._meta.get_field(hops[0]).concrete)
    before_last = paths.target(check.start, "__".join(hops[:-1]))
    return not before_last._meta.get_field(hops[-1]).concrete


def _sources(check: Check) -> list[str]:
    """A record that is to be moved stands in a state from which it may."""
    if check.now.how != "move":
        return []
    d = declaration(paths.model_of(check.now.model))
    sources = [lit(source) for source, target in d.state_changes if target == check.now.to[0]]
    return [f"n.{q(d.state_column)} IN ({', '.join(sources) or 'NULL'})"]


def _refused_by(check: Check) -> Callable[[Exception], bool]:
    def refused(error: Exception) -> bool:
        if second_person(error):
            return True  # the same rule, held by the table itself
        if isinstance(error, NotAuthorised) and error.code == "maker_is_checker":
            return True
        said = sqlstate(error) == "OC007" or isinstance(error, NotAuthorised)
        return said and check.rule.code in str(error)

    return refused


def _attempt(
    specimen: Specimen, door: str, who: str, do: Callable[[], object], *, permitted: bool = False
) -> Attempt:
    check = specimen.check
    span = f"within {check.days} days of" if check.days else "after"
    return Attempt(
        check.rule.code,
        f"{check.now_function} {span} {check.before_function} ({check.now.model})",
        door,
        who,
        do,
        _refused_by(check),
        permitted=permitted,
        table=specimen.model._meta.db_table,
    )


def _permitted(world: World, specimen: Specimen) -> Attempt:
    witness = Actor.of(world.user("", 3))
    return _attempt(specimen, "SQL", "somebody else", as_actor(witness, specimen.by_sql), permitted=True)


def attempts(world: World, specimen: Specimen) -> Iterator[Attempt]:
    author = User.objects.get(pk=specimen.author)
    system = system_actor()
    yield _permitted(world, specimen)
    doors = {"SQL": specimen.by_sql, "shell": specimen.by_shell}
    if specimen.check.now.how == "insert":
        del doors["shell"]
    hand, system_for = _hand(specimen), f"{system.label} for {author}"
    for door, do in doors.items():
        yield _attempt(specimen, door, hand, as_actor(Actor.of(author), do))
        yield _attempt(specimen, door, "staff superuser", as_superuser(author, do))
    # Who stands behind an account is the database's question: one door that is nothing but the database.
    for who, actor in (
        ("their service account", Actor.of(world.account_of(author))),
        ("the product on their behalf", Actor(system.user_id, system_for, author.pk)),
    ):
        yield _attempt(specimen, "SQL", who, as_actor(actor, specimen.by_sql))
    yield _attempt(specimen, "SQL", "former role holder", _without_role(author, specimen.by_sql))
    for declared in transitions_of(specimen.model):
        moves = specimen.check.now.how == "move" and declared.target == specimen.check.now.to[0]
        if moves and specimen.state in declared.sources:
            yield from _by_service(specimen, author, declared)


def _by_service(specimen: Specimen, author: User, declared: Declared) -> Iterator[Attempt]:
    """With the duty in hand, where a rule at the grant does not forbid that already."""
    if not declared.service_path:
        return

    def do() -> object:
        if not lend(author, declared.duty):
            raise NotAuthorised(f"{specimen.check.rule.code}: not even the duty", code="segregation")
        values = filled(declared.service)
        return declared.service(specimen.pk, actor=Actor.of(author), reason=REASON, **values)

    yield _attempt(specimen, "service", _hand(specimen), do)


def _hand(specimen: Specimen) -> str:
    """What the author did before: made the record, or wrote or moved it last."""
    return "maker" if specimen.check.before.how == "insert" else "last editor"


def _without_role(author: User, do: Callable[[], object]) -> Callable[[], object]:
    """By somebody from whom every role was taken since: history remembers, whoever they are now."""

    def later() -> object:
        end_grants(author)
        with acting(Actor.of(author), reason=REASON):
            return do()

    return later


def plan(world: World) -> Plan:
    made = Plan()
    without: dict[str, list[str]] = {}
    for check in evidence.checks():
        if not _possible(check):
            continue
        found, why = find(world, check)
        if found is None:
            pair = f"{check.now.how} {check.now.model} after {check.before.how} {check.before.model}"
            without.setdefault(check.rule.code, []).append(f"{pair} ({why})")
        else:
            made.attempts += attempts(world, found)
    for rule, pairs in without.items():
        made.untried.append(f"{rule}: {len(pairs)} pairs of acts: {'; '.join(dict.fromkeys(pairs))}")
    return made
