"""Answers to the checklist of a close: computed live, or as they were stored at an attempt."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection

from o2c.ledger.models import AccountingPeriod
from revenue.models import CloseRun, Explanation, TieOut
from revenue.tieouts.registry import TieOutQuery, checklist

LISTED = 50

# The digest covers every row that differs, not only those that are listed.
ANSWER = """
WITH t(subject, currency, expected, actual) AS (
  SELECT q.a, q.b, coalesce(q.c, 0), coalesce(q.d, 0) FROM ({sql}) AS q(a, b, c, d)
)
SELECT coalesce(sum(expected), 0), coalesce(sum(actual), 0), coalesce(sum(abs(expected - actual)), 0),
  count(*), count(*) FILTER (WHERE expected <> actual),
  encode(sha256(convert_to(coalesce(string_agg(
    subject || '|' || currency || '|' || trim_scale(expected) || '|' || trim_scale(actual), E'\\n'
    ORDER BY subject, currency) FILTER (WHERE expected <> actual), ''), 'UTF8')), 'hex'),
  (SELECT coalesce(jsonb_agg(to_jsonb(x)), '[]') FROM (
     SELECT subject, currency, trim_scale(expected)::text AS expected, trim_scale(actual)::text AS actual
     FROM t WHERE expected <> actual ORDER BY abs(expected - actual) DESC, subject LIMIT {limit}) x)
FROM t
"""

ROWS = """
WITH t(subject, currency, expected, actual) AS (
  SELECT q.a, q.b, coalesce(q.c, 0), coalesce(q.d, 0) FROM ({sql}) AS q(a, b, c, d)
)
SELECT subject, currency, expected, actual, expected - actual FROM t
ORDER BY abs(expected - actual) DESC, subject LIMIT {limit}
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one query says about a period. `difference` adds the rows' differences by size."""

    code: str
    expected: Decimal
    actual: Decimal
    difference: Decimal
    rows: int
    differing: int
    figures_digest: str
    listing: list[dict[str, str]]
    query_digest: str


@dataclass(frozen=True, slots=True)
class Item:
    """An item of the checklist as it stands in a close: its query, last answer, explanation."""

    query: TieOutQuery
    answer: TieOut | None
    explanation: Explanation | None

    @property
    def standing(self) -> str:
        """ "agrees", "explained", "differs" or "not run"."""
        if self.answer is None:
            return "not run"
        if self.answer.agrees:
            return "agrees"
        return "explained" if self.explanation else "differs"

    @property
    def owner_text(self) -> str:
        return self.query.owner.replace("_", " ").capitalize()

    @property
    def expected_text(self) -> str:
        return self._figure("expected")

    @property
    def actual_text(self) -> str:
        return self._figure("actual")

    @property
    def difference_text(self) -> str:
        return self._figure("difference")

    def _figure(self, name: str) -> str:
        """A figure of the last answer as text; amounts of several currencies are a control total."""
        if self.answer is None:
            return ""
        value: Decimal = getattr(self.answer, name)
        return f"{value:,.0f}" if self.query.unit == "count" else f"{value:,.2f}"


def evaluate(period: AccountingPeriod, queries: Iterable[TieOutQuery] | None = None) -> list[Answer]:
    """Run the checklist, or some of its queries, against the books as they are now. One query each."""
    found = []
    with connection.cursor() as cursor:
        for query in queries or checklist():
            cursor.execute(ANSWER.format(sql=query.sql, limit=LISTED), _parameters(period))
            *figures, listing = cursor.fetchone()
            listed = json.loads(listing) if isinstance(listing, str) else listing
            expected, actual, difference, rows, differing, digest = figures
            found.append(
                Answer(
                    query.code, expected, actual, difference, rows, differing, digest, listed, query.digest
                )
            )
    return found


def rows(period: AccountingPeriod, query: TieOutQuery, limit: int = 1000) -> list[tuple[Any, ...]]:
    """The rows behind an item, live, those that differ most first: subject, currency, expected, actual,
    difference."""
    with connection.cursor() as cursor:
        cursor.execute(ROWS.format(sql=query.sql, limit=int(limit)), _parameters(period))
        return cursor.fetchall()


def _parameters(period: AccountingPeriod) -> dict[str, int | dt.date]:
    return {
        "entity": period.entity_id,
        "period": period.pk,
        "start": period.starts_on,
        "end": period.ends_on,
    }


def items(run: CloseRun) -> list[Item]:
    """The whole checklist of a close as of its last attempt. Two queries."""
    answers = {answer.code: answer for answer in _last_answers(run)}
    explained = {
        (e.code, e.figures_digest): e
        for e in Explanation.objects.filter(close=run).select_related("explained_by")
    }
    found = []
    for query in checklist():
        answer = answers.get(query.code)
        why = explained.get((query.code, answer.figures_digest)) if answer else None
        found.append(Item(query, answer, why))
    return found


def unanswered(run: CloseRun) -> list[TieOut]:
    """The answers of the last attempt that differ and that nobody explained with these figures."""
    return [item.answer for item in items(run) if item.answer and item.standing == "differs"]


def _last_answers(run: CloseRun) -> Sequence[TieOut]:
    return list(TieOut.objects.filter(close=run, attempt=run.attempt))
