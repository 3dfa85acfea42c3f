"""manage.py demo build | summary | logins: the demonstration company."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress

from o2c.demo import real, show
from o2c.demo.walk import journey
from o2c.errors import DomainError
from o2c.runtime import control

PASSWORD = "walk-the-order-to-cash"  # noqa: S105 everybody may know it: the demonstration listens on this machine only


class Command(BaseCommand):
    help = "Build the demonstration company and walk it through three months to closed books."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        build = acts.add_parser("build", help="build it; goes on where an earlier build stopped")
        standard = journey.Scale()
        build.add_argument("--customers", type=int, default=standard.customers)
        build.add_argument("--events", type=int, default=standard.events, help="usage events in all")
        build.add_argument("--months", type=int, choices=[1, 2, 3], default=standard.months)
        build.add_argument("--seed", type=int, default=standard.seed)
        build.add_argument("--usage", type=Path, help="a trace of LLM requests to bill as well")
        build.add_argument("--prices", type=Path, help="a public price list to rate the trace with")
        acts.add_parser("summary", help="the figures of the books as they are")
        acts.add_parser("logins", help="the address and one sign-in per persona")

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console()
        try:
            getattr(self, options["act"])(console, options)
        except DomainError as error:
            raise CommandError(str(error)) from error

    def build(self, console: Console, options: dict[str, Any]) -> None:
        scale = journey.Scale(options["customers"], options["events"], options["months"], options["seed"])
        trace = real.Trace.of(options["usage"], options["prices"])
        here = journey.finished(scale)
        if here:
            console.print("The demonstration company is here, its months are closed.")
        with Progress(*show.Bars.columns(), console=console) as progress:
            if not here:
                journey.walk(scale, PASSWORD, show.Bars(progress), trace=trace)
            elif trace is not None:
                journey.bill_trace(scale, trace, show.Bars(progress))
        show.print_summary(console)

    def summary(self, console: Console, options: dict[str, Any]) -> None:
        show.print_summary(console)

    def logins(self, console: Console, options: dict[str, Any]) -> None:
        port = control.web_port()
        show.print_logins(console, control.address(port) if port else "(not running)", PASSWORD)
