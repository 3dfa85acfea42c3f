"""A database of its own for a measurement: migrated, used with the app's rights, dropped afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.models import Model


@contextmanager
def scratch(name: str) -> Iterator[None]:
    """Create the database `name` from the migrated template, connect to it as the app, drop it at the end.

    Commits are as durable as in production (the tests switch that off).
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    os.environ.setdefault("O2C_LOG_LEVEL", "WARNING")  # figures only
    import django

    django.setup()
    from django.db import connection
    from django.test.utils import override_settings

    from tests import database, template

    before = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = name
    connection.settings_dict["TEST"]["TEMPLATE"] = template.name()
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        database.prepare()
        with connection.cursor() as cursor:
            cursor.execute(f'ALTER DATABASE "{name}" RESET synchronous_commit')
        connection.close()
        database.step_down()
        with override_settings(DEBUG=False):
            yield
    finally:
        database.step_up()
        connection.creation.destroy_test_db(before, verbosity=0)


def fill_defaults(cursor: Any, *models: type[Model]) -> None:
    """Let raw SQL leave out what the models have a default for, as `Model()` may.

    Alters the tables as their owner: for scratch databases, and transactions that are rolled back.
    """
    from django.db import connection
    from psycopg import sql

    cursor.execute("SET ROLE NONE")
    for model in models:
        for field in model._meta.concrete_fields:
            if not (field.has_default() or field.empty_strings_allowed) or field.null or field.primary_key:
                continue
            cursor.execute(
                sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {}").format(
                    sql.Identifier(model._meta.db_table),
                    sql.Identifier(str(field.column)),
                    sql.Literal(field.get_db_prep_save(field.get_default(), connection)),
                )
            )
    cursor.execute("SET ROLE o2c_app")
