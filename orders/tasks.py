"""What orders does in the background. Every task may run twice."""

from __future__ import annotations

import structlog
from django.conf import settings
from kombu.exceptions import OperationalError

from o2c import clock
from o2c.actor import current_actor
from o2c.celery import app
from orders.provisioning.client import Client
from orders.provisioning.run import run_due
from orders.services import orders, quotes

log = structlog.get_logger(__name__)


@app.task(name="orders.provision")
def provision() -> int:
    """Call the provisioning service for everything that waits; the sweeper starts it every minute."""
    if not settings.PROVISIONING_URL:
        return 0
    with Client(
        settings.PROVISIONING_URL,
        timeout=settings.PROVISIONING_TIMEOUT_SECONDS,
        token=settings.PROVISIONING_TOKEN,
    ) as client:
        return run_due(client, actor=current_actor()).called


@app.task(name="orders.daily")
def daily() -> dict[str, int]:
    """Close orders whose term is over and quotes whose validity is past."""
    actor, today = current_actor(), clock.today()
    return {
        "orders": orders.close_ended(actor=actor, as_of=today, reason="term is over"),
        "quotes": quotes.expire_due(actor=actor, as_of=today, reason="validity is past"),
    }


def send_provisioning() -> None:
    """Start `provision` soon. A broker out of reach is no loss: the sweeper comes within a minute."""
    if not settings.PROVISIONING_URL:
        return
    try:
        provision.delay()
    except (OperationalError, OSError) as error:
        log.warning("provisioning waits for the sweeper", error=str(error))
