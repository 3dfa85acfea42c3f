"""What records are made of: every path that an app declares leads to a table that keeps who wrote it."""

from __future__ import annotations

import pytest
from django.db import connection

from o2c.controls.sod.declare import declared
from o2c.controls.sod.paths import pairs, target, written

pytestmark = pytest.mark.django_db

LABELS = sorted({*declared().lineage, *declared().links})


@pytest.mark.parametrize("label", LABELS)
def test_every_declared_path_leads_to_a_table_that_keeps_its_writers(label: str) -> None:
    for path in ("", *declared().paths(label)):
        assert written(target(label, path)).table
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT subject, source FROM ({pairs(label, path)}) p LIMIT 1")
            assert [column.name for column in cursor.description or ()] == ["subject", "source"]


def test_every_act_is_of_a_table_that_keeps_its_writers() -> None:
    for acts in declared().acts.values():
        assert all(written(target(act.model, "")) for act in acts)
