from __future__ import annotations

import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from o2c import clock
from o2c.access.authorise import duties_of_id
from o2c.access.models import AuthToken, User
from o2c.access.services import tokens
from o2c.actor import Actor
from o2c.errors import DomainError


class Command(BaseCommand):
    help = "Tokens of service accounts: issue, revoke, list. The secret is printed once, at issue."

    def add_arguments(self, parser: CommandParser) -> None:
        sub = parser.add_subparsers(dest="act", required=True)
        issue = sub.add_parser("issue", help="a new token")
        issue.add_argument("account", help="username of the service account")
        issue.add_argument("--name", required=True, help="where it is used, 'Salesforce production'")
        issue.add_argument(
            "--days", type=int, default=90, help="days until it ends, at most 366 (default 90)"
        )
        issue.add_argument(
            "--scope", action="append", default=[], help="a duty; repeat it. Default: all it holds"
        )
        revoke = sub.add_parser("revoke", help="stop a token")
        revoke.add_argument("prefix")
        for parser_with_actor in (issue, revoke):
            parser_with_actor.add_argument("--by", required=True, help="who does it")
            parser_with_actor.add_argument("--reason", default="")
        listed = sub.add_parser("list", help="tokens with their end and last use")
        listed.add_argument("--account")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"do_{options['act']}")(options)
        except DomainError as error:
            raise CommandError(str(error)) from error

    def do_issue(self, options: dict[str, Any]) -> None:
        account = self._user(options["account"])
        issued = tokens.issue(
            account,
            name=options["name"],
            scopes=options["scope"] or duties_of_id(account.pk),
            expires_at=clock.now() + dt.timedelta(days=options["days"]),
            actor=Actor.of(self._user(options["by"])),
            reason=options["reason"],
        )
        self.stdout.write(issued.secret)
        self.stderr.write(
            f"Token {issued.token.prefix} of {account.username}, until {issued.token.expires_at:%Y-%m-%d}. "
            "This is the only time it is shown."
        )

    def do_revoke(self, options: dict[str, Any]) -> None:
        token = AuthToken.objects.filter(prefix=options["prefix"]).first()
        if token is None:
            raise CommandError(f"There is no token {options['prefix']}")
        tokens.revoke(token.pk, actor=Actor.of(self._user(options["by"])), reason=options["reason"])
        self.stdout.write(f"Token {token.prefix} is revoked")

    def do_list(self, options: dict[str, Any]) -> None:
        rows = AuthToken.objects.select_related("account", "use")
        if options["account"]:
            rows = rows.filter(account__username=options["account"])
        now = clock.now()
        for token in rows:
            state = "revoked" if token.revoked_at else "ended" if token.expires_at <= now else "in force"
            use = getattr(token, "use", None)
            used = f"{use.last_used_at:%Y-%m-%d %H:%M} from {use.last_address}" if use else "never"
            self.stdout.write(
                f"{token.prefix}  {token.account.username:14} {token.name:30} {state:9} "
                f"until {token.expires_at:%Y-%m-%d}  used {used}  {len(token.scopes)} scopes"
            )

    def _user(self, username: str) -> User:
        try:
            return User.objects.get(username=username)
        except User.DoesNotExist:
            raise CommandError(f"There is no user '{username}'") from None
