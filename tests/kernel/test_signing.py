"""Whom a shell on the database names is not believed, and no temporary table stands in for a real one."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from o2c import clock, signing
from o2c.actor import Actor, Trace, acting, trace_parameters
from o2c.audit.install import TABLELESS
from o2c.ledger.models import ExchangeRate
from tests.factories.access import make_user

pytestmark = pytest.mark.django_db

NAMES = ("actor_id", "actor", "on_behalf_of_id", "reason", "request_id", "signed")
WRITE = (
    "INSERT INTO ledger_exchangerate (from_currency, to_currency, valid_on, rate, source)"
    " VALUES ('EUR', 'USD', '2031-01-01', 1.1, 'x')"
)


def said(*values: str) -> None:
    """What somebody types at a shell of the database."""
    with connection.cursor() as cursor:
        for name, value in zip(NAMES, values, strict=True):
            cursor.execute("SELECT set_config(%s, %s, true)", [f"o2c.{name}", value])


def write() -> None:
    with connection.cursor() as cursor:
        cursor.execute(WRITE)


@pytest.fixture
def amy() -> Actor:
    return Actor.of(make_user("amy", "approver"))


def test_what_the_product_says_is_believed(amy: Actor) -> None:
    with acting(amy, reason="rate"):
        said(*trace_parameters(Trace(amy, "rate", "r-1")))
        write()
    assert ExchangeRate.history.get(valid_on="2031-01-01").history_user_id == amy.user_id


@pytest.mark.parametrize("who", ["amy", "installer"])
def test_whoever_is_named_without_a_signature_writes_nothing(amy: Actor, who: str) -> None:
    user_id = str(amy.user_id) if who == "amy" else "0"
    with pytest.raises(DatabaseError, match="signed says that"), transaction.atomic():
        said(user_id, who, "", "rate", "", "")
        write()


@pytest.mark.parametrize("changed", range(5))
def test_a_signature_is_of_all_that_is_said(amy: Actor, changed: int) -> None:
    """Somebody else's, with another name, reason or request, is worth nothing."""
    mallory = Actor.of(make_user("mallory"))
    values = list(trace_parameters(Trace(amy, "rate", "r-1")))
    values[changed] = str(mallory.user_id) if changed in (0, 2) else "other"
    with pytest.raises(DatabaseError, match="signed says that"), transaction.atomic():
        said(*values)
        write()


def test_parts_cannot_be_moved_from_one_setting_to_the_next(amy: Actor) -> None:
    values = list(trace_parameters(Trace(amy, "ab", "c")))
    values[3:5] = ["a", "bc"]
    with pytest.raises(DatabaseError, match="signed says that"), transaction.atomic():
        said(*values)
        write()


def test_an_old_signature_begins_no_transaction(amy: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    then = clock.epoch_seconds() - signing.FRESH_SECONDS - 60
    monkeypatch.setattr(clock, "epoch_seconds", lambda: then)
    values = trace_parameters(Trace(amy, "rate", ""))
    with pytest.raises(DatabaseError, match="signed says that"), transaction.atomic():
        said(*values)
        write()


def test_a_fact_is_refused_as_a_record_is(amy: Actor) -> None:
    with pytest.raises(DatabaseError, match="signed says that"), transaction.atomic():
        said(str(amy.user_id), "amy", "", "", "", "")
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO access_signin (at, outcome, username) VALUES (now(), 'refused', 'x')")


def test_the_product_does_not_read_the_key() -> None:
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT inner_pad FROM o2c_private.actor_key")


def test_the_key_before_this_one_is_believed_until_the_next(amy: Actor, settings: Any, as_owner: Any) -> None:
    """A rolling change of SECRET_KEY: processes with the old key go on until the change after it."""
    old = trace_parameters(Trace(amy, "rate", ""))

    def install(key: str) -> None:
        settings.SECRET_KEY = key
        with as_owner(), connection.cursor() as cursor:
            signing.install(cursor)

    install("second" * 12)
    with transaction.atomic():
        said(*old)
        write()
        transaction.set_rollback(True)
    install("third" * 12)
    with pytest.raises(DatabaseError, match="signed says that"), transaction.atomic():
        said(*old)
        write()


def test_no_function_looks_its_tables_up_in_temporary_ones() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.proname FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang"
            " WHERE p.pronamespace = 'public'::regnamespace AND l.lanname IN ('plpgsql', 'sql')"
            " AND NOT 'search_path=public, pg_temp' = ANY(coalesce(p.proconfig, '{}'))"
            " AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
        )
        assert {name for (name,) in cursor.fetchall()} == set(TABLELESS)
