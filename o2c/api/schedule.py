"""When the API's housekeeping runs."""

from __future__ import annotations

from celery.schedules import crontab

SCHEDULE = {"o2c.api.forget": {"task": "o2c.api.forget", "schedule": crontab(hour="3", minute="50")}}
