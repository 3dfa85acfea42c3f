"""manage.py load_tax_rates FILE --as USER: load dated tax rates from a CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.services import tax
from o2c.access.models import User
from o2c.actor import Actor
from o2c.errors import DomainError


class Command(BaseCommand):
    help = "Load tax rates by jurisdiction from a CSV file. Loading the same file twice changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help=f"Columns: {', '.join(tax.FIELDS)}")
        parser.add_argument("--as", dest="username", required=True, help="Who loads them: a user name")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['username']}")
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"{path} is not a file")
        try:
            added, same = tax.load(path, actor=Actor.of(user))
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{added} rates added, {same} were there already")
