"""Import seller feed files of AWS Marketplace."""

from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from o2c import clock
from o2c.access.system import system_actor
from partners.domain.feeds import FEEDS
from partners.models import Channel
from partners.services import feeds
from partners.services.channels import AWS


class Command(BaseCommand):
    help = "Import feed files of AWS Marketplace. The same file twice changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path)
        parser.add_argument("--feed", required=True, choices=sorted(FEEDS))
        parser.add_argument(
            "--snapshot-at", type=datetime.fromisoformat, default=None, help="aware ISO time; default: now"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        channel = Channel.objects.filter(code=AWS).first()
        if channel is None:
            raise CommandError(
                "There is no channel aws yet: set it up in the console or with manage.py demo build"
            )
        for path in options["files"]:
            file = feeds.import_file(
                path,
                feed=options["feed"],
                channel=channel,
                snapshot_at=options["snapshot_at"] or clock.now(),
                actor=system_actor("aws"),
                reason="manage.py import_aws_feed",
            )
            self.stdout.write(
                f"{path}: {file.received} rows, {file.accepted} new, {file.duplicate} known,"
                f" {file.rejected} parked"
            )
