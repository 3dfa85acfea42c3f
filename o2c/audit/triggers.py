"""The SQL of history and guards, generated from a `Declaration`.

History is written by statement-level triggers with transition tables: one INSERT … SELECT for a
statement of any size, and no way around it for bulk writes, `QuerySet.update`, COPY or raw SQL.
Guards that compare a row with itself are row-level with a WHEN clause, so that a row that passes
costs one expression and no function call. All are ENABLE ALWAYS: replica mode does not skip them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection

from o2c.audit.declarations import Declaration
from o2c.audit.layouts import TEXT_FORM, XID, Layout, layout_of
from o2c.signing import FRESH_SECONDS, VALID

PREFIX = "o2c_"

REFUSE_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%', format(TG_ARGV[0], TG_TABLE_NAME) USING ERRCODE = 'OC001', TABLE = TG_TABLE_NAME;
END $$
"""

ACTOR_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_actor() RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE actor text := current_setting('o2c.actor_id', true);
BEGIN
  IF actor IS NULL OR actor = '' THEN
    RAISE EXCEPTION 'No actor, no write: say who acts before changing a controlled table'
      USING ERRCODE = 'OC002';
  END IF;
  RETURN actor::bigint;
END $$
"""


# Asked once a statement. An id that nobody has would leave a trace that leads to nobody; one that the product
# did not sign (o2c/signing.py) was said by whoever is at a shell of the database.
KNOWN_ACTOR_FUNCTION = f"""
CREATE OR REPLACE FUNCTION o2c_known_actor() RETURNS void LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  actor text := coalesce(current_setting('o2c.actor_id', true), '');
  behalf text := coalesce(current_setting('o2c.on_behalf_of_id', true), '');
  signed text[] := string_to_array(coalesce(current_setting('o2c.signed', true), ''), '|');
  said text := ''; part text; k o2c_private.actor_key%ROWTYPE;
BEGIN
  IF actor = '' AND behalf = '' THEN RETURN; END IF;  -- o2c_actor refuses
  FOREACH part IN ARRAY ARRAY[actor, coalesce(current_setting('o2c.actor', true), ''), behalf,
      coalesce(current_setting('o2c.reason', true), ''),
      coalesce(current_setting('o2c.request_id', true), ''), coalesce(signed[2], '')] LOOP
    said := said || octet_length(part) || ':' || part;
  END LOOP;
  SELECT * INTO k FROM o2c_private.actor_key WHERE id = signed[1] AND id IN (
    SELECT n.id FROM o2c_private.actor_key n ORDER BY n.used_since DESC LIMIT {VALID});
  IF NOT FOUND
     OR encode(sha256(k.outer_pad || sha256(k.inner_pad || convert_to(said, 'UTF8'))), 'hex')
        IS DISTINCT FROM signed[3]
     OR to_timestamp(signed[2]::double precision) NOT BETWEEN
        transaction_timestamp() - interval '{FRESH_SECONDS} seconds'
        AND clock_timestamp() + interval '{FRESH_SECONDS} seconds' THEN
    RAISE EXCEPTION 'Nothing that the product signed says that % acts', actor
      USING ERRCODE = 'OC002', HINT = 'After a change of SECRET_KEY, run manage.py migrate';
  END IF;
  IF actor NOT IN ('', '0') AND NOT EXISTS (SELECT 1 FROM access_user WHERE id = actor::bigint) THEN
    RAISE EXCEPTION 'Actor % is nobody here: say who acts before changing a controlled table', actor
      USING ERRCODE = 'OC002';
  END IF;
  IF behalf <> '' AND NOT EXISTS (SELECT 1 FROM access_user WHERE id = behalf::bigint) THEN
    RAISE EXCEPTION 'The actor acts on behalf of %, who is nobody here', behalf USING ERRCODE = 'OC002';
  END IF;
