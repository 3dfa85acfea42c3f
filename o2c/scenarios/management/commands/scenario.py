"""manage.py scenario run PATH…: scenario files, each lived through the services and rolled back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from o2c.scenarios import runner


class Command(BaseCommand):
    help = "Run scenario files (docs/scenarios.md). Nothing of them remains in the database."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        run = acts.add_parser(
            "run", help="run files, or every *.yaml below a folder; exit code 1 on a difference"
        )
        run.add_argument("paths", nargs="+", type=Path)
        run.add_argument("--json", action="store_true", help="one JSON object with every result")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, options["act"])(options)

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
