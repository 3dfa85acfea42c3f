"""The dunning plan that ships: made after a migration when the table is there and a level is not."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db import connection

from o2c.actor import Actor, acting

# level, name, days past due, subject, body, a person calls instead
PLAN: tuple[tuple[int, str, int, str, str, bool], ...] = (
    (
        1,
        "Friendly reminder",
        3,
        "Reminder: {amount} is due",
        "Our invoices below were due on {oldest_due} and are still open. If your payment is on its way, "
        "please disregard this message.",
        False,
    ),
    (
        2,
        "Second reminder",
        15,
        "Second reminder: {amount} is overdue",
        "The invoices below are {days} days past due. Please pay them now, or tell us what is in the way.",
        False,
    ),
    (
        3,
        "Final notice",
        30,
        "Final notice: {amount} is {days} days overdue",
        "Despite our reminders the invoices below are {days} days past due. Without your payment or an "
        "answer within seven days we have to consider suspending the service.",
        False,
    ),
    (4, "Call", 45, "", "Call the customer, agree a date, note it.", True),
)


def make_levels() -> int:
    """Make the levels of PLAN that are not there; how many were new. The actor is the caller's."""
    from billing.models import DunningLevel

    known = set(DunningLevel.objects.values_list("level", flat=True))
    fresh = [
        DunningLevel(
            level=level, name=name, days_overdue=days, subject=subject, body=body, escalates=escalates
        )
        for level, name, days, subject, body, escalates in PLAN
        if level not in known
    ]
    DunningLevel.objects.bulk_create(fresh)
    return len(fresh)


def sync(sender: AppConfig, **kwargs: Any) -> None:
    """post_migrate: a new installation has a plan; one that a person changed stays as it is."""
    from billing.models import DunningLevel

    if "billing_dunninglevel" not in connection.introspection.table_names():
        return
    if not DunningLevel.objects.exists():
        with acting(Actor.installer(), reason="The dunning plan that ships"):
            make_levels()