END $$
"""

# The defaults of `AppendOnly`: a fact with other values was dated back, or recorded in another name.
STAMPED = (
    "NEW.recorded_at IS DISTINCT FROM statement_timestamp()"
    " OR NEW.actor_id IS DISTINCT FROM nullif(current_setting('o2c.actor_id', true), '')::bigint"
)

FACT_ACTOR_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_fact_actor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM o2c_known_actor();
  RETURN NULL;
END $$
"""


@dataclass(frozen=True)
class Trigger:
    """A trigger of `table`: its name, and the statements that make it and what it needs."""

    table: str
    name: str
    statements: tuple[str, ...]


def q(name: str) -> str:
    return connection.ops.quote_name(name)


def lit(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _values(values: tuple[str, ...]) -> str:
    return ", ".join(lit(value) for value in values)


def always(table: str, name: str) -> str:
    """The statement that makes a trigger fire in replica mode too."""
    return f"ALTER TABLE {q(table)} ENABLE ALWAYS TRIGGER {q(name)}"


def _trigger(table: str, name: str, timing: str, body: str, before: str = "") -> Trigger:
    make = f"CREATE OR REPLACE TRIGGER {q(name)} {timing} ON {q(table)} {body}"
    return Trigger(table, name, (*((before,) if before else ()), make, always(table, name)))


def _refusing(table: str, suffix: str, timing: str, message: str, when: str = "") -> Trigger:
    level = f"FOR EACH ROW WHEN ({when})" if when else "FOR EACH STATEMENT"
    body = f"{level} EXECUTE FUNCTION o2c_refuse({lit(message)})"
    return _trigger(table, f"{PREFIX}{suffix}", timing, body)


def _differs(columns: list[str]) -> str:
    old = ", ".join(f"OLD.{q(column)}" for column in columns)
    new = ", ".join(f"NEW.{q(column)}" for column in columns)
    return f"ROW({old}) IS DISTINCT FROM ROW({new})"


def only_on(table: str) -> str:
    """A function that writes with its owner's rights refuses to be the trigger of another table, where the
    rows would be whatever somebody likes.
    """
    return (
        f"IF TG_RELID <> {lit('public.' + q(table))}::regclass THEN"
        f" RAISE EXCEPTION '%', {lit(f'This is a guard of {table}, and of no other table')}"
        " USING ERRCODE = 'OC001', TABLE = TG_TABLE_NAME; END IF;"
    )


def history_function(d: Declaration) -> str:
    """The function that copies the rows of one statement into the history table, with a leaf for each.

    It runs as its owner: the runtime role may not insert into a history table itself.
    """
    layout = layout_of(d)
    assert layout is not None
    leaves = layout.insert_leaves("written", "w", "this_xid")
    columns = ", ".join(q(c) for c in d.history_columns)

    def copy(kind: str, alias: str, source: str) -> str:
        chosen = ", ".join(f"{alias}.{q(c)}" for c in d.history_columns)
        return (
            f"WITH written AS (INSERT INTO {q(d.history_table)} ({columns}, history_date,"
            " history_type, history_user_id,"
            " history_actor, history_on_behalf_of_id, history_change_reason, history_request_id,"
            f" history_txid) SELECT {chosen}, clock_timestamp(), '{kind}', o2c_actor(),"
            " coalesce(current_setting('o2c.actor', true), ''),"
            " nullif(current_setting('o2c.on_behalf_of_id', true), '')::bigint,"
            " coalesce(current_setting('o2c.reason', true), ''),"
            " coalesce(current_setting('o2c.request_id', true), ''),"
            f" this_xid FROM {source} RETURNING *) {leaves};"
        )

    old = ", ".join(f"o.{q(c)}" for c in d.history_columns)
    new = ", ".join(f"n.{q(c)}" for c in d.history_columns)
    pk = q(d.pk)
    changed = f"new_rows n JOIN old_rows o ON o.{pk} = n.{pk} WHERE ROW({new}) IS DISTINCT FROM ROW({old})"
    return f"""
CREATE OR REPLACE FUNCTION {q(PREFIX + "history_" + d.table)}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp {TEXT_FORM} AS $$
DECLARE this_xid bigint := {XID};
BEGIN
  {only_on(d.table)}
  PERFORM o2c_known_actor();
  IF TG_OP = 'INSERT' THEN {copy("+", "n", "new_rows n")}
  ELSIF TG_OP = 'UPDATE' THEN {copy("~", "n", changed)}
  ELSE {copy("-", "o", "old_rows o")}
  END IF;
  RETURN NULL;
END $$
"""


def _history(d: Declaration) -> Iterator[Trigger]:
    run = f"FOR EACH STATEMENT EXECUTE FUNCTION {q(PREFIX + 'history_' + d.table)}()"
    tables = {
        "insert": "REFERENCING NEW TABLE AS new_rows",
        "update": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
        "delete": "REFERENCING OLD TABLE AS old_rows",
    }
    for op, referencing in tables.items():
        yield _trigger(
            d.table,
            f"{PREFIX}history_{op}",
            f"AFTER {op.upper()}",
            f"{referencing} {run}",
            before=history_function(d) if op == "insert" else "",
        )


def _sealing(d: Declaration, layout: Layout) -> Trigger:
    """Facts get their leaves in the statement that writes them."""
    function = q(f"{PREFIX}seal_{d.table}")
    body = f"""
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp {TEXT_FORM} AS $$
DECLARE this_xid bigint := {XID};
BEGIN
  {only_on(d.table)}
  {layout.insert_leaves("new_rows", "n", "this_xid")};
  RETURN NULL;
END $$
"""
    run = f"REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
    return _trigger(d.table, f"{PREFIX}seal_insert", "AFTER INSERT", run, before=body)


def _child_guard(d: Declaration) -> Iterator[Trigger]:
    assert d.child is not None
    child = d.child
    function = q(f"{PREFIX}child_{d.table}")
    states = " or ".join(child.values)
    message = f"A row of {d.table} is written only while its {child.parent_table} is {states}"

    def check(rows: str) -> str:
        return (
            f"IF EXISTS (SELECT 1 FROM {rows} r JOIN {q(child.parent_table)} p"
            f" ON p.{q(child.parent_pk)} = r.{q(child.column)}"
            f" WHERE p.{q(child.parent_column)} NOT IN ({_values(child.values)})) THEN"
            f" RAISE EXCEPTION {lit(message)} USING ERRCODE = 'OC001', TABLE = TG_TABLE_NAME; END IF;"
        )

    body = f"""
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'DELETE' THEN {check("new_rows")} END IF;
  IF TG_OP <> 'INSERT' THEN {check("old_rows")} END IF;
  RETURN NULL;
END $$
"""
    tables = {
        "insert": "REFERENCING NEW TABLE AS new_rows",
        "update": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
        "delete": "REFERENCING OLD TABLE AS old_rows",
    }
    for op, referencing in tables.items():
        yield _trigger(
            d.table,
            f"{PREFIX}child_{op}",
            f"AFTER {op.upper()}",
            f"{referencing} FOR EACH STATEMENT EXECUTE FUNCTION {function}()",
            before=body if op == "insert" else "",
        )


def _signature_guard(d: Declaration) -> Iterator[Trigger]:
    """Who a row says did it is who did it, or on whose behalf; the installer may name anybody."""
    function = q(f"{PREFIX}signed_{d.table}")
    pk, message = q(d.pk), f"Who signs a row of {d.table} is who acts; nobody signs for somebody else"
    fresh = " OR ".join(f"n.{q(c)} <> ALL(me)" for c in d.signatures)
    moved = " OR ".join(f"n.{q(c)} IS DISTINCT FROM o.{q(c)} AND n.{q(c)} <> ALL(me)" for c in d.signatures)
    body = f"""
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE me bigint[] := array_remove(ARRAY[nullif(current_setting('o2c.actor_id', true), '')::bigint,
    nullif(current_setting('o2c.on_behalf_of_id', true), '')::bigint], NULL);
  forged boolean;
BEGIN
  IF 0 = ANY(me) THEN RETURN NULL; END IF;
  IF TG_OP = 'INSERT' THEN forged := EXISTS (SELECT 1 FROM new_rows n WHERE {fresh});
  ELSE forged := EXISTS (SELECT 1 FROM new_rows n JOIN old_rows o ON o.{pk} = n.{pk} WHERE {moved});
  END IF;
  IF forged THEN
    RAISE EXCEPTION {lit(message)} USING ERRCODE = 'OC001', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NULL;
END $$
"""
    for op, referencing in (("insert", "NEW TABLE AS new_rows"),
                            ("update", "OLD TABLE AS old_rows NEW TABLE AS new_rows")):  # fmt: skip
        run = f"REFERENCING {referencing} FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        yield _trigger(
            d.table, f"{PREFIX}signed_{op}", f"AFTER {op.upper()}", run, before=body if op == "insert" else ""
        )


