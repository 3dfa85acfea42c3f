"""`manage.py controls selftest`: every forbidden act, by every door, as everybody; all of it undone.
`manage.py controls fingerprint`: the code of guards, policies and controls, and when it changed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from o2c.access.models import User
from o2c.access.system import system_actor
from o2c.actor import Actor
from o2c.controls.selftest import fingerprint, services
from o2c.controls.selftest.models import SelftestRun


class Command(BaseCommand):
    help = (
        "selftest: try every forbidden act in a transaction that is undone; exit status 1 when one gets"
        " through. fingerprint: print the hashes of guards, policies and controls, and when guards changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("act", choices=["selftest", "fingerprint"])
        parser.add_argument(
            "--rule",
            action="append",
            default=[],
            help="only rules that begin so: S10, 'approval', 'table orders_'",
        )
        parser.add_argument("--json", action="store_true", help="the whole result as JSON")
        parser.add_argument("--as", dest="username", default="", help="who asks; default: the product itself")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["act"] == "fingerprint":
            self.stdout.write("\n".join(fingerprint.lines()))
            return
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
        """A line for each rule, and below it one for each door: as whom it was tried, and how often."""
        rules: dict[str, dict[str, list[list[Any]]]] = defaultdict(lambda: defaultdict(list))
        for row in kept.matrix:
            rules[row[0]][row[1]].append(row)
        for rule, doors in rules.items():
            tried, through = (sum(row[n] for rows in doors.values() for row in rows) for n in (3, 4))
            said = f"{rule}: {tried} tried, " + (f"{through} THROUGH" if through else "all refused")
            self.stdout.write(self.style.ERROR(said) if through else said)
            for door, rows in doors.items():
                self.stdout.write(f"    {door:14} {', '.join(map(self._as, rows))}")
        for said in kept.untried:
            self.stdout.write(f"not tried: {said}")
        for finding in kept.findings:
            self.stdout.write(self.style.ERROR(f"  {finding}"))
        if kept.holds:
            self.stdout.write(self.style.SUCCESS(self._summary(kept)))

    def _as(self, row: list[Any]) -> str:
        """'maker 3', or 'maker 3 (1 THROUGH)'."""
        _, _, principal, tried, through, _ = row
        if through:
            return self.style.ERROR(f"{principal} {tried} ({through} THROUGH)")
        return f"{principal} {tried}"

    def _summary(self, kept: SelftestRun) -> str:
        if not kept.tried:
            return "Nothing was tried: no rule begins so."
        return (
            f"{kept.tried} forbidden acts tried in {kept.seconds} s: {kept.through} got through,"
            f" {kept.unproven} refused by something else first; {kept.blocked} permitted acts were refused."
        )
