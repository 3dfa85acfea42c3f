from __future__ import annotations

import sys
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from o2c.access import duties_of, registry
from o2c.access.models import Role, RoleGrant, User
from o2c.access.services import accounts, bootstrap, grants, roles
from o2c.actor import Actor
from o2c.errors import DomainError


class Command(BaseCommand):
    help = "People, service accounts, roles and grants. A password is asked for, or read from standard input."

    def add_arguments(self, parser: CommandParser) -> None:
        sub = parser.add_subparsers(dest="act", required=True)
        sub.add_parser("sync", help="make shipped roles and system accounts equal to the code")
        sub.add_parser("roles", help="every role with its duties")
        show = sub.add_parser("show", help="what a user may do, and through which grants")
        show.add_argument("user")
        first = sub.add_parser("bootstrap", help="the first administrator; refused while there is one")
        person = sub.add_parser("person", help="a new human")
        account = sub.add_parser("account", help="a new service account")
        account.add_argument("username")
        account.add_argument("--owner", required=True, help="the human who answers for it")
        account.add_argument("--purpose", required=True)
        password = sub.add_parser("password", help="set the password of a human")
        password.add_argument("user")
        unlock = sub.add_parser("unlock", help="lift the lock after failed sign-ins")
        unlock.add_argument("user")
        for human in (first, person):
            human.add_argument("username")
            human.add_argument("--email", required=True)
            human.add_argument("--name", required=True)
        give = sub.add_parser("grant", help="give a role")
        give.add_argument("user")
        give.add_argument("role")
        take = sub.add_parser("revoke", help="end the grant of a role")
        take.add_argument("user")
        take.add_argument("role")
        own = sub.add_parser("own", help="make a human the owner of a service account")
        own.add_argument("account")
        own.add_argument("owner")
        for parser_with_actor in (give, take, own, person, account, password, unlock):
            parser_with_actor.add_argument("--by", required=True, help="who does it")
            parser_with_actor.add_argument("--reason", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"do_{options['act']}")(options)
        except DomainError as error:
            raise CommandError(str(error)) from error

    def do_sync(self, options: dict[str, Any]) -> None:
        installer = Actor.installer()
        self.stdout.write(str(roles.sync_roles(actor=installer)))
        made = accounts.ensure_system_accounts(actor=installer)
        self.stdout.write(f"{len(made)} system accounts")

    def do_roles(self, options: dict[str, Any]) -> None:
        for role in Role.objects.prefetch_related("duties"):
            self.stdout.write(f"{role.code}: {role.description}")
            for row in role.duties.all():
                self.stdout.write(f"    {row.duty:45} {registry.describe(row.duty)}")

    def do_show(self, options: dict[str, Any]) -> None:
        user = self._user(options["user"])
        for held in RoleGrant.objects.filter(user=user).select_related("role", "granted_by"):
            until = f"{held.valid_to:%Y-%m-%d %H:%M}" if held.valid_to else "revoked"
            self.stdout.write(
                f"{held.role.code} from {held.valid_from:%Y-%m-%d %H:%M} until {until}, by {held.granted_by}"
            )
        for duty in sorted(duties_of(user)):
            self.stdout.write(f"    {duty:45} {registry.describe(duty)}")

    def do_bootstrap(self, options: dict[str, Any]) -> None:
        admin = bootstrap.first_administrator(
            options["username"],
            email=options["email"],
            display_name=options["name"],
            password=self._password(),
        )
        self.stdout.write(f"{admin.username} is the first administrator. Make a second one.")

    def do_person(self, options: dict[str, Any]) -> None:
        made = accounts.create_person(
            options["username"],
            email=options["email"],
            display_name=options["name"],
            password=self._password(),
            actor=self._actor(options),
            reason=options["reason"],
        )
        self.stdout.write(f"{made.username} can sign in and holds no role yet")

    def do_account(self, options: dict[str, Any]) -> None:
        made = accounts.create_service_account(
            options["username"],
            owner=self._user(options["owner"]),
            purpose=options["purpose"],
            actor=self._actor(options),
            reason=options["reason"],
        )
        self.stdout.write(f"{made.username} answers to {made.owner} and holds no role yet")

    def do_password(self, options: dict[str, Any]) -> None:
        person = self._user(options["user"])
        accounts.set_password(
            person.pk, password=self._password(), actor=self._actor(options), reason=options["reason"]
        )
        self.stdout.write(f"{person.username} has a new password")

    def do_unlock(self, options: dict[str, Any]) -> None:
        user = self._user(options["user"])
        accounts.unlock(user.pk, actor=self._actor(options), reason=options["reason"])
        self.stdout.write(f"{user.username} can sign in again")

    def do_grant(self, options: dict[str, Any]) -> None:
        held = grants.grant(
            self._user(options["user"]), options["role"], actor=self._actor(options), reason=options["reason"]
        )
        self.stdout.write(f"{held.user} holds {held.role.code}")

    def do_revoke(self, options: dict[str, Any]) -> None:
        user = self._user(options["user"])
        held = RoleGrant.objects.filter(user=user, role__code=options["role"], valid_to__isnull=True).first()
        if held is None:
            raise CommandError(f"{user} holds no open grant of {options['role']}")
        grants.revoke(held.pk, actor=self._actor(options), reason=options["reason"])
        self.stdout.write(f"{user} no longer holds {options['role']}")

    def do_own(self, options: dict[str, Any]) -> None:
        account = accounts.change_owner(
            self._user(options["account"]).pk,
            owner=self._user(options["owner"]),
            actor=self._actor(options),
            reason=options["reason"],
        )
        self.stdout.write(f"{account.username} answers to {account.owner}")

    def _password(self) -> str:
        if not sys.stdin.isatty():
            return sys.stdin.readline().rstrip("\n")
        password = getpass("Password: ")
        if getpass("Again: ") != password:
            raise CommandError("The two are not the same")
        return password

    def _actor(self, options: dict[str, Any]) -> Actor:
        return Actor.of(self._user(options["by"]))

    def _user(self, username: str) -> User:
        try:
            return User.objects.get(username=username)
        except User.DoesNotExist:
            raise CommandError(f"There is no user '{username}'") from None
