"""manage.py scenario run PATH… | preview PATH | export ORDER: a deal's life in a file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from o2c.errors import DomainError
from o2c.scenarios import export, language, preview, runner
from orders.models import Order


class Command(BaseCommand):
    help = "Run scenario files (docs/scenarios.md). Nothing of them remains in the database."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        run = acts.add_parser(
            "run", help="run files, or every *.yaml below a folder; exit code 1 on a difference"
        )
        run.add_argument("paths", nargs="+", type=Path)
        run.add_argument("--json", action="store_true", help="one JSON object with every result")
        show = acts.add_parser("preview", help="what a deal will bill and recognise, month by month")
        show.add_argument("path", type=Path)
        show.add_argument("--months", type=int, help="how many; by default the term, or a year without one")
        show.add_argument("--json", action="store_true", help="the same as one JSON object")
        take = acts.add_parser("export", help="a real order as a scenario file, on standard output")
        take.add_argument("order", help="its number, such as O-000012")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, options["act"])(options)
        except DomainError as error:
            raise CommandError(str(error)) from error

    def run(self, options: dict[str, Any]) -> None:
        results = runner.run_files(files(options["paths"]))
        failed = [result for result in results if not result.passed]
        if options["json"]:
            told = [
                {"path": r.path, "scenario": r.title, "passed": r.passed, "problems": r.problems}
                for r in results
            ]
            self.stdout.write(json.dumps({"run": len(results), "failed": len(failed), "results": told}))
        else:
            for result in failed:
                self.stdout.write("\n".join(result.problems))
            self.stdout.write(f"{len(results) - len(failed)} of {len(results)} scenarios are as expected")
        if failed:
            raise SystemExit(1)

    def preview(self, options: dict[str, Any]) -> None:
        found = preview.preview(language.read(options["path"]), months=options["months"])
        if options["json"]:
            self.stdout.write(json.dumps(dataclasses.asdict(found), default=str))
            return
        table = Table(title=f"{found.title} ({found.currency})", title_justify="left")
        table.add_column("Month")
        for name in ("Billed", "Recognised", "Deferred"):
            table.add_column(name, justify="right")
        for month in found.months:
            amounts = (month.billed, month.recognised, month.deferred)
            table.add_row(month.month, *(f"{amount:,.2f}" for amount in amounts))
        table.add_section()
        table.add_row("Sum", f"{found.billed:,.2f}", f"{found.recognised:,.2f}", "")
        Console(file=cast(IO[str], self.stdout)).print(table)

    def export(self, options: dict[str, Any]) -> None:
        order = Order.objects.filter(number=options["order"]).first()
        if order is None:
            raise CommandError(f"There is no order {options['order']}")
        self.stdout.write(export.text_of(order))


def files(paths: list[Path]) -> list[Path]:
    """The files, and every *.yaml file below the folders, in the order of their names."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(path.rglob("*.yaml"))
        elif path.exists():
            found.append(path)
        else:
            raise CommandError(f"There is no file {path}")
    if not found:
        raise CommandError("There is no *.yaml file there")
    return found
