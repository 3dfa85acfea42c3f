"""Every reading call with rows behind it: answers, pages, details, and a fixed number of queries."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from o2c.api.permissions import SIGNED_IN
from tests.api.conftest import Caller
from tests.api.test_every_call import CALLS, decent
from tests.factories.access import make_account, make_role, make_token
from tests.factories.world import World, make_world

MOST_QUERIES = 16  # of which two say who calls


@pytest.fixture
def world(db: None) -> World:
    return make_world()


@pytest.fixture
def reader(world: World) -> Caller:
    duties = {call.duty for call in CALLS if call.method == "GET"} - {SIGNED_IN}
    make_role("reader", duties)
    return Caller(make_token(make_account("reader", "reader"), duties))


def keys(row: dict[str, Any]) -> list[str]:
    """What a row may be asked for by."""
    return [str(row[name]) for name in ("number", "code", "id") if row.get(name)]


@pytest.mark.slow
def test_lists_and_details_answer_in_few_queries(reader: Caller) -> None:
    seen: dict[str, dict[str, Any]] = {}
    filled = 0
    for call in (c for c in CALLS if c.method == "GET" and "/1" not in c.path):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answer = reader.get(call.path)
        assert answer.status_code in (200, 422), (call, answer.content[:300])
        assert len(queries) <= MOST_QUERIES, (call, len(queries))
        rows = answer.json().get("data", []) if answer.status_code == 200 else []
        if isinstance(rows, list) and rows:
            seen[call.path] = rows[0]
            filled += 1
    assert filled >= 8, sorted(seen)

    opened = 0
    for call in (c for c in CALLS if c.method == "GET" and re.search(r"/1(/|$)", c.path)):
        parent = call.path.split("/1")[0]
        for key in keys(seen.get(parent, {})):
            with CaptureQueriesContext(connection) as queries:
                answer = reader.get(call.path.replace("/1", f"/{key}", 1))
            if answer["Content-Type"] != "application/pdf":
                decent(answer, (call, key))
            assert len(queries) <= MOST_QUERIES, (call, len(queries))
            opened += answer.status_code == 200
    assert opened >= 6
