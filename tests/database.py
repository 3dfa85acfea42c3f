"""The test database: made by the owner, used as the app.

Everything a test does to rows it does with the rights that the product has at runtime. Only what the
product never does (creating the database, emptying tables between `transaction=True` tests, breaking in
as the owner) goes through `owner()`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from babel.core import get_global
from django.db import connection
from django.test import TransactionTestCase
from psycopg.pq import TransactionStatus

from o2c.actor import Actor, acting
from o2c.runtime import roles

SEED_SCHEMA = "o2c_test_seed"


def step_down() -> None:
    """From here on, every connection of this process has the app's rights."""
    connection.settings_dict["OPTIONS"]["assume_role"] = roles.APP
    connection.close()


def step_up() -> None:
    """The owner again, alone: threads of live servers leave connections that would keep the database."""
    connection.settings_dict["OPTIONS"].pop("assume_role", None)
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = session_user AND pid <> pg_backend_pid()"
        )


@contextmanager
def owner() -> Iterator[None]:
    """Run SQL with the owner's rights, then step down again (unless the transaction is lost anyway)."""
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")
    try:
        yield
    finally:
        raw: Any = connection.connection
        if raw is not None and raw.info.transaction_status != TransactionStatus.INERROR:
            raw.execute(f"SET ROLE {roles.APP}")


def immediately() -> None:
    """What the database leaves to the commit is checked now, as if the transaction ended here."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def prepare() -> None:
    """Make the new test database fast and able to be emptied. Runs as the owner.

    Refuses any other: without a test that is marked for the database, none was made, and this connection is
    to the product's own.
    """
    if not connection.settings_dict["NAME"].startswith(connection.settings_dict["TEST"]["NAME"]):
        raise RuntimeError("None of these tests is marked django_db, so there is no test database for them")
    with connection.cursor() as cursor:
        name = connection.ops.quote_name(str(connection.settings_dict["NAME"]))
        cursor.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        cursor.execute(
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE tgname LIKE '%\\_no\\_truncate'"
        )
        for table, trigger in cursor.fetchall():
            cursor.execute(f'ALTER TABLE {table} DISABLE TRIGGER "{trigger}"')
        _credit_for_everybody(cursor)
        _keep_seed(cursor)


def _credit_for_everybody(cursor: Any) -> None:
    """A standard credit limit out of reach in every currency: only tests about credit give customers less."""
    with acting(Actor.installer(), reason="Standard of the tests"):
        cursor.execute(
            "INSERT INTO orders_creditlimit (currency, amount, held, reason, shipped)"
            " SELECT unnest(%s::text[]), 1e15, false, 'Standard of the tests', true",
            [sorted(get_global("all_currencies"))],
        )


def _tables(cursor: Any) -> list[str]:
    cursor.execute(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        " AND c.relname <> 'django_migrations' ORDER BY 1"
    )
    return [row[0] for row in cursor.fetchall()]


def _keep_seed(cursor: Any) -> None:
    """Remember the rows that migrations made: a flush puts them back, as a new installation has them."""
    cursor.execute(f"DROP SCHEMA IF EXISTS {SEED_SCHEMA} CASCADE")
    cursor.execute(f"CREATE SCHEMA {SEED_SCHEMA}")
    for table in _tables(cursor):
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {table})")
        if cursor.fetchone()[0]:
            cursor.execute(f"CREATE TABLE {SEED_SCHEMA}.{table} AS TABLE public.{table}")


def empty() -> None:
    """Back to the state after migrations: every table emptied, the seeded rows put back."""
    if connection.in_atomic_block:
        raise RuntimeError("The database cannot be emptied inside a transaction")
    from billing.services import metering  # models can be imported only once Django is set up

    metering.forget()
    connection.close()
    try:
        with owner(), connection.cursor() as cursor:
            _empty(cursor)
    except BaseException:
        connection.close()  # it is in a failed transaction, which every later test would be told
        raise


def _empty(cursor: Any) -> None:
    cursor.execute("BEGIN")
    cursor.execute(f"TRUNCATE {', '.join(_tables(cursor))} RESTART IDENTITY")
    cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [SEED_SCHEMA])
    tables = [row[0] for row in cursor.fetchall()]
    triggers = _triggers(cursor, tables)
    for table in tables:
        _put_back(cursor, table)
    # A table with pending checks may not be altered: settle them, then guard the tables again.
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for table, name, state in triggers:
        if state != "D":
            how = "ENABLE ALWAYS" if state == "A" else "ENABLE"
            cursor.execute(f'ALTER TABLE public."{table}" {how} TRIGGER "{name}"')
    cursor.execute("COMMIT")


def _triggers(cursor: Any, tables: list[str]) -> list[tuple[str, str, str]]:
    """Table, name and state of the guards of these tables, as they are before the rows are put back."""
    cursor.execute(
        "SELECT c.relname, t.tgname, t.tgenabled::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s)",
        [tables],
    )
    return list(cursor.fetchall())


def _put_back(cursor: Any, table: str) -> None:
    cursor.execute(f'ALTER TABLE public."{table}" DISABLE TRIGGER USER')
    cursor.execute(
        "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
        [f'public."{table}"'],
    )
    columns = cursor.fetchone()[0]
    cursor.execute(
        f'INSERT INTO public."{table}" ({columns}) OVERRIDING SYSTEM VALUE'
        f' SELECT {columns} FROM {SEED_SCHEMA}."{table}"'
    )
    cursor.execute(
        "SELECT pg_get_serial_sequence(%s, attname), attname FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
        " AND pg_get_serial_sequence(%s, attname) IS NOT NULL",
        [f'public."{table}"'] * 3,
    )
    for sequence, column in cursor.fetchall():
        cursor.execute(f'SELECT setval(%s, (SELECT max("{column}") FROM public."{table}"))', [sequence])


def install_flush() -> None:
    """Django's flush between `transaction=True` tests needs TRUNCATE, which the app does not have."""

    def teardown(self: TransactionTestCase) -> None:
        empty()

    TransactionTestCase._fixture_teardown = teardown  # type: ignore[attr-defined]


@contextmanager
def journals_of_anything() -> Iterator[None]:
    """Take journals without the event that causes them, for tests of the ledger alone."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = 'ledger_journal'::regclass"
            " AND (tgname LIKE 'o2c\\_from\\_%' OR tgname = 'o2c_journal_from')"
        )
        guards = [row[0] for row in cursor.fetchall()]
    _switch(guards, "DISABLE")
    yield
    if not connection.in_atomic_block:  # otherwise it is rolled back
        _switch(guards, "ENABLE ALWAYS")


def _switch(guards: list[str], how: str) -> None:
    with owner(), connection.cursor() as cursor:
        for name in guards:
            cursor.execute(f'ALTER TABLE ledger_journal {how} TRIGGER "{name}"')
