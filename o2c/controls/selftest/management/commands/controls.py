"""`manage.py controls selftest`: every forbidden act, by every door, as everybody; all of it undone."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from o2c.access.models import User
from o2c.access.system import system_actor
from o2c.actor import Actor
from o2c.controls.selftest import services
from o2c.controls.selftest.models import SelftestRun


class Command(BaseCommand):
    help = "Try every forbidden act in a transaction that is undone. Exit status 1 when one gets through."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("act", choices=["selftest"])
        parser.add_argument(
            "--rule",
            action="append",
            default=[],
            help="only rules that begin so: S10, 'approval', 'table orders_'",
        )
        parser.add_argument("--json", action="store_true", help="the whole result as JSON")
        parser.add_argument("--as", dest="username", default="", help="who asks; default: the product itself")

    def handle(self, *args: Any, **options: Any) -> None:
        kept = services.run(
            actor=self._actor(options["username"]), reason="manage.py controls selftest",
            rules=options["rule"], trigger="command",
        )  # fmt: skip
        if options["json"]:
            fields = ("tried", "through", "blocked", "unproven", "seconds", "matrix", "findings", "untried")
            self.stdout.write(json.dumps({name: getattr(kept, name) for name in fields}, default=str))
        else:
            self._print(kept)
        if not kept.holds:
            raise CommandError(self._summary(kept))

    def _actor(self, username: str) -> Actor:
        if not username:
            return system_actor()
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no user {username!r}.")
        return Actor.of(user)

    def _print(self, kept: SelftestRun) -> None:
        """One line a rule: the doors and principals, and what got through."""
        rules: dict[str, list[list[Any]]] = defaultdict(list)
        for row in kept.matrix:
            rules[row[0]].append(row)
        for rule, rows in rules.items():
            doors = ", ".join(sorted({row[1] for row in rows}))
            tried, through = sum(row[3] for row in rows), sum(row[4] for row in rows)
            line = f"  {tried:>4} refused  {rule:48} {doors}"
            if through:
                line = self.style.ERROR(f"  {through:>4} THROUGH  {rule:48} {doors}")
            self.stdout.write(line)
        for said in kept.untried:
            self.stdout.write(f"     - not tried  {said}")
        for finding in kept.findings:
            self.stdout.write(self.style.ERROR(f"  {finding}"))
        if kept.holds:
            self.stdout.write(self.style.SUCCESS(self._summary(kept)))

    def _summary(self, kept: SelftestRun) -> str:
        if not kept.tried:
            return "Nothing was tried: no rule begins so."
        return (
            f"{kept.tried} forbidden acts tried in {kept.seconds} s: {kept.through} got through,"
            f" {kept.unproven} refused by something else first; {kept.blocked} permitted acts were refused."
        )
