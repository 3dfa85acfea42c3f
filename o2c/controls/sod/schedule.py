"""How often deadlines of access reviews are looked at."""

from __future__ import annotations

from celery.schedules import crontab

SCHEDULE = {
    "o2c.sod.lapse_reviews": {"task": "o2c.sod.lapse_reviews", "schedule": crontab(minute="10")},
}
