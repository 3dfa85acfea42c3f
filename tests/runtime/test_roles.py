"""What each database role can and cannot do. The guards of the product rest on this."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import psycopg
import pytest
from django.db import connection
from environ import Env
from psycopg.errors import InsufficientPrivilege

from o2c.runtime import embedded, roles

TABLE = "runtime_heartbeat"
OUR_TABLES = "c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"


def _connect(role: str) -> psycopg.Connection[Any]:
    """A connection with the credentials of a role itself, not by stepping down from another."""
    if not embedded.used():
        variable = {"app": "DATABASE_URL", "auditor": "DATABASE_AUDITOR_URL"}[role]
        parsed = Env().db_url(variable)
        return psycopg.connect(
            host=parsed["HOST"], port=parsed["PORT"] or 5432, user=parsed["USER"],
            password=parsed["PASSWORD"], dbname=connection.settings_dict["NAME"],
        )  # fmt: skip
    return psycopg.connect(embedded.dsn(role, str(connection.settings_dict["NAME"])))


@pytest.fixture
def app(db: None) -> Iterator[psycopg.Connection[Any]]:
    with _connect("app") as opened:
        yield opened
        opened.rollback()


@pytest.fixture
def auditor(db: None) -> Iterator[psycopg.Connection[Any]]:
    with _connect("auditor") as opened:
        yield opened
        opened.rollback()


def test_tests_run_with_the_rights_of_the_app(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("o2c_app",)


@pytest.mark.parametrize(
    "statement",
    [
        f"ALTER TABLE {TABLE} DISABLE TRIGGER ALL",
        f"ALTER TABLE {TABLE} ADD COLUMN more int",
        f"DROP TABLE {TABLE}",
        f"TRUNCATE {TABLE}",
        f"CREATE TRIGGER t BEFORE INSERT ON {TABLE} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE TABLE mine (n int)",
        "CREATE SCHEMA mine",
        "CREATE DATABASE mine",
        "CREATE ROLE mine",
        "SET session_replication_role = replica",
        "SET ROLE o2c_owner",
        "GRANT o2c_owner TO o2c_app",
    ],
)
def test_the_app_cannot(app: psycopg.Connection[Any], statement: str) -> None:
    app.autocommit = True
    with pytest.raises(InsufficientPrivilege):
        app.execute(statement.encode())


def test_the_app_owns_nothing(app: psycopg.Connection[Any]) -> None:
    owned = app.execute("SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) = 'o2c_app'").fetchall()
    functions = app.execute(
        "SELECT proname FROM pg_proc WHERE pg_get_userbyid(proowner) = 'o2c_app'"
    ).fetchall()

    assert (owned, functions) == ([], [])


def test_the_app_reads_and_writes_every_table(app: psycopg.Connection[Any]) -> None:
    lacking = app.execute(
        f"SELECT c.relname FROM pg_class c WHERE {OUR_TABLES}"
        " AND NOT has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE')"
    ).fetchall()

    assert lacking == []


def test_a_table_made_later_is_granted_as_it_is_made(
    db: None, as_owner: Callable[[], AbstractContextManager[None]]
) -> None:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE made_later (id bigserial PRIMARY KEY)")

    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO made_later DEFAULT VALUES RETURNING id")
        assert cursor.fetchone() == (1,)
        cursor.execute("SELECT has_table_privilege('o2c_auditor', 'made_later', 'SELECT')")
        assert cursor.fetchone() == (True,)


def test_the_auditor_reads_everything_but_credentials(auditor: psycopg.Connection[Any]) -> None:
    hidden = auditor.execute(
        f"SELECT c.relname FROM pg_class c WHERE {OUR_TABLES}"
        " AND NOT has_any_column_privilege(c.oid, 'SELECT') ORDER BY 1"
    ).fetchall()
    columns = auditor.execute(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        f" WHERE {OUR_TABLES} AND a.attnum > 0 AND NOT a.attisdropped"
        " AND has_any_column_privilege(c.oid, 'SELECT')"
        " AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT') ORDER BY 1, 2"
    ).fetchall()

    assert hidden == [("django_session",)]
    assert columns == sorted(
        (table, column) for table, hides in roles.HIDDEN_COLUMNS.items() for column in hides
    )


@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT INTO {TABLE} VALUES ('x', now(), '{{}}')",
        f"UPDATE {TABLE} SET at = now()",
        f"DELETE FROM {TABLE}",
        f"TRUNCATE {TABLE}",
        "CREATE TEMPORARY TABLE mine (n int)",
        "SET ROLE o2c_app",
        "SELECT session_data FROM django_session",
        "SELECT password FROM access_user",
    ],
)
def test_the_auditor_cannot(auditor: psycopg.Connection[Any], statement: str) -> None:
    with pytest.raises(InsufficientPrivilege):
        auditor.execute(statement.encode())


def test_creating_the_roles_again_changes_nothing(db: None) -> None:
    if not embedded.used():
        pytest.skip("needs the superuser of the server, which only the embedded one has")
    question = (
        "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole, rolcanlogin, rolbypassrls FROM pg_roles"
        " WHERE rolname LIKE 'o2c\\_%' ORDER BY 1"
    )
    with psycopg.connect(embedded.dsn("superuser", "postgres")) as superuser:
        before = superuser.execute(question).fetchall()
        assert before == [
            ("o2c_app", False, False, False, True, False),
            ("o2c_auditor", False, False, False, True, False),
            ("o2c_owner", False, True, False, True, False),
            ("o2c_superuser", True, True, True, True, True),
        ]
