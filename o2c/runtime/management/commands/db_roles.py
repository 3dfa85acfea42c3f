"""`manage.py db_roles`: create the three roles and the database on a real server."""

from __future__ import annotations

import os
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser
from environ import Env

from o2c.runtime import roles

ADDRESSES = {
    roles.OWNER: "DATABASE_OWNER_URL",
    roles.APP: "DATABASE_URL",
    roles.AUDITOR: "DATABASE_AUDITOR_URL",
}


class Command(BaseCommand):
    help = (
        "Create or correct the roles o2c_owner, o2c_app, o2c_auditor and the database on the server that "
        "DATABASE_SUPERUSER_URL names, with the passwords of DATABASE_OWNER_URL, DATABASE_URL and "
        "DATABASE_AUDITOR_URL. Running it again changes nothing; then run `manage.py migrate`."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--print", action="store_true", help="Print the grants that migrate makes, change nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["print"]:
            self.stdout.write(roles.GRANTS)
            return
        superuser = os.environ.get("DATABASE_SUPERUSER_URL")
        if not superuser:
            raise CommandError("Set DATABASE_SUPERUSER_URL to an address that may create roles")
        passwords, database = self._wanted()
        try:
            roles.create(superuser, database=database, passwords=passwords)
        except psycopg.Error as error:
            raise CommandError(f"The server refused: {error}") from error
        self.stdout.write(f"roles {', '.join(passwords)} and database {database} are in place")

    def _wanted(self) -> tuple[dict[str, str], str]:
        passwords, databases = {}, set()
        for role, variable in ADDRESSES.items():
            address = os.environ.get(variable)
            if not address:
                raise CommandError(f"Set {variable}: its password becomes that of {role}")
            parsed = Env.db_url_config(address)
            if parsed["USER"] != role:
                raise CommandError(f"{variable} names the user {parsed['USER']!r}; it must be {role}")
            passwords[role] = str(parsed["PASSWORD"])
            databases.add(str(parsed["NAME"]))
        if len(databases) != 1:
            raise CommandError(f"The addresses name different databases: {', '.join(sorted(databases))}")
        return passwords, databases.pop()
