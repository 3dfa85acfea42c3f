"""Events reach their consumers."""

from __future__ import annotations

from o2c import outbox
from o2c.celery import app


@app.task(name="o2c.outbox.drain")
def drain() -> int:
    """Deliver what is due. Several at once do no harm: one at a time serves a consumer."""
    return outbox.drain()
