"""Run the stand-in of the AWS Marketplace Metering Service on this machine, or let a buyer subscribe
there.
"""

import secrets
import signal
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from o2c import clock
from partners.aws.connection import journal_path
from partners.aws.fake import Buyer
from partners.aws.fake_server import FakeServer
from partners.models import AgreementIdentity


class Command(BaseCommand):
    help = "Run the stand-in of AWS Marketplace metering on loopback; boto3 reaches it by endpoint_url."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
        parser.add_argument(
            "--journal", type=Path, default=None, help="where it remembers; default: the state directory"
        )
        parser.add_argument("--accepts-hours", type=int, default=24, help="how old a record may be")
        parser.add_argument(
            "--new-buyer", action="store_true", help="let a buyer subscribe, and say how to register"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        journal = options["journal"] or journal_path()
        server = FakeServer(options["port"], journal=journal, accepts_hours=options["accepts_hours"])
        if options["new_buyer"]:
            self._subscribe(server)
            return
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        self.stdout.write(f"AWS stand-in at {server.url}, remembers in {journal}")
        self.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            server.server_close()

    def _subscribe(self, server: FakeServer) -> None:
        """A buyer nobody knows accepts our offer at AWS; their browser would carry this token to us."""
        product = AgreementIdentity.objects.order_by("-pk").values_list("product_code", "product_id").first()
        if product is None:
            raise CommandError("There is no product at AWS yet: build the demonstration first")
        code = secrets.token_hex(8)
        buyer = Buyer(
            customer_identifier=f"cust{code}",
            aws_account_id=str(200_000_000_000 + secrets.randbelow(700_000_000_000)),
            license_arn=f"arn:aws:license-manager:us-east-1::license:l-{code}",
            product_code=product[0],
            product_id=product[1],
            agreement_id=f"agmt-{code}",
            offer_id=f"offer-{code}",
            subscribed_at=clock.now().isoformat(),
        )
        token = server.metering.subscribe(buyer)
        address = f"{settings.PUBLIC_URL}{reverse('aws-register')}"
        self.stdout.write(f"curl --data x-amzn-marketplace-token={token} {address}")
