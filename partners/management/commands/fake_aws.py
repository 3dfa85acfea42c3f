"""Run the stand-in of the AWS Marketplace Metering Service on this machine."""

import signal
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from partners.aws.connection import journal_path, record_stand_in
from partners.aws.fake_server import FakeServer


class Command(BaseCommand):
    help = "Run the stand-in of AWS Marketplace metering on loopback; boto3 reaches it by endpoint_url."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
        parser.add_argument(
            "--journal", type=Path, default=None, help="where it remembers; default: the state directory"
        )
        parser.add_argument("--accepts-hours", type=int, default=24, help="how old a record may be")

    def handle(self, *args: Any, **options: Any) -> None:
        journal = options["journal"] or journal_path()
        server = FakeServer(options["port"], journal=journal, accepts_hours=options["accepts_hours"])
        record_stand_in(server.url)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        self.stdout.write(f"AWS stand-in at {server.url}, remembers in {journal}")
        self.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            server.server_close()
