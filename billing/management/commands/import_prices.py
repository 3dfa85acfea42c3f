"""manage.py import_prices FILE --as USER --approved-by USER: a public price list into the catalogue."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.services import price_lists
from o2c import clock
from o2c.access.models import User
from o2c.actor import Actor
from o2c.errors import DomainError

SHOWN = 10


class Command(BaseCommand):
    help = "Import a public price list of language models. Importing it twice changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="genai-prices' data.json, or LiteLLM's model prices")
        parser.add_argument("--as", dest="maker", required=True, help="Who drafts: a user name")
        parser.add_argument("--approved-by", required=True, help="Who makes the prices valid: a user name")
        parser.add_argument(
            "--from", dest="effective_from", type=dt.date.fromisoformat, default=clock.today()
        )
        parser.add_argument("--only", default="", help='Models that begin so: "openai/gpt-4o"')

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"{path} is not a file")
        try:
            done = price_lists.import_file(
                path,
                effective_from=options["effective_from"],
                actor=self._actor(options["maker"]),
                activator=self._actor(options["approved_by"]),
                only=options["only"],
            )
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{done.skus} SKUs and {done.prices} prices added, {done.same} prices were there")
        if done.waiting:
            self.stdout.write(f"{done.waiting} of them are so much lower that they wait for approval")
        for record, why in done.left_out[:SHOWN]:
            self.stdout.write(f"left out: {record}: {why}")
        if len(done.left_out) > SHOWN:
            self.stdout.write(f"left out: {len(done.left_out) - SHOWN} more")

    def _actor(self, username: str) -> Actor:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no user {username}")
        return Actor.of(user)
