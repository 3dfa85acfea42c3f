"""When the runtime's own tasks run."""

from __future__ import annotations

from celery.schedules import crontab

SCHEDULE = {
    "o2c.runtime.sweep": {"task": "o2c.runtime.sweep", "schedule": 60.0},
    "o2c.runtime.forget": {"task": "o2c.runtime.forget", "schedule": crontab(hour="3", minute="40")},
}
