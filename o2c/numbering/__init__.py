"""Gapless document numbers, taken in the transaction that posts.

The series row stays locked until that transaction ends, so a rollback gives its numbers back and
the next poster waits for the answer. A void document keeps its number.
"""

from __future__ import annotations

from django.db import connection

from o2c.errors import Conflict, NotFound

TAKE = """
INSERT INTO numbering_numberseries AS s (entity_id, series, year, last) VALUES (%s, %s, %s, %s)
ON CONFLICT (entity_id, series, year) DO UPDATE SET last = s.last + excluded.last
RETURNING last, (SELECT code FROM ledger_legalentity WHERE id = s.entity_id)
"""


def take(entity_id: int, series: str, year: int, count: int = 1) -> list[str]:
    """The next `count` numbers, in order, such as 'US-INV-2026-000001'.

    Raises Conflict outside a transaction: a number taken by itself would leave a gap.
    """
    if not connection.in_atomic_block:
        raise Conflict(
            f"A {series} number was asked for outside a transaction",
            remedy="Take it in the transaction that posts the document",
        )
    with connection.cursor() as cursor:
        cursor.execute(TAKE, [entity_id, series, year, count])
        last, code = cursor.fetchone()
    if code is None:
        raise NotFound(f"There is no legal entity {entity_id}")
    return [f"{code}-{series}-{year}-{n:06d}" for n in range(last - count + 1, last + 1)]
