"""Looking at something changes nothing: every page of the console is opened, and the database is watched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection, models
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse

from o2c.access.roles import SHIPPED
from o2c.console import RecordAdmin
from o2c.console.registry import Queue, registry
from tests.factories.access import make_user
from tests.factories.world import make_world

WRITE = re.compile(r"^\s*(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE|COPY)\s+\"?(\w+)", re.IGNORECASE)
# A look renews the session, and an export is itself a fact to be recorded.
MAY = {"django_session"}


@contextmanager
def watching() -> Iterator[list[str]]:
    """Collects the tables that are written to."""
    written: list[str] = []

    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        match = WRITE.match(sql)
        if match and match[1] not in MAY:
            written.append(match[1])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(wrapper):
        yield written


def addresses(request_user: Any) -> Iterator[str]:
    """Every page of every record type: lists, dialogs of lists, and for one record its pages and dialogs."""
    for model, page in admin.site._registry.items():
        if not isinstance(page, RecordAdmin):
            continue
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        yield from (reverse(f"{name}_list_act", args=[act.name]) for act in page.list_acts)
        for row in _rows(page, request_user):
            yield reverse(f"{name}_change", args=[row.pk])
            yield reverse(f"{name}_change", args=[row.pk]) + "?edit=1"
            yield reverse(f"{name}_timeline", args=[row.pk])
            if hasattr(model, "history"):
                yield reverse(f"{name}_history", args=[row.pk])
                yield reverse(f"{name}_as_of", args=[row.pk]) + "?at=2030-01-01T00:00"
            yield from (reverse(f"{name}_act", args=[row.pk, act.name]) for act in page.all_acts)
            yield from (reverse(f"{name}_why", args=[row.pk, field]) for field in page.why_fields)
    yield from (reverse("admin:queue", args=[queue.code]) for queue in registry.all(Queue))
    yield from (reverse(f"admin:{name}") for name in ("index", "find", "checks"))


def _rows(page: RecordAdmin, user: Any) -> list[models.Model]:
    """One record in each state, or simply the first."""
    request = HttpRequest()
    request.user = user
    rows = page.get_queryset(request)
    if not page.state_field_name:
        return list(rows[:1])
    states = rows.order_by().values_list(page.state_field_name, flat=True).distinct()
    return [rows.filter(**{page.state_field_name: state})[0] for state in states]


@pytest.mark.django_db
@pytest.mark.slow
def test_no_page_writes_when_it_is_looked_at(client: Client) -> None:
    make_world()
    person = make_user("sees-all", *(role.code for role in SHIPPED), excused=True)
    client.force_login(person, backend="o2c.access.backends.DutyBackend")
    wrong: list[str] = []
    seen = 0
    for address in addresses(person):
        with watching() as written:
            answer = client.get(address, follow=True)
        seen += 1
        if answer.status_code != 200:
            wrong.append(f"{address} answers {answer.status_code}")
        if written:
            wrong.append(f"{address} writes to {sorted(set(written))}")
    assert not wrong, "\n".join(wrong)
    assert seen > 100
