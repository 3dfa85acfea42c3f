"""When the tasks of access run."""

from __future__ import annotations

from celery.schedules import crontab

SCHEDULE = {
    "o2c.access.end_grants_of_leavers": {
        "task": "o2c.access.end_grants_of_leavers",
        "schedule": crontab(minute="20"),
    },
}
