"""How many queries each page asks: the same for one row as for many, and never more than is pinned.

`O2C_PIN_QUERIES=1 pytest tests/console/test_query_counts.py` writes the figures of today into
query_counts.json;
the diff is then part of the review.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from o2c.access.roles import SHIPPED
from o2c.console import RecordAdmin
from o2c.console.panels import Panel
from o2c.console.registry import Queue, registry
from tests.factories.access import make_user
from tests.factories.world import make_world

PINS = Path(__file__).with_name("query_counts.json")
# Home, a list and an object page have their own ceilings, whatever is pinned.
MOST = {"list": 20, "page": 45, "queue": 25, "home": 40}

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture
def seer(client: Client) -> Client:
    """Somebody who sees every page, in a company in which everything happened once."""
    make_world()
    person = make_user("sees-all", *(role.code for role in SHIPPED), excused=True)
    client.force_login(person, backend="o2c.access.backends.DutyBackend")
    client.person = person  # type: ignore[attr-defined]
    return client


def pages(user: Any) -> Iterator[tuple[str, str]]:
    """(name, address) of every list, of the page of the newest record of each model, of every queue,
    and home.
    """
    for model, page in admin.site._registry.items():
        if not isinstance(page, RecordAdmin):
            continue
        base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield f"list {model._meta.label_lower}", reverse(f"{base}_changelist")
        request = HttpRequest()
        request.user = user
        newest = page.get_queryset(request).order_by("-pk").first()
        if newest is not None:
            yield f"page {model._meta.label_lower}", reverse(f"{base}_change", args=[newest.pk])
    for queue in registry.all(Queue):
        yield f"queue {queue.code}", reverse("admin:queue", args=[queue.code])
    yield "home", reverse("admin:index")


def queries(client: Client, address: str) -> list[str]:
    """What a page asks the database, once its session and figures are there."""
    cache.clear()
    with CaptureQueriesContext(connection) as captured:
        response = client.get(address, follow=True)
    assert response.status_code == 200, f"{address} answers {response.status_code}"
    return [query["sql"] for query in captured]


def test_no_page_asks_more_than_is_pinned(seer: Client) -> None:
    counts = {name: len(queries(seer, address)) for name, address in pages(seer.person)}  # type: ignore[attr-defined]
    if os.environ.get("O2C_PIN_QUERIES"):
        PINS.write_text(json.dumps(counts, indent=1, sort_keys=True) + "\n")
    pinned = json.loads(PINS.read_text())

    more = {name: (n, pinned.get(name)) for name, n in counts.items() if n > pinned.get(name, 0)}
    high = {name: n for name, n in counts.items() if n > MOST[name.split()[0]]}

    assert more == {}, "More queries than pinned (now, pinned); if that is right, pin again"
    assert high == {}, "More queries than any page of its kind may ask"


def test_a_list_asks_the_same_for_one_row_as_for_all(seer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    lists = [(n, a) for n, a in pages(seer.person) if n.startswith("list")]  # type: ignore[attr-defined]
    all_rows = {name: queries(seer, address) for name, address in lists}
    for page in admin.site._registry.values():
        monkeypatch.setattr(page, "list_per_page", 1)

    worse = {
        name: all_rows[name][-3:]
        for name, address in lists
        if len(all_rows[name]) > len(queries(seer, address))
    }

    assert worse == {}, "Queries that grow with the rows: use list_select_related, or annotate"


def test_a_page_asks_the_same_for_one_row_of_a_panel_as_for_all(
    seer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [(n, a) for n, a in pages(seer.person) if n.startswith("page")]  # type: ignore[attr-defined]
    all_rows = {name: queries(seer, address) for name, address in records}
    fetch = Panel.fetch
    monkeypatch.setattr(Panel, "fetch", lambda panel: fetch(panel)[:1])

    worse = {
        name: all_rows[name][-3:]
        for name, address in records
        if len(all_rows[name]) > len(queries(seer, address))
    }

    assert worse == {}, "Queries that grow with the rows of a panel: select_related what its columns read"
