"""What really happened under an act: rows that reached the controlled state, and what was asked for."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db import connection, models
from django.db.models import F, Q

from o2c.controls.approvals.domain import policy as rules
from o2c.controls.approvals.domain.backtest import Case
from o2c.controls.approvals.models import Request, Step
from o2c.controls.approvals.registry import Act

# Rows that only come and never change: each is what it was.
ADDED = """
WITH reached AS (
  SELECT h.{key} AS id FROM {history} h WHERE h.recorded_at >= %(since)s AND ({counts})
  ORDER BY h.{key} DESC LIMIT %(latest)s
)
"""

# A row counts when a version of it is in the controlled state (or has other values, for an act on values) and
# the version before is not. Its facts are those that the database says of it now.
REACHED = """
WITH versions AS (
  SELECT h.{key} AS id, h.history_id, h.history_date, h.history_type, ({counts}) AS counts,
         {values} AS said FROM {history} h
  WHERE h.{key} IN (SELECT h.{key} FROM {history} h WHERE h.history_date >= %(since)s AND ({counts}))
), moves AS (
  SELECT v.*, lag(v.counts) OVER one AS counted, lag(v.said) OVER one AS was FROM versions v
  WINDOW one AS (PARTITION BY v.id ORDER BY v.history_id)
), reached AS (
  SELECT m.id FROM moves m WHERE m.counts AND m.history_type <> '-' AND m.history_date >= %(since)s
  AND {moved} GROUP BY m.id ORDER BY max(m.history_id) DESC LIMIT %(latest)s
)
"""

FACTS = """
SELECT r.id, t.{name}::text, f::text FROM reached r JOIN {table} t ON t.{key} = r.id,
LATERAL (SELECT {function}(r.id) AS f OFFSET 0) AS l WHERE f IS NOT NULL ORDER BY r.id
"""


def happened(act: Act, *, since: dt.datetime, latest: int | None = None) -> list[Case]:
    """Every row that reached the controlled state since then, and every request since then; three queries.

    A row that a request brought there is that request, with the facts that were decided about and the steps
    of its last round; nobody was asked about the others. `latest` keeps the last so many of each.
    """
    rows = _reached(act, since, latest)
    asked = list(
        Request.objects.filter(act=act.code)
        .filter(Q(submitted_at__gte=since) | Q(result_id__in=rows.keys(), state=Request.State.COMMITTED))
        .only("subject_label", "facts", "result_id", "state")
        .order_by("-pk")[:latest]
    )
    routes: dict[int, list[str]] = {}
    steps = Step.objects.filter(request__in=[one.pk for one in asked], round=F("request__round"))
    for request, code in steps.order_by("position").values_list("request_id", "code"):
        routes.setdefault(request, []).append(code)
    done = {one.result_id for one in asked if one.state == Request.State.COMMITTED}
    return [
        *(_case(act, str(one), one.facts, routes.get(one.pk, ())) for one in asked),
        *(_case(act, label, facts, ()) for pk, (label, facts) in rows.items() if pk not in done),
    ]


def _reached(act: Act, since: dt.datetime, latest: int | None) -> dict[int, tuple[str, dict[str, Any]]]:
    model = _model(act)
    versions: Any = model.history.model if hasattr(model, "history") else None
    name = next((n for n in ("number", "code", "name") if _has(model, n)), str(model._meta.pk.column))
    counts = act.reached.replace("{row}", "h")
    if act.changes:
        # New values of a row that is there; of a new row those that are under approval from the beginning.
        born = act.born.replace("{row}", "h") or "false"
        counts = f"({counts}) AND (h.history_type <> '+' OR ({born}))"
        values = f"jsonb_build_array({', '.join(f'h.{column}' for column in act.changes)})"
        moved = "m.said IS DISTINCT FROM m.was"
    else:
        values, moved = "NULL", "m.counted IS NOT TRUE"
    sql = ((REACHED if versions else ADDED) + FACTS).format(
        key=model._meta.pk.column, counts=counts, values=values, moved=moved, function=act.function,
        history=versions._meta.db_table if versions else act.table, table=act.table, name=name,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(sql, {"since": since, "latest": latest})
        return {
            pk: (f"{model._meta.verbose_name} {label or pk}", json.loads(facts))
            for pk, label, facts in cursor.fetchall()
        }


def _model(act: Act) -> type[models.Model]:
    return next(m for m in apps.get_models() if m._meta.db_table == act.table and not m._meta.proxy)


def _has(model: type[models.Model], name: str) -> bool:
    return any(field.name == name for field in model._meta.concrete_fields)


def _case(act: Act, label: str, facts: dict[str, Any], before: Iterable[str]) -> Case:
    amount = rules.peek(facts, act.amount) if act.amount else None
    currency = str(rules.peek(facts, act.currency) or "")
    return Case(label, facts, tuple(before), None if amount is None else rules.exact(amount), currency)
