"""When the partner tasks run. Metering every 15 minutes: the hours around month end have little time."""

from celery.schedules import crontab

SCHEDULE = {
    "partners.metering.hourly": {
        "task": "partners.metering.hourly",
        "schedule": crontab(minute="2,17,32,47"),
    },
    "partners.reconciliation.daily": {
        "task": "partners.reconciliation.daily",
        "schedule": crontab(hour="6", minute="30"),
    },
}
