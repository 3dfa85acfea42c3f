"""The three database roles, and what each may do.

o2c_owner    owns every table; runs migrations; may create databases (tests); is never used at runtime
o2c_app      the product at runtime: reads and writes rows, owns nothing, so it can neither disable a
             trigger nor change a constraint, nor TRUNCATE
o2c_auditor  reads

`create` needs a superuser (or a role with CREATEROLE) and runs once per server; `grant` needs the owner
and runs before every migration, so that tables made later are granted as they are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

OWNER = "o2c_owner"
APP = "o2c_app"
AUDITOR = "o2c_auditor"

ATTRIBUTES = {
    OWNER: "LOGIN NOSUPERUSER CREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS",
    APP: "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS",
    AUDITOR: "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS",
}

# Credentials and sessions are no business of an auditor's: with them one could become somebody else.
HIDDEN_TABLES = ("django_session",)
HIDDEN_COLUMNS = {"access_user": ("password",)}

GRANTS = f"""
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO {APP}, {AUDITOR};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {APP};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} GRANT SELECT ON TABLES TO {AUDITOR};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} GRANT USAGE, SELECT ON SEQUENCES TO {APP};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} GRANT EXECUTE ON FUNCTIONS TO {APP};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {APP};
GRANT SELECT ON ALL TABLES IN SCHEMA public TO {AUDITOR};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {APP};
"""


def create(superuser_dsn: str, *, database: str, passwords: Mapping[str, str]) -> None:
    """Create or correct the roles and the database that the owner owns. Running it again changes nothing."""
    with psycopg.connect(superuser_dsn, autocommit=True) as connection:
        known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
        for role, attributes in ATTRIBUTES.items():
            verb = "ALTER" if role in known else "CREATE"
            connection.execute(
                sql.SQL("{} ROLE {} WITH {} PASSWORD {}").format(
                    sql.SQL(verb), sql.Identifier(role), sql.SQL(attributes), sql.Literal(passwords[role])
                )
            )
        # The owner may step down to the app's rights: tests run that way.
        connection.execute(f"GRANT {APP}, {AUDITOR} TO {OWNER}")
        _create_database(connection, database)


def _create_database(connection: psycopg.Connection[Any], database: str) -> None:
    name = sql.Identifier(database)
    exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
    if not exists:
        superuser = connection.info.user
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(OWNER), sql.Identifier(superuser)))
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(OWNER)))


def is_owner(cursor: Any) -> bool:
    cursor.execute("SELECT current_user")
    return bool(cursor.fetchone()[0] == OWNER)


def grant(cursor: Any) -> None:
    """Grant what exists and what will be made, in this database. Only the owner can; others do nothing."""
    if not is_owner(cursor):
        return
    cursor.execute("SELECT quote_ident(current_database())")
    database = cursor.fetchone()[0]
    cursor.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
    cursor.execute(f"GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {APP}")
    cursor.execute(f"GRANT CONNECT ON DATABASE {database} TO {AUDITOR}")
    cursor.execute(GRANTS)


def hide(cursor: Any) -> None:
    """Take from the auditor what could make somebody else of them. After the tables have been made."""
    if not is_owner(cursor):
        return
    for table in (*HIDDEN_TABLES, *HIDDEN_COLUMNS):
        cursor.execute(
            "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute WHERE attrelid = to_regclass(%s)"
            " AND attnum > 0 AND NOT attisdropped AND attname <> ALL(%s)",
            [table, list(HIDDEN_COLUMNS.get(table, ()))],
        )
        columns = cursor.fetchone()[0]
        if columns is None:
            continue
        cursor.execute(f"REVOKE ALL ON {table} FROM {AUDITOR}")
        if table in HIDDEN_COLUMNS:
            cursor.execute(f"GRANT SELECT ({columns}) ON {table} TO {AUDITOR}")
