"""When the tasks of billing run."""

from __future__ import annotations

from celery.schedules import crontab

SCHEDULE = {
    "billing.sweep_deliveries": {"task": "billing.sweep_deliveries", "schedule": 60.0},
    "billing.match_receipts": {"task": "billing.match_receipts", "schedule": 300.0},
    "billing.compare_contracts": {
        "task": "billing.compare_contracts",
        "schedule": crontab(hour="2", minute="30"),
    },
    "billing.bill_thresholds": {"task": "billing.bill_thresholds", "schedule": crontab(hour="5", minute="0")},
    "billing.expire_grants": {"task": "billing.expire_grants", "schedule": crontab(hour="6", minute="0")},
    "billing.remind": {"task": "billing.remind", "schedule": crontab(hour="7", minute="0")},
}
