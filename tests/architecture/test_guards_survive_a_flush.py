"""Emptying the database between tests leaves every guard as it was."""

from __future__ import annotations

import pytest
from django.db import connection

from tests import database

STATES = (
    "SELECT c.relname, t.tgname, t.tgenabled::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
    " WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace ORDER BY 1, 2"
)


@pytest.mark.django_db(transaction=True)
def test_the_triggers_are_on_after_the_tables_were_emptied() -> None:
    with connection.cursor() as cursor:
        cursor.execute(STATES)
        before = cursor.fetchall()
    assert any(table == "access_user" and state != "D" for table, _name, state in before)

    database.empty()

    with connection.cursor() as cursor:
        cursor.execute(STATES)
        assert cursor.fetchall() == before
