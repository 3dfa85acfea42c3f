"""`manage.py invariants run [code …]` and `manage.py invariants list`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from o2c.access.models import User
from o2c.actor import Actor
from o2c.invariants import all_invariants, services


class Command(BaseCommand):
    help = "Check the invariants: SQL queries that must return no row. Exit status 1 when one does."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("act", choices=["run", "list"])
        parser.add_argument(
            "codes", nargs="*", help="codes, or beginnings such as 'billing'; all when left out"
        )
        parser.add_argument("--keep-as", metavar="USERNAME", help="store the results, as this user")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            chosen = all_invariants(options["codes"])
        except ValueError as error:
            raise CommandError(str(error)) from error
        if options["act"] == "list":
            for invariant in chosen:
                self.stdout.write(f"{invariant.code:45} {invariant.description}")
            return
        failing = self._run(options["codes"], options["keep_as"])
        if failing:
            raise CommandError(f"{failing} of {len(chosen)} invariants fail.")
        self.stdout.write(self.style.SUCCESS(f"All {len(chosen)} invariants hold."))

    def _run(self, codes: list[str], username: str | None) -> int:
        if username:
            user = User.objects.filter(username=username).first()
            if user is None:
                raise CommandError(f"There is no user {username!r}.")
            kept = services.run(
                actor=Actor.of(user), codes=codes, trigger="command", reason="manage.py invariants run"
            )
            rows = [(r.code, r.violations, r.error, r.seconds, r.sample) for r in kept.results.all()]
        else:
            rows = [
                (o.invariant.code, o.violations, o.error, o.seconds, o.sample) for o in services.check(codes)
            ]
        failing = 0
        for code, violations, error, seconds, sample in rows:
            if violations == 0:
                self.stdout.write(f"  ok    {code:45} {seconds:>8} s")
                continue
            failing += 1
            self.stdout.write(
                self.style.ERROR(f"  FAILS {code:45} {seconds:>8} s  {error or f'{violations} rows'}")
            )
            for row in sample[:5]:
                self.stdout.write(f"        {row}")
        return failing
