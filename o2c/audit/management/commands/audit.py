"""manage.py audit reconcile: is history complete?"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from o2c.audit.install import existing_triggers, expected_triggers
from o2c.audit.reconcile import reconcile, tracked


class Command(BaseCommand):
    help = "Fold the history of every controlled table and compare it with the table."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["reconcile"])
        parser.add_argument("--app", help="Only the tables of this app")

    def handle(self, *args: Any, **options: Any) -> None:
        missing = expected_triggers() - set(existing_triggers())
        for table, name in sorted(missing):
            self.stderr.write(f"{table}: the trigger {name} is missing")
        differences = reconcile(options["app"])
        for difference in differences:
            self.stderr.write(f"{difference.table} {difference.key}: {difference.problem}")
        if missing or differences:
            raise CommandError(f"{len(missing)} triggers missing, {len(differences)} rows differ")
        count = sum(1 for _ in tracked(options["app"]))
        self.stdout.write(f"{count} tables equal the fold of their history; every trigger is in place")
