from __future__ import annotations

import datetime as dt
import json
import sys
from argparse import ArgumentTypeError
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.timezone import make_aware

from o2c.access import registry
from o2c.access.models import User
from o2c.actor import Actor
from o2c.controls.sod import actual, selectors
from o2c.controls.sod.functions import WAITING
from o2c.controls.sod.rules import RULES
from o2c.controls.sod.services import exceptions, reviews
from o2c.errors import DomainError


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no date like 2026-08-31") from None


class Command(BaseCommand):
    help = "Segregation of duties: the rules, what a grant would allow, who did both, exceptions, reviews."

    def add_arguments(self, parser: CommandParser) -> None:
        sub = parser.add_subparsers(dest="act", required=True)
        sub.add_parser("rules", help="the 52 rules, and what each waits for")
        what_if = sub.add_parser("simulate", help="what a grant would allow; exit 2 when a rule forbids it")
        what_if.add_argument("--user", required=True)
        what_if.add_argument("--add", required=True, action="append", metavar="ROLE")
        report = sub.add_parser("actual", help="who did both sides, with the records; exit 2 for a violation")
        report.add_argument("--since", required=True, type=_day, metavar="YYYY-MM-DD")
        sub.add_parser("held", help="who holds what is kept apart, exceptions left out; exit 2 if anybody")
        ask = sub.add_parser("except", help="ask for an exception")
        ask.add_argument("user")
        ask.add_argument("rule")
        ask.add_argument("--mitigation", required=True)
        ask.add_argument("--days", type=int, default=90)
        review = sub.add_parser("review", help="open an access review")
        review.add_argument("name")
        review.add_argument("--days", type=int, default=14, help="until the deadline")
        lapse = sub.add_parser("lapse", help="revoke what reviews past their deadline left undecided")
        for parser_with_actor in (ask, review, lapse):
            parser_with_actor.add_argument("--by", required=True)
            parser_with_actor.add_argument("--reason", required=True)
        for reporting in (what_if, report):
            reporting.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            status = getattr(self, f"do_{options['act']}")(options)
        except DomainError as error:
            raise CommandError(str(error)) from error
        if status:
            sys.exit(status)

    def do_rules(self, options: dict[str, Any]) -> None:
        for rule in RULES:
            waits = [f"{code} ({WAITING.get(code, 'no duty')})" for code in selectors.waiting(rule)]
            state = "in force" if selectors.is_live(rule) else f"waits for {', '.join(waits)}"
            if waits and selectors.is_live(rule):
                state += f", without {', '.join(waits)}"
            self.stdout.write(f"{rule.code} {rule.severity} {'+'.join(rule.kinds):28} {state}")

    def do_simulate(self, options: dict[str, Any]) -> int:
        result = selectors.simulate(options["user"], options["add"])
        if options["json"]:
            self.stdout.write(json.dumps(asdict(result)))
        else:
            self.stdout.write(f"{result.user} + {', '.join(result.roles)}: {len(result.duties)} new duties")
            for duty in result.duties:
                self.stdout.write(f"  + {duty}: {registry.describe(duty)}")
            for how, rows in (("breaks", result.conflicts), ("held already", result.standing)):
                for row in rows:
                    both = f"{row.duty_a} ({row.role_a}) and {row.duty_b} ({row.role_b})"
                    self.stdout.write(f"  {how} {row.rule} {row.severity} {row.title}: {both}")
            if not result.conflicts:
                self.stdout.write("  no rule stands against it")
        return 2 if result.conflicts else 0

    def do_actual(self, options: dict[str, Any]) -> int:
        since = make_aware(dt.datetime.combine(options["since"], dt.time()))
        found, habits = actual.violations(since), actual.habits(since)
        if options["json"]:
            self.stdout.write(
                json.dumps({"violations": [asdict(v) for v in found], "habits": [asdict(h) for h in habits]})
            )
        else:
            for row in found:
                under = " (under an exception)" if row.excepted else ""
                self.stdout.write(
                    f"{row.rule} {row.username}: {row.first} {row.first_record},"
                    f" {row.second} {row.second_record}{under}"
                )
            for habit in habits:
                self.stdout.write(
                    f"{habit.rule} {habit.username}: did both, {habit.first} and {habit.second} times"
                )
            self.stdout.write(f"{len(found)} on one lineage, {len(habits)} people and rules on any record")
        return 2 if any(not row.excepted for row in found) else 0

    def do_held(self, options: dict[str, Any]) -> int:
        found = selectors.conflicts(User.objects.values_list("pk", flat=True))
        for row in found:
            self.stdout.write(
                f"{row.rule} {row.username}: {row.duty_a} ({row.role_a}) and {row.duty_b} ({row.role_b})"
            )
        self.stdout.write(f"{len({(row.rule, row.username) for row in found})} conflicts held")
        return 2 if found else 0

    def do_except(self, options: dict[str, Any]) -> None:
        row = exceptions.request(
            self._user(options["user"]),
            options["rule"],
            mitigation=options["mitigation"],
            days=options["days"],
            actor=self._actor(options),
            reason=options["reason"],
        )
        self.stdout.write(f"Requested: {row}")

    def do_review(self, options: dict[str, Any]) -> None:
        campaign = reviews.open_campaign(
            options["name"], days=options["days"], actor=self._actor(options), reason=options["reason"]
        )
        self.stdout.write(f"{campaign}: {campaign.items.count()} grants, sealed {campaign.digest[:16]}")

    def do_lapse(self, options: dict[str, Any]) -> None:
        count = reviews.lapse_due(actor=self._actor(options), reason=options["reason"])
        self.stdout.write(f"{count} grants revoked")

    def _actor(self, options: dict[str, Any]) -> Actor:
        return Actor.of(self._user(options["by"]))

    def _user(self, username: str) -> User:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no user {username}")
        return user
