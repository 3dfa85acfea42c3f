"""Keeps the database's triggers equal to what the models declare, after every migrate.

An app whose guards are more than a declaration lists them in its `guards.py` as TRIGGERS.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.apps import AppConfig, apps
from django.db import connection

from o2c import signing
from o2c.audit.declarations import Declaration, declarations
from o2c.audit.layouts import register
from o2c.audit.triggers import (
    ACTOR_FUNCTION,
    FACT_ACTOR_FUNCTION,
    KNOWN_ACTOR_FUNCTION,
    PREFIX,
    REFUSE_FUNCTION,
    Trigger,
    lit,
    q,
    triggers,
)
from o2c.runtime.roles import APP

EXISTING = """
SELECT c.relname, t.tgname, t.tgenabled
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace
  AND (t.tgname LIKE %s OR t.tgname = c.relname || '_no_truncate')
"""

# A table is looked up in pg_temp first, unless the path says otherwise: with a temporary table of that name
# whoever may connect would choose what a guard reads. These two read no table.
TABLELESS = ("o2c_epoch", "o2c_actor")
PIN = f"""
DO $$ DECLARE f regprocedure; BEGIN
  FOR f IN SELECT p.oid FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
    WHERE p.pronamespace = 'public'::regnamespace AND l.lanname IN ('plpgsql', 'sql')
      AND p.proname NOT IN ({", ".join(map(lit, TABLELESS))})
      AND NOT EXISTS (SELECT 1 FROM unnest(p.proconfig) AS c WHERE c LIKE 'search_path=%')
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                      AND d.deptype = 'e')
  LOOP EXECUTE format('ALTER FUNCTION %s SET search_path = public, pg_temp', f); END LOOP;
END $$
"""

# Whether somebody may make a trigger of a function is asked when the trigger is made, not when it fires: the
# product makes none, and on a table of its own it would choose the rows.
WITHHELD = f"""
DO $$ DECLARE f regprocedure; BEGIN
  FOR f IN SELECT p.oid FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace AND p.prorettype = 'trigger'::regtype
      AND has_function_privilege('public', p.oid, 'EXECUTE')
  LOOP EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f); END LOOP;
  FOR f IN SELECT p.oid FROM pg_proc p CROSS JOIN pg_roles r
    WHERE p.pronamespace = 'public'::regnamespace AND p.prorettype = 'trigger'::regtype
      AND r.rolname = {lit(APP)} AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
  LOOP EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM {APP}', f); END LOOP;
END $$
"""

# Written by the owner's functions only; they have no model.
SEAL_TABLES = {"audit_layout", "audit_leaf"}


def existing_triggers() -> dict[tuple[str, str], str]:
    """(table, trigger) -> 'A' when it is enabled always, of the triggers that this module owns."""
    with connection.cursor() as cursor:
        cursor.execute(EXISTING, [f"{PREFIX}%"])
        return {(table, name): enabled for table, name, enabled in cursor.fetchall()}


# What further parts of the kernel want on the tables of an app; each is asked once per app.
EXTENSIONS: list[Callable[[AppConfig], list[Trigger]]] = []


def guards(config: AppConfig) -> list[Trigger]:
    """Those of its guards.py: on its own tables, or on those of an app below it."""
    if not find_spec(f"{config.name}.guards"):
        return []
    found: list[Trigger] = import_module(f"{config.name}.guards").TRIGGERS
    return found


def declared_triggers(config: AppConfig) -> list[Trigger]:
    """All triggers of one app: those its models declare, then those of its guards.py."""
    declared = [trigger for d in declarations(config.label) for trigger in triggers(d)]
    return declared + guards(config) + [trigger for extend in EXTENSIONS for trigger in extend(config)]


def expected_triggers() -> set[tuple[str, str]]:
    return {(t.table, t.name) for config in apps.get_app_configs() for t in declared_triggers(config)}


def withheld_rights(declared: list[Declaration]) -> list[str]:
    """What the runtime role may not do: write history itself, change a fact, write what ships."""
    role = APP
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        if cursor.fetchone() is None:
            return []
    statements = [f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {name} FROM {q(role)}" for name in SEAL_TABLES]
    for d in declared:
        rights = "INSERT, UPDATE, DELETE" if d.is_history else "UPDATE, DELETE"
        if d.owned:
            rights = "INSERT, UPDATE, DELETE"
        if d.append_only or d.owned:
            statements.append(f"REVOKE {rights}, TRUNCATE ON {q(d.table)} FROM {q(role)}")
    return statements


def install(config: AppConfig) -> None:
    """Create or replace the triggers that the app declares, and drop those of its tables that no app does."""
    declared = list(declarations(config.label))
    wanted = declared_triggers(config)
    names = {(t.table, t.name) for t in wanted}
    tables = {d.table for d in declared}
    stale = {key for key in existing_triggers() if key[0] in tables} - names
    stale -= {(t.table, t.name) for other in apps.get_app_configs() for t in guards(other)}
    statements = [REFUSE_FUNCTION, ACTOR_FUNCTION, KNOWN_ACTOR_FUNCTION, FACT_ACTOR_FUNCTION]
    statements += [f"DROP TRIGGER {q(name)} ON {q(table)}" for table, name in sorted(stale)]
    statements += [statement for trigger in wanted for statement in trigger.statements]
    statements += withheld_rights(declared)
    with connection.cursor() as cursor:
        signing.install(cursor)
        cursor.execute(";\n".join([*statements, PIN, WITHHELD]))
    register(config)


def install_for_app(sender: AppConfig, **kwargs: Any) -> None:
    """post_migrate: by the role that owns the tables."""
    tables = {d.table for d in declarations(sender.label)} | {t.table for t in guards(sender)}
    if tables and tables | SEAL_TABLES <= set(connection.introspection.table_names()):
        install(sender)
