"""Run the stand-in for the internal provisioning service."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from orders.provisioning.standin import MISDEEDS, StandIn, running


class Command(BaseCommand):
    help = "Run the stand-in for the internal provisioning service until it is stopped."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8799)
        parser.add_argument("--delay", type=float, default=10.0, help="Seconds that a slow answer takes.")
        parser.add_argument(
            "--misbehave", nargs="*", default=[], choices=sorted(MISDEEDS), help="To the first calls."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        standin = StandIn(delay=options["delay"])
        standin.misbehave(*options["misbehave"])
        over = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: over.set())
        with running(standin, host=options["host"], port=options["port"]) as (_, url):
            self.stdout.write(
                f"Provisioning stand-in on {url}; PROVISIONING_URL={url} points the product at it."
            )
            self.stdout.flush()
            over.wait()
