"""Freeze the usage hours that are due and send them to AWS Marketplace."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand

from o2c import clock
from o2c.access.system import system_actor
from partners.aws.connection import connect
from partners.services import metering, sending


class Command(BaseCommand):
    help = "Freeze the usage hours that are due and send what is unsent. Twice is as good as once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--as-of", type=datetime.fromisoformat, default=None, help="aware ISO time; default: now"
        )
        parser.add_argument("--freeze-only", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        as_of = options["as_of"] or clock.now()
        actor = system_actor("aws")
        frozen = metering.freeze_due(as_of=as_of, actor=actor, reason="manage.py meter_aws")
        self.stdout.write(f"{frozen} hours frozen")
        if options["freeze_only"]:
            return
        sent = sending.send_due(as_of=as_of, client=connect(), actor=actor, reason="manage.py meter_aws")
        self.stdout.write(
            f"{sent.accepted} accepted, {sent.retry} to send again, {sent.held} held, {sent.lost} lost"
            f" in {sent.requests} requests"
        )
        for problem in sent.unreachable:
            self.stderr.write(problem)
