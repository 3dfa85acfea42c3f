"""What was written under emergency access: every history row of the transactions that used a lent duty."""

from __future__ import annotations

from dataclasses import dataclass

from django.apps import apps
from django.db import connection

from o2c.audit.triggers import lit, q
from o2c.controls.breakglass.models import Session


@dataclass(frozen=True, slots=True)
class Written:
    """Rows of one table: how many were made, changed and deleted, and the ids of some."""

    what: str
    made: int
    changed: int
    deleted: int
    ids: str


def written(session: Session) -> list[Written]:
    """By table, in one statement; nothing when no lent duty was used."""
    txids = sorted(set(session.uses.values_list("txid", flat=True)))
    if not txids or session.opened_at is None:
        return []
    parts = []
    for model in apps.get_models():
        history = getattr(model, "history", None)
        pk = model._meta.pk
        if history is None or pk is None or model._meta.proxy:
            continue
        table, key = history.model._meta.db_table, str(pk.column)
        parts.append(
            f"SELECT {lit(str(model._meta.verbose_name))} AS what, history_type AS how, {q(key)}::text AS id"
            f" FROM {q(table)} WHERE history_date >= %(since)s AND history_date <= %(until)s"
            " AND history_txid = ANY(%(txids)s)"
        )
    sql = (
        "SELECT what, count(*) FILTER (WHERE how = '+'), count(*) FILTER (WHERE how = '~'),"
        " count(*) FILTER (WHERE how = '-'), string_agg(DISTINCT id, ', ')"
        f" FROM ({' UNION ALL '.join(parts)}) all_rows GROUP BY what ORDER BY what"
    )
    values = {"since": session.opened_at, "until": session.ends_at, "txids": txids}
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [
            Written(what, made, changed, deleted, ids[:200])
            for what, made, changed, deleted, ids in cursor.fetchall()
        ]
