"""Stand-ins for outside services that a laptop has not got, run beside the product.

One is started where its variable is not set; with the variable set, the real service is called and nothing is
started. Never in the production profile: there, what waits for a service waits.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from o2c.runtime import embedded


@dataclass(frozen=True, slots=True)
class StandIn:
    """A command of manage.py that serves on a port, and the variable that names the service's address."""

    name: str
    command: str
    variable: str
    port: int

    def arguments(self, port: int) -> tuple[str, ...]:
        return (sys.executable, "manage.py", self.command, "--port", str(port))


STANDINS = (StandIn("provisioning", "provisioning_standin", "PROVISIONING_URL", 8799),)


def wanted() -> list[tuple[StandIn, int]]:
    """Those that this environment needs, each with a free port on this machine."""
    if os.environ.get("O2C_PROFILE", "local") != "local":
        return []
    return [(s, embedded.free_port(s.port)) for s in STANDINS if not os.environ.get(s.variable)]
