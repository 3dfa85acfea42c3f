"""When the tasks of orders run."""

from __future__ import annotations

from celery.schedules import crontab

SCHEDULE = {
    "orders.provision": {"task": "orders.provision", "schedule": 60.0},
    "orders.daily": {"task": "orders.daily", "schedule": crontab(hour="0", minute="20")},
}
