"""A guard that was replaced or switched off is found, also when it was put back; an upgrade is told."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection

from o2c.audit import fingerprints
from o2c.audit.models import Anchor, GuardRecord
from tests import database
from tests.audit.conftest import Vault, guards_off

pytestmark = pytest.mark.django_db

Raw = psycopg.Connection[Any]
Names = Callable[..., dict[str, str]]


def function(raw: Raw, name: str) -> str:
    found = raw.execute(
        "SELECT pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.proname = %s"
        " AND p.pronamespace = 'public'::regnamespace",
        [name],
    ).fetchone()
    assert found is not None
    return str(found[0])


def test_what_nobody_touched_is_as_it_was_installed(names: Names) -> None:
    assert names(touched=True) == {}


def test_a_guard_that_lets_everything_through_is_named(names: Names, intruder: Raw) -> None:
    intruder.execute(
        function(intruder, "o2c_may_decide").partition("AS $function$")[0]
        + "AS $function$ BEGIN RETURN NEW; END $function$"
    )
    assert names(touched=True) == {"guard-differs": "function o2c_may_decide() is not what was installed"}


def test_a_guard_that_was_put_back_is_named(names: Names, intruder: Raw) -> None:
    was = function(intruder, "o2c_may_decide")
    intruder.execute(was.replace("BEGIN", "BEGIN\n  RETURN NEW;", 1))
    intruder.execute(was)
    [(name, text)] = names(touched=True).items()
    assert name == "guard-touched"
    assert text.startswith("function o2c_may_decide() was replaced, or switched off and on")


def test_a_trigger_that_was_off_for_a_moment_is_named(names: Names, intruder: Raw) -> None:
    intruder.execute("ALTER TABLE approvals_decision DISABLE TRIGGER o2c_may_decide")
    assert "trigger approvals_decision.o2c_may_decide" in names(touched=True)["guard-differs"]
    intruder.execute("ALTER TABLE approvals_decision ENABLE ALWAYS TRIGGER o2c_may_decide")
    found = names(touched=True)
    assert found.keys() == {"guard-touched"}
    assert "trigger approvals_decision.o2c_may_decide" in found["guard-touched"]


def test_a_guard_that_is_gone_is_named(names: Names, intruder: Raw) -> None:
    intruder.execute("DROP TRIGGER o2c_may_decide ON approvals_decision")
    assert names(touched=True) == {"guard-differs": "trigger approvals_decision.o2c_may_decide is gone"}


def test_the_verifier_cannot_be_told_to_look_away(names: Names, intruder: Raw) -> None:
    """What of a layout the digest of its leaves does not cover: which live columns history must fold to."""
    with guards_off(intruder, "audit_layout"):
        intruder.execute(
            "UPDATE audit_layout SET live_columns = array_remove(live_columns, 'rate')"
            " WHERE live_table = 'ledger_exchangerate'"
        )
    assert names()["guard-differs"].startswith("layout ledger_historicalexchangerate")


def test_a_record_that_was_rewritten_is_named(names: Names, intruder: Raw) -> None:
    """Its leaf says so (it is the only row of its table), and the anchors were signed over another one."""
    with guards_off(intruder, "audit_guardrecord"):
        intruder.execute("UPDATE audit_guardrecord SET digest = repeat('0', 64)")
    assert names().keys() == {"table-recreated", "guards-rewritten"}


def test_without_a_record_nothing_is_proved(names: Names, intruder: Raw) -> None:
    with guards_off(intruder, "audit_guardrecord"):
        intruder.execute("DELETE FROM audit_guardrecord")
    assert "guards-unrecorded" in names()


def test_the_anchor_signs_the_fingerprint(vault: Vault) -> None:
    newest = GuardRecord.objects.latest("id")
    assert {anchor.body["guards"] for anchor in Anchor.objects.all()} == {newest.digest}
    assert newest.digest == fingerprints.digest(fingerprints.fold(GuardRecord.objects.order_by("id")))


def test_an_upgrade_is_recorded_with_what_it_changed() -> None:
    with database.owner():
        fingerprints.record()
        assert fingerprints.record() is None
        with connection.cursor() as cursor:
            cursor.execute("CREATE FUNCTION o2c_new() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
        added = fingerprints.record()
        assert added is not None
        assert list(added.changed) == ["function o2c_new()"]
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION o2c_new()")
        gone = fingerprints.record()
    assert gone is not None
    assert gone.changed == {"function o2c_new()": ""}
    out = StringIO()
    call_command("controls", "fingerprint", stdout=out)
    assert gone.digest in out.getvalue()
    assert "1 removed: function o2c_new()" in out.getvalue()
    assert "1 added: function o2c_new()" in out.getvalue()


def test_the_product_itself_records_nothing() -> None:
    with pytest.raises(DatabaseError, match="permission denied"):
        GuardRecord.objects.create(digest="0" * 64, guards=0, changed={})
