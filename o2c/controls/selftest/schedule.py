"""Every night, after the invariants."""

from __future__ import annotations

from celery.schedules import crontab

SCHEDULE = {
    "o2c.selftest.nightly": {"task": "o2c.selftest.nightly", "schedule": crontab(hour="2", minute="40")},
}
