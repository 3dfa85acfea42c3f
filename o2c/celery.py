"""The Celery application. Tasks live in each app's tasks.py, their timetable in its schedule.py.

A schedule.py declares `SCHEDULE = {"billing.nightly": {"task": "billing.nightly", "schedule": crontab(…)}}`.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "o2c.settings")

from o2c.runtime import broker

broker.register()

app = Celery("o2c", task_cls="o2c.runtime.tasking:ActingTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def _keep_django_logging(**_: Any) -> None:
    """Celery would replace the log configuration of the settings by its own."""


@app.on_after_finalize.connect
def _timetable(sender: Celery, **_: Any) -> None:
    """Collect what the installed apps want to be run, and when."""
    from django.apps import apps

    for config in apps.get_app_configs():
        name = f"{config.name}.schedule"
        if find_spec(name) is not None:
            sender.conf.beat_schedule.update(import_module(name).SCHEDULE)


import o2c.runtime.signals_of_life  # noqa: E402, F401