def _state_guard(d: Declaration) -> Iterator[Trigger]:
    state = q(d.state_column)
    yield _refusing(
        d.table,
        "state_insert",
        "BEFORE INSERT",
        "A row of %s starts in one of its initial states",
        f"NEW.{state} NOT IN ({_values(d.initial_states)})",
    )
    pairs = ", ".join(f"({lit(a)}, {lit(b)})" for a, b in d.state_changes)
    allowed = f"(OLD.{state}, NEW.{state}) IN ({pairs})" if pairs else "false"
    yield _refusing(
        d.table,
        "state_update",
        "BEFORE UPDATE",
        "The state of %s changes only by a declared transition",
        f"OLD.{state} IS DISTINCT FROM NEW.{state} AND NOT ({allowed})",
    )


def triggers(d: Declaration) -> Iterator[Trigger]:
    """Every trigger that the declaration asks for."""
    yield _trigger(
        d.table,
        f"{d.table}_no_truncate",
        "BEFORE TRUNCATE",
        f"FOR EACH STATEMENT EXECUTE FUNCTION o2c_refuse({lit('%s is never truncated')})",
    )
    if d.append_only:
        yield _refusing(
            d.table,
            "append_only",
            "BEFORE UPDATE OR DELETE",
            "%s is append-only: correct it with a new row that points at the old one",
        )
        layout = layout_of(d)
        if layout is not None:
            yield _sealing(d, layout)
        if "actor_id" in d.columns:
            run = "FOR EACH STATEMENT EXECUTE FUNCTION o2c_fact_actor()"
            yield _trigger(d.table, f"{PREFIX}known_actor", "BEFORE INSERT", run)
        if layout is not None and {"actor_id", "recorded_at"} <= set(d.columns):
            yield _refusing(
                d.table, "stamped", "BEFORE INSERT",
                "When a row of %s was recorded, and by whom, is not for its writer to say", STAMPED,
            )  # fmt: skip
        return
    if d.no_delete:
        yield _refusing(d.table, "no_delete", "BEFORE DELETE", "Rows of %s are never deleted")
    yield _refusing(d.table, "pk", "BEFORE UPDATE", "The key of a row of %s never changes", _differs([d.pk]))
    if d.immutable:
        yield _refusing(
            d.table,
            "immutable",
            "BEFORE UPDATE",
            f"These columns of %s keep their first value: {', '.join(d.immutable)}",
            _differs(list(d.immutable)),
        )
    if d.frozen:
        state = f"OLD.{q(d.frozen.column)} IN ({_values(d.frozen.values)})"
        free = d.frozen.except_
        held = [column for column in d.columns if column not in free]
        message = f"A row of %s that is {' or '.join(d.frozen.values)} is immutable"
        yield _refusing(d.table, "frozen_update", "BEFORE UPDATE", message, f"{state} AND {_differs(held)}")
        yield _refusing(d.table, "frozen_delete", "BEFORE DELETE", message, state)
    if d.state_column:
        yield from _state_guard(d)
    if d.child:
        yield from _child_guard(d)
    if d.signatures:
        yield from _signature_guard(d)
    if d.history_table:
        yield from _history(d)
