"""How often history is sealed and anchored."""

from __future__ import annotations

from celery.schedules import crontab

SCHEDULE = {
    "o2c.audit.seal": {"task": "o2c.audit.seal", "schedule": 3.0, "options": {"expires": 10.0}},
    "o2c.audit.anchor": {"task": "o2c.audit.anchor", "schedule": crontab(minute="*/10")},
}
