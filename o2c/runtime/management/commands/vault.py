"""`manage.py vault rotate`: bank data under the key that seals now. `manage.py vault key`: a new key."""

from __future__ import annotations

import base64
import secrets
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from simple_history.models import HistoricalChanges

from o2c import vault
from o2c.actor import Actor, acting
from o2c.audit.install import install
from o2c.audit.triggers import q
from o2c.records import AppendOnly
from o2c.runtime import roles

APPROVALS = """
SELECT t.tgname FROM pg_trigger t WHERE t.tgrelid = %s::regclass AND t.tgname LIKE 'o2c\\_now\\_%%'
"""


class Command(BaseCommand):
    help = "Keys of encrypted columns: 'key' prints a new one; 'rotate' seals every row with the first key."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("act", choices=["key", "rotate"])

    def handle(self, *args: Any, **options: Any) -> None:
        if options["act"] == "key":
            key = base64.urlsafe_b64encode(secrets.token_bytes(64)).decode()
            self.stdout.write(f"k{secrets.token_hex(4)}:{key}")
            return
        with connection.cursor() as cursor:
            if not roles.is_owner(cursor):
                raise CommandError("Rotating needs the owner of the tables: O2C_DB_ROLE=owner.")
        done = rotate()
        self.stdout.write(self.style.SUCCESS(f"{done} values are sealed with the first key now."))


def rotate() -> int:
    """Seal again what another key sealed; how many values.

    History and facts keep what they say, under the key of their time: keep old keys in FIELD_KEYS to read
    them. Approvals of a changed value are not asked: the value is the same, and history has the rotation.
    """
    done = 0
    with transaction.atomic(), acting(Actor.installer(), reason="rotation of keys"):
        for model, field in vault.fields():
            if not issubclass(model, HistoricalChanges | AppendOnly):
                done += _column(model, str(field.column))
    return done


def _column(model: Any, column: str) -> int:
    table, key = model._meta.db_table, str(model._meta.pk.column)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {q(key)}, {q(column)} FROM {q(table)} WHERE {q(column)} <> '' FOR UPDATE")  # noqa: S608
        rows = [(pk, said, vault.resealed(said)) for pk, said in cursor.fetchall()]
        changed = [(fresh, pk) for pk, said, fresh in rows if fresh != said]
        if not changed:
            return 0
        cursor.execute(APPROVALS, [table])
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP TRIGGER {q(name)} ON {q(table)}")
        cursor.executemany(f"UPDATE {q(table)} SET {q(column)} = %s WHERE {q(key)} = %s", changed)  # noqa: S608
    install(apps.get_app_config(model._meta.app_label))  # as after migrating: every guard is there again
    return len(changed)
