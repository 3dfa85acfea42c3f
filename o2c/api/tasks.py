"""Housekeeping of the API."""

from __future__ import annotations

from o2c.api import idempotency
from o2c.celery import app


@app.task(name="o2c.api.forget")
def forget() -> int:
    """Delete the answers to idempotency keys that are past their time; returns how many."""
    return idempotency.forget()
