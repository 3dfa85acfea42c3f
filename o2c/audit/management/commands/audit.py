"""manage.py audit: is history complete, is it what was sealed, and what does it say?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from o2c.access.models import User
from o2c.actor import Actor
from o2c.audit import keys
from o2c.audit.install import existing_triggers, expected_triggers
from o2c.audit.reconcile import reconcile, tracked
from o2c.audit.services import anchoring, sealing
from o2c.audit.verification import verify_here
from o2c.audit.verifier.main import lines


class Command(BaseCommand):
    help = (
        "History: complete (reconcile), as it was sealed (verify), sealed and anchored (seal, anchor, epoch)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        self._act(acts, "reconcile", "fold history and compare it with the tables").add_argument("--app")
        verify = self._act(acts, "verify", "check rows, chain and anchors; exit status 1, 2, 3 as verify.py")
        verify.add_argument("--anchors", action="append", type=Path, help="default: O2C_ANCHOR_PLACES")
        verify.add_argument("--key", action="append", help="public keys; default: beside O2C_ANCHOR_KEY_FILE")
        self._act(acts, "key", "make the key that signs anchors, and its public half")
        for name, what in (("seal", "seal what is over"), ("anchor", "seal, sign the head and put it away")):
            self._act(acts, name, what)
        epoch = self._act(acts, "epoch", "continue the chain in a restored database; as the owner")
        for act in (epoch,):
            act.add_argument("--actor", required=True, help="your user name")
            act.add_argument("--reason", required=True)

    def _act(self, acts: Any, name: str, what: str) -> CommandParser:
        parser: CommandParser = acts.add_parser(name, help=what, description=what)
        return parser

    def handle(self, *args: Any, **options: Any) -> None:
        act: Callable[[dict[str, Any]], None] = getattr(self, options["act"])
        act(options)

    def reconcile(self, options: dict[str, Any]) -> None:
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

    def verify(self, options: dict[str, Any]) -> None:
        report = verify_here(places=options["anchors"], keys=options["key"])
        for line in lines(report):
            self.stdout.write(line)
        if report.status:
            raise CommandError(f"{len(report.findings)} findings", returncode=report.status)

    def key(self, options: dict[str, Any]) -> None:
        if not settings.ANCHOR_KEY_FILE:
            raise CommandError("Say in O2C_ANCHOR_KEY_FILE where the key shall be")
        public = keys.make(Path(settings.ANCHOR_KEY_FILE))
        self.stdout.write(f"The key is in {settings.ANCHOR_KEY_FILE}; give {public} to the auditors")

    def seal(self, options: dict[str, Any]) -> None:
        blocks = sealing.seal(actor=_system())
        left = sealing.pending()
        count = sum(block.count for block in blocks)
        self.stdout.write(f"{count} leaves sealed in {len(blocks)} blocks, {left.count} pending")

    def anchor(self, options: dict[str, Any]) -> None:
        made = anchoring.anchor(actor=_system())
        if made is None:
            self.stdout.write("The head is anchored already")
        else:
            self.stdout.write(f"{made} is in {', '.join(made.places) or 'no place'}")

    def epoch(self, options: dict[str, Any]) -> None:
        if settings.DB_ROLE != "owner":
            raise CommandError(
                "Only the owner of the tables begins an epoch: O2C_DB_ROLE=owner manage.py audit epoch"
            )
        user = User.objects.filter(username=options["actor"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['actor']!r}")
        block = sealing.begin_epoch(actor=Actor.of(user), reason=options["reason"])
        self.stdout.write(f"Epoch {block.epoch} begins with block {block.n}")


def _system() -> Actor:
    from o2c.access.system import system_actor

    return system_actor()
