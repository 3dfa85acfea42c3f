"""manage.py audit: is history complete, is it what was sealed, and what does it say?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from o2c.access.models import User
from o2c.access.services import reads
from o2c.actor import Actor
from o2c.audit import keys
from o2c.audit.install import existing_triggers, expected_triggers
from o2c.audit.reconcile import reconcile, tracked
from o2c.audit.services import anchoring, sealing
from o2c.audit.verification import verify_here
from o2c.audit.verifier.main import CannotVerify, lines
from o2c.errors import DomainError
from o2c.evidence import pack as evidence
from o2c.evidence.life import life
from o2c.evidence.registry import control, controls

# 1 is 'something was found', 2 and 3 are the verifier's: not done at all is neither.
CANNOT = 4


def _cannot(sentence: str) -> CommandError:
    return CommandError(sentence, returncode=CANNOT)


class Command(BaseCommand):
    help = (
        "History: complete (reconcile), as it was sealed (verify), sealed and anchored (seal, anchor, epoch)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        self._act(acts, "reconcile", "fold history and compare it with the tables").add_argument("--app")
        verify = self._act(
            acts, "verify", "check rows, chain and anchors; exit status 1, 2, 3, 4 as verify.py"
        )
        verify.add_argument("--anchors", action="append", type=Path, help="default: O2C_ANCHOR_PLACES")
        verify.add_argument("--key", action="append", help="public keys; default: beside O2C_ANCHOR_KEY_FILE")
        self._act(acts, "key", "make the key that signs anchors, and its public half")
        for name, what in (("seal", "seal what is over"), ("anchor", "seal, sign the head and put it away")):
            self._act(acts, name, what)
        epoch = self._act(acts, "epoch", "continue the chain in a restored database; as the owner")
        epoch.add_argument("--actor", required=True, help="your user name")
        epoch.add_argument("--reason", required=True)
        show = self._act(acts, "show", "one record's life: who, when, why, under which approval")
        show.add_argument("model", help="app.Model, e.g. billing.Invoice")
        show.add_argument("pk", type=int)
        self._act(acts, "controls", "the controls that can be packed and performed anew")
        pack = self._act(acts, "pack", "population, sample and evidence of a control, as files")
        pack.add_argument("--n", type=int, default=25, help="items in the sample")
        pack.add_argument("--seed", required=True, help="any text; the same seed draws the same sample")
        pack.add_argument("--out", type=Path, required=True, help="a new directory")
        pack.add_argument("--by", help="your user name, for the record of readings; not as o2c_auditor")
        again = self._act(acts, "reperform", "perform a control anew over its population; exit status 1")
        for act in (pack, again):
            act.add_argument("control", help="its code, e.g. C-06")
            act.add_argument("--from", dest="start", type=dt.date.fromisoformat, required=True)
            act.add_argument("--to", dest="end", type=dt.date.fromisoformat, required=True, help="exclusive")

    def _act(self, acts: Any, name: str, what: str) -> CommandParser:
        parser: CommandParser = acts.add_parser(name, help=what, description=what)
        return parser

    def handle(self, *args: Any, **options: Any) -> None:
        act: Callable[[dict[str, Any]], None] = getattr(self, options["act"])
        try:
            act(options)
        except (DomainError, CannotVerify) as error:
            raise _cannot(str(error)) from error

    def reconcile(self, options: dict[str, Any]) -> None:
        installed = existing_triggers()
        missing = {key for key in expected_triggers() if installed.get(key) != "A"}
        for table, name in sorted(missing):
            why = "is switched off" if (table, name) in installed else "is missing"
            self.stderr.write(f"{table}: the trigger {name} {why}")
        differences = reconcile(options["app"])
        for difference in differences:
            self.stderr.write(f"{difference.table} {difference.key}: {difference.problem}")
        if missing or differences:
            raise CommandError(
                f"{len(missing)} triggers missing or switched off, {len(differences)} rows differ"
            )
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
            raise _cannot("Say in O2C_ANCHOR_KEY_FILE where the key shall be")
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
            raise _cannot(
                "Only the owner of the tables begins an epoch: O2C_DB_ROLE=owner manage.py audit epoch"
            )
        user = User.objects.filter(username=options["actor"]).first()
        if user is None:
            raise _cannot(f"There is no user {options['actor']!r}")
        block = sealing.begin_epoch(actor=Actor.of(user), reason=options["reason"])
        self.stdout.write(f"Epoch {block.epoch} begins with block {block.n}")

    def show(self, options: dict[str, Any]) -> None:
        for event in life(options["model"], options["pk"]):
            who = f"{event.who} for {event.on_behalf_of}" if event.on_behalf_of else event.who
            self.stdout.write(f"{event.at:%Y-%m-%d %H:%M:%S}  {event.what}  {event.kind} by {who}")
            about = (("why", event.why), ("approval", event.approval), ("request", event.request_id))
            for name, text in about:
                if text:
                    self.stdout.write(f"    {name}: {text}")
            for change in event.changes:
                self.stdout.write(f"    {change}")

    def controls(self, options: dict[str, Any]) -> None:
        for found in controls():
            self.stdout.write(f"{found.code:6} {found.kind:11} {found.title} [{found.enforced_by}]")

    def pack(self, options: dict[str, Any]) -> None:
        reader = self._reader(options["by"])
        made = evidence.pack(
            control(options["control"]), start=options["start"], end=options["end"],
            count=options["n"], seed=options["seed"], place=options["out"],
            by=options["by"] if reader is not None else evidence.AUDITOR,
        )  # fmt: skip
        if reader is not None:
            dates = f"{options['start']} to {options['end']}"
            what = f"Pack of {options['control']}, {dates}, manifest {made.digest}"
            reads.record(reads.FILE, what, made.population, actor=reader, reason="audit pack")
        counted = f"{made.sample} of {made.population} items, {made.exceptions} exceptions"
        self.stdout.write(f"{made.place}: {counted}")
        self.stdout.write(f"SHA-256 of manifest.json: {made.digest}")

    def _reader(self, username: str | None) -> Actor | None:
        """Whose reading is kept; None as the auditor's role of the database, which writes nothing."""
        if settings.DB_ROLE == "auditor":
            return None
        user = User.objects.filter(username=username or "", is_active=True).first()
        if user is None:
            raise _cannot("Say with --by who takes the pack, by a user name: full exports are on record")
        return Actor.of(user)

    def reperform(self, options: dict[str, Any]) -> None:
        chosen = control(options["control"])
        with evidence.snapshot():
            population = evidence.ask(chosen.population, options["start"], options["end"])
            exceptions = evidence.reperform(chosen, options["start"], options["end"])
        for pk, problem in exceptions.rows:
            self.stderr.write(f"{chosen.model} {pk}: {problem}")
        if exceptions.rows:
            raise CommandError(f"{len(exceptions.rows)} exceptions in {len(population.rows)} items")
        self.stdout.write(f"{chosen.code}: {len(population.rows)} items, no exception")


def _system() -> Actor:
    from o2c.access.system import system_actor

    return system_actor()
