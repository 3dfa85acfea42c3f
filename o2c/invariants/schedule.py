"""The nightly check, before anybody is at work in Europe."""

from __future__ import annotations

from celery.schedules import crontab

SCHEDULE = {
    "o2c.invariants.nightly": {"task": "o2c.invariants.nightly", "schedule": crontab(hour="2", minute="10")},
}
