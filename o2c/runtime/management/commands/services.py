"""`manage.py services start|stop|status|clean|database`: what runs for this checkout."""

from __future__ import annotations

import shutil
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from o2c.runtime import control, embedded, home


class Command(BaseCommand):
    help = "Start, stop or show the database, web, worker and scheduler of this checkout."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "act",
            choices=["start", "stop", "status", "database", "clean"],
            help="database: start the embedded database alone; clean: stop everything and delete its state",
        )

    def handle(self, *args: Any, act: str, **options: Any) -> None:
        try:
            getattr(self, f"_{act}")()
        except (embedded.EmbeddedError, control.StartError) as error:
            raise CommandError(str(error)) from error

    def _start(self) -> None:
        self.stdout.write(f"o2c runs at {control.start()}")

    def _database(self) -> None:
        if embedded.used():
            self.stdout.write(f"database: {embedded.ensure()}")

    def _stop(self) -> None:
        for line in control.stop():
            self.stdout.write(line)

    def _status(self) -> None:
        for line in control.status():
            self.stdout.write(f"{line.name:<13} {line.state:<9} {line.detail}")

    def _clean(self) -> None:
        self._stop()
        embedded.remove()
        shutil.rmtree(home.home(), ignore_errors=True)
        self.stdout.write(f"deleted {home.home()}")
