"""When the tasks of revenue run."""

from __future__ import annotations

from celery.schedules import crontab

SCHEDULE = {
    "revenue.build_missing": {"task": "revenue.build_missing", "schedule": crontab(minute="35")},
}
