"""manage.py import_usage FILE --format …: usage events from a file or a trace of requests."""

from __future__ import annotations

import datetime as dt
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.importers import traces
from billing.services import files, metering
from o2c.access.system import system_actor
from o2c.errors import DomainError

CHUNK = 10_000


class Command(BaseCommand):
    help = "Import usage from a file. Importing it twice changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--format", choices=["csv", "jsonl", *traces.FORMATS], required=True)
        parser.add_argument("--source", default="files", help="The metering system that the ids belong to")
        parser.add_argument("--customer", default="", help="Customer number, where the file has none")
        parser.add_argument("--meter", default="", help="Meter code, where a CSV has none")
        parser.add_argument("--model", default="", help='Of a trace: the model, such as "openai/gpt-4o"')
        parser.add_argument(
            "--starts-at", type=dt.datetime.fromisoformat, help="Move a trace so that it begins then (UTC)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"{path} is not a file")
        try:
            figures = (
                self._trace(path, options)
                if options["format"] in traces.FORMATS
                else self._file(path, options)
            )
        except DomainError as error:
            raise CommandError(str(error)) from error
        received, accepted, duplicate, parked = figures
        self.stdout.write(
            f"{received:,} events received: {accepted:,} accepted, {duplicate:,} known already,"
            f" {parked:,} parked"
        )

    def _file(self, path: Path, options: dict[str, Any]) -> tuple[int, int, int, int]:
        done = files.import_file(
            path,
            options["source"],
            format=options["format"],
            customer=options["customer"],
            meter=options["meter"],
            actor=system_actor("metering"),
        )
        return done.received, done.accepted, done.duplicate, done.parked

    def _trace(self, path: Path, options: dict[str, Any]) -> tuple[int, int, int, int]:
        if not options["customer"] or not options["model"]:
            raise CommandError("A trace needs --customer and --model: it names neither")
        starts_at = options["starts_at"]
        found = traces.events(
            path,
            options["format"],
            customer=options["customer"],
            model=options["model"],
            starts_at=starts_at.replace(tzinfo=dt.UTC) if starts_at else None,
        )
        sums = [0, 0, 0, 0]
        actor = system_actor("metering")
        metering.source(options["source"], actor=actor)
        while events := list(islice(found, CHUNK)):
            for done in metering.ingest_events(options["source"], events, actor=actor):
                for place, count in enumerate((done.received, done.accepted, done.duplicate, done.parked)):
                    sums[place] += count
        return sums[0], sums[1], sums[2], sums[3]
