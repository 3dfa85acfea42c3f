"""Entitlements of active lines, granted by the stand-in of the provisioning service over HTTP."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from o2c import clock, outbox
from o2c.access.system import system_actor
from orders.models import Entitlement
from orders.provisioning import standin
from orders.provisioning.client import Client
from orders.provisioning.run import run_due

LATER = dt.timedelta(hours=1)
"""By then the call that the service dropped is due again."""
Advance = Callable[[int], None]


def waiting() -> int:
    """How many entitlements `provision` would call the service for."""
    outbox.drain()
    return Entitlement.objects.filter(state=Entitlement.State.PENDING).count()


def provision(advance: Advance) -> None:
    """Have everything that waits granted or revoked; one call is dropped by the service, and tried again."""
    service = standin.StandIn(delay=0)
    service.misbehave("drop")
    with standin.running(service) as (_, url), Client(url) as client:
        for wait in (dt.timedelta(0), LATER):
            done = run_due(client, actor=system_actor(), now=clock.now() + wait)
            advance(done.confirmed)
