"""`manage.py approvals simulate|lint|backtest`: who would decide, what is wrong, what would change."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from o2c import clock
from o2c.access.models import User
from o2c.controls.approvals import registry
from o2c.controls.approvals.domain import policy as rules
from o2c.controls.approvals.domain.backtest import backtest, said
from o2c.controls.approvals.models import Policy
from o2c.controls.approvals.selectors.facts import subject_model
from o2c.controls.approvals.selectors.happened import happened
from o2c.controls.approvals.services import policies, submitting
from o2c.errors import DomainError


class Command(BaseCommand):
    help = "Approvals: who would have to decide, what is wrong with a policy, what another would change."

    def add_arguments(self, parser: CommandParser) -> None:
        sub = parser.add_subparsers(dest="what", required=True)
        simulate = sub.add_parser(
            "simulate", help="who would have to approve this, and who is excluded and why"
        )
        simulate.add_argument("act")
        simulate.add_argument("id", nargs="?", help="id or number of the record that it is about")
        simulate.add_argument("--object", help="the same")
        simulate.add_argument(
            "--with", dest="values", action="append", default=[], metavar="NAME=VALUE",
            help="what a proposal says, such as amount=300.00; once for each",
        )  # fmt: skip
        simulate.add_argument("--as", dest="requester", required=True, help="who would ask")
        lint = sub.add_parser("lint", help="what is wrong with the policies in force, or with a draft")
        lint.add_argument("--draft", type=int, help="id of a version")
        lint.add_argument("--file", type=Path, help="a policy as JSON")
        lint.add_argument("--act", help="the act of the file")
        back = sub.add_parser("backtest", help="what a version would have asked in the past")
        back.add_argument("--draft", type=int, required=True)
        back.add_argument("--months", type=int, default=12)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['what']}")(options)
        except DomainError as error:
            raise CommandError(str(error)) from error

    def _simulate(self, options: dict[str, Any]) -> None:
        requester = User.objects.filter(username=options["requester"]).first()
        if requester is None:
            raise CommandError(f"There is no user '{options['requester']}'")
        values = dict(_pair(text) for text in options["values"])
        subject = _subject(registry.act(options["act"]), options["object"] or options["id"])
        asked, field = submitting.preview(options["act"], subject, requester=requester, parameters=values)
        if not asked:
            self.stdout.write("Nobody: the policy asks no one")
        for one in asked:
            people = field.steps[one.step.code]
            self.stdout.write(f"{one.step.title} ({one.step.duty}): {'; '.join(one.because)}")
            self.stdout.write(f"  may decide: {', '.join(map(str, people.eligible)) or 'nobody'}")
            self.stdout.write(f"  excluded:   {', '.join(map(str, people.excluded)) or 'nobody'}")

    def _lint(self, options: dict[str, Any]) -> None:
        blocked = False
        for name, act, content in _versions(options):
            problems = policies.check(act, content)
            blocked |= any(problem.blocks for problem in problems)
            self.stdout.write(f"{name}: {'nothing found' if not problems else ''}")
            for problem in problems:
                self.stdout.write(f"  {'blocks' if problem.blocks else 'note'}: {problem.text}")
        if blocked:
            raise SystemExit(1)

    def _backtest(self, options: dict[str, Any]) -> None:
        row = Policy.objects.filter(pk=options["draft"]).first()
        if row is None:
            raise CommandError(f"There is no version of a policy with id {options['draft']}")
        since = clock.now() - dt.timedelta(days=31 * options["months"])
        found = backtest(rules.parse(row.content), happened(registry.act(row.act), since=since))
        same = found.looked_at - len(found.moved)
        self.stdout.write(
            f"{row}: {found.looked_at} done or asked for, {same} the same, {len(found.moved)} re-routed"
        )
        for band in found.bands:
            self.stdout.write(
                f"  {band.reach}: {band.cases} ({said(band.amounts)}),"
                f" {band.moved} re-routed ({said(band.moved_amounts)})"
            )
        for one in found.moved:
            after = " and ".join(one.after) or "nobody" if one.after is not None else "cannot say"
            self.stdout.write(f"  {one.case.label}: {' and '.join(one.case.before) or 'nobody'} → {after}")


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise CommandError(f"'{text}' is not NAME=VALUE")
    return name, value


def _subject(act: registry.Act, said: str | None) -> int:
    """The key of the record that is meant by its id or by its number."""
    model = subject_model(act)
    name = str(model._meta.verbose_name)
    if not said:
        raise CommandError(f"Which {name}? Give its id or number")
    if said.isdigit():
        return int(said)
    for column in ("number", "code", "username"):
        if any(field.name == column for field in model._meta.fields):
            pks = list(model._default_manager.filter(**{column: said}).values_list("pk", flat=True)[:2])
            if len(pks) == 1:
                return int(pks[0])
    raise CommandError(f"There is no single {name} {said}")


def _versions(options: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    if options["file"]:
        if not options["act"]:
            raise CommandError("--file needs --act")
        return [(str(options["file"]), options["act"], json.loads(options["file"].read_text()))]
    rows = (
        Policy.objects.filter(pk=options["draft"])
        if options["draft"]
        else Policy.objects.filter(state="active")
    )
    return [(str(row), row.act, row.content) for row in rows]
