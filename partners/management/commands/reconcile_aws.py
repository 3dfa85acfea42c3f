"""Post the settlement of AWS Marketplace and reconcile every leg."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand

from o2c import clock
from o2c.access.system import system_actor
from partners.models import Break, Channel
from partners.services import reconcile, settlement


class Command(BaseCommand):
    help = "Post marketplace fees and payments, compare every leg, print totals and live breaks."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--as-of", type=datetime.fromisoformat, default=None, help="aware ISO time; default: now"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        as_of = options["as_of"] or clock.now()
        actor = system_actor("aws")
        for channel in Channel.objects.filter(active=True).order_by("pk"):
            written = settlement.post(
                channel, as_of=as_of.date(), actor=actor, reason="manage.py reconcile_aws"
            )
            self.stdout.write(f"{channel}: {written} journals posted")
            for run in reconcile.run(channel, as_of=as_of, actor=actor, reason="manage.py reconcile_aws"):
                self.stdout.write(
                    f"  {run.leg:4} {run.left_total:>18,.2f} {run.right_total:>18,.2f}"
                    f" {run.explained:>14,.2f}"
                    f"  {run.compared} compared, {run.differing} differ"
                )
            for row in Break.objects.filter(channel=channel, state__in=Break.LIVE):
                self.stdout.write(
                    f"  {row} {row.key}: {row.value} {row.currency}, {row.get_state_display().lower()}"
                )
