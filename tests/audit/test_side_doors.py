"""What somebody who knows PostgreSQL tries: no guard is touched, and still it is refused or named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection

from o2c.audit.verifier.chain import read_layouts
from o2c.audit.verifier.guards import GUARDS
from o2c.audit.verifier.main import open_database
from o2c.audit.verifier.report import Report
from tests.audit.conftest import guards_off, superuser_dsn
from tests.audit.test_attacks import rehash_leaf

pytestmark = pytest.mark.django_db

Raw = psycopg.Connection[Any]
Names = Callable[..., dict[str, str]]

FACTS = "console_exportevent"


@pytest.mark.parametrize("function", ["o2c_seal_approvals_decision", "o2c_history_ledger_exchangerate"])
def test_the_product_makes_no_trigger_of_what_writes_history(function: str) -> None:
    """On a table of its own it would choose the rows that are sealed."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE mine (LIKE approvals_decision)")
        with pytest.raises(DatabaseError, match=f"permission denied for function {function}"):
            cursor.execute(
                "CREATE TRIGGER forge AFTER INSERT ON mine REFERENCING NEW TABLE AS new_rows"
                f" FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
            )


def test_no_function_of_a_trigger_is_for_anybody_to_use() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.proname FROM pg_proc p WHERE p.prorettype = 'trigger'::regtype"
            " AND p.pronamespace = 'public'::regnamespace"
            " AND (has_function_privilege('o2c_app', p.oid, 'EXECUTE')"
            "      OR has_function_privilege('o2c_auditor', p.oid, 'EXECUTE'))"
        )
        assert cursor.fetchall() == []


@pytest.mark.parametrize(
    ("function", "table"),
    [("o2c_seal_console_exportevent", FACTS), ("o2c_history_ledger_exchangerate", "ledger_exchangerate")],
)
def test_what_writes_history_refuses_another_table(intruder: Raw, function: str, table: str) -> None:
    """Also for the owner: what the guard of one table seals is what was written there."""
    intruder.execute(f"CREATE TABLE mine (LIKE {table})")
    intruder.execute(
        "CREATE TRIGGER forge AFTER INSERT ON mine REFERENCING NEW TABLE AS new_rows"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
    )
    with pytest.raises(psycopg.Error, match=f"a guard of {table}, and of no"):
        intruder.execute(f"INSERT INTO mine SELECT * FROM {table}")


def aside(raw: Raw) -> int:
    """A fact that was never recorded, in a table that is read as part of the real one, with a leaf of its own
    in the transaction of now. No trigger is asked.
    """
    raw.execute("CREATE SCHEMA aside")
    raw.execute(f"CREATE TABLE aside.more () INHERITS ({FACTS})")
    said = "actor_id, user_id, model, title, filters, rows, file_name, sha256"
    raw.execute(
        f"INSERT INTO aside.more (id, recorded_at, {said})"
        f" SELECT 900001, '2026-08-01', {said} FROM ONLY {FACTS} LIMIT 1"
    )
    [layout] = [one for one in read_layouts(raw, Report()) if one.table == FACTS]
    raw.execute(
        "INSERT INTO audit_leaf (epoch, xid, layout, row_id, hash)"
        " VALUES (o2c_epoch(), pg_current_xact_id()::text::bigint, %s, 900001, '')",
        [layout.id],
    )
    with guards_off(raw, "audit_leaf"):
        rehash_leaf(raw, FACTS, 900001)
    return 900001


def test_a_fact_in_a_table_beside_is_named_and_so_is_its_date(intruder: Raw, names: Names) -> None:
    key = aside(intruder)

    found = names()

    assert f"{FACTS} id={key} says a moment at which its transaction" in found["back-dated"]
    assert found["guard-differs"] == f"table {FACTS} is not what was installed"


@pytest.mark.parametrize(
    ("attack", "named"),
    [
        (
            "ALTER TABLE billing_refund ENABLE ROW LEVEL SECURITY;"
            " CREATE POLICY shown ON billing_refund TO o2c_auditor USING (false)",
            "table billing_refund is not what was installed",
        ),
        (
            "CREATE RULE away AS ON INSERT TO approvals_decision DO INSTEAD NOTHING",
            "table approvals_decision is not what was installed",
        ),
        ("GRANT INSERT ON audit_leaf TO o2c_app", "table audit_leaf is not what was installed"),
        (
            "GRANT EXECUTE ON FUNCTION o2c_seal_console_exportevent() TO o2c_app",
            "function o2c_seal_console_exportevent() is not what was installed",
        ),
        ("DROP INDEX approvals_policy_one_in_force", "index approvals_policy_one_in_force is gone"),
        ("CREATE VIEW refunds AS SELECT 1 AS id", "table refunds was not installed by the product"),
        ("ALTER ROLE o2c_app BYPASSRLS", "role o2c_app is not what was installed"),
        (
            "ALTER ROLE o2c_auditor SET search_path = shadow, public",
            "setting of o2c_auditor was not installed by the product",
        ),
        (
            "CREATE FUNCTION o2c_private.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "function o2c_private.f() was not installed by the product",
        ),
    ],
)
def test_what_decides_who_sees_and_writes_what_is_a_guard(
    intruder: Raw, names: Names, attack: str, named: str
) -> None:
    intruder.execute("SET CONSTRAINTS ALL IMMEDIATE")
    intruder.execute(attack)
    assert names()["guard-differs"] == named


def test_the_verifier_says_itself_where_it_looks() -> None:
    """Otherwise the owner could send the auditor's role to tables of another schema."""
    with open_database(superuser_dsn()) as opened:
        assert opened.execute("SHOW search_path").fetchone() == ("pg_catalog, public, pg_temp",)


def test_a_key_to_sign_with_leaves_a_trace(intruder: Raw, names: Names) -> None:
    """With a key of their own the owner can say who acts; it is named, and it does not go away again."""
    intruder.execute("SET CONSTRAINTS ALL IMMEDIATE")
    intruder.execute("INSERT INTO o2c_private.actor_key (id, inner_pad, outer_pad) VALUES ('mine', '', '')")
    assert names()["guard-differs"] == "signing key mine was not installed by the product"
    with pytest.raises(psycopg.Error, match="A key that signed who acted stays"), intruder.transaction():
        intruder.execute("DELETE FROM o2c_private.actor_key WHERE id = 'mine'")

    intruder.execute("ALTER TABLE o2c_private.actor_key DISABLE TRIGGER o2c_keep_key")
    intruder.execute("DELETE FROM o2c_private.actor_key WHERE id = 'mine'")
    intruder.execute("ALTER TABLE o2c_private.actor_key ENABLE ALWAYS TRIGGER o2c_keep_key")
    assert "trigger actor_key.o2c_keep_key was replaced" in names(touched=True)["guard-touched"]


@pytest.mark.parametrize("role", ["o2c_auditor", "o2c_app"])
def test_who_verifies_sees_which_keys_there_are_and_none_of_them(intruder: Raw, role: str) -> None:
    """Every guard can be read with the rights that the verifier runs with."""
    intruder.execute(f"SET ROLE {role}")
    found = intruder.execute(GUARDS).fetchall()
    assert any(name.startswith("signing key ") for name, _, _ in found)
    for column in ("inner_pad", "outer_pad"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), intruder.transaction():
            intruder.execute(f"SELECT {column} FROM o2c_private.actor_key")
