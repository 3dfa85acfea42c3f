"""The trial balance of an entity, and the hashes that bind signatures to it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection

from o2c.ledger.models import AccountingPeriod

TRIAL_BALANCE = """
SELECT a.code, a.name, a.kind, j.currency,
  coalesce(sum(l.debit - l.credit) FILTER (WHERE j.posting_date < %(start)s), 0),
  coalesce(sum(l.debit) FILTER (WHERE j.posting_date >= %(start)s), 0),
  coalesce(sum(l.credit) FILTER (WHERE j.posting_date >= %(start)s), 0),
  coalesce(sum(l.functional_debit - l.functional_credit) FILTER (WHERE j.posting_date < %(start)s), 0),
  coalesce(sum(l.functional_debit) FILTER (WHERE j.posting_date >= %(start)s), 0),
  coalesce(sum(l.functional_credit) FILTER (WHERE j.posting_date >= %(start)s), 0)
FROM ledger_journal j JOIN ledger_journalline l ON l.journal_id = j.id
JOIN ledger_account a ON a.id = l.account_id
WHERE j.entity_id = %(entity)s AND j.posting_date < %(end)s
GROUP BY a.code, a.name, a.kind, j.currency
ORDER BY a.code, j.currency
"""

# The same text for the same books, whoever asks and whenever.
BOOKS_HASH = """
SELECT count(*), encode(sha256(convert_to(coalesce(string_agg(
  code || '|' || currency || '|' || debit || '|' || credit || '|' || fd || '|' || fc, E'\\n'
  ORDER BY code, currency), ''), 'UTF8')), 'hex')
FROM (SELECT a.code, j.currency, sum(l.debit) AS debit, sum(l.credit) AS credit,
             sum(l.functional_debit) AS fd, sum(l.functional_credit) AS fc
      FROM ledger_journal j JOIN ledger_journalline l ON l.journal_id = j.id
      JOIN ledger_account a ON a.id = l.account_id
      WHERE j.period_id = %(period)s GROUP BY 1, 2) t
"""

RECOGNITION_HASH = """
SELECT count(*), encode(sha256(convert_to(coalesce(string_agg(
  obligation_id || '|' || kind || '|' || effective_month || '|' || revision || '|' || amount || '|'
  || functional,
  E'\\n' ORDER BY obligation_id, kind, effective_month, revision), ''), 'UTF8')), 'hex')
FROM revenue_recognition WHERE period_id = %(period)s
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One account in one currency: opening balance, movements, closing; debit positive.

    The second three are the same in the entity's currency.
    """

    account: str
    name: str
    kind: str
    currency: str
    opening: Decimal
    debit: Decimal
    credit: Decimal
    functional_opening: Decimal
    functional_debit: Decimal
    functional_credit: Decimal

    @property
    def closing(self) -> Decimal:
        return self.opening + self.debit - self.credit

    @property
    def functional_closing(self) -> Decimal:
        return self.functional_opening + self.functional_debit - self.functional_credit


def trial_balance(period: AccountingPeriod) -> list[Row]:
    """The trial balance at the end of `period`, by account and currency. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            TRIAL_BALANCE,
            {"entity": period.entity_id, "start": period.starts_on, "end": period.ends_on},
        )
        return [Row(*row) for row in cursor.fetchall()]


def hashes(period_id: int) -> dict[str, dict[str, Any]]:
    """sha256 of the period's movements by account, and of its recognitions, with their counts."""
    found: dict[str, dict[str, Any]] = {}
    with connection.cursor() as cursor:
        for name, query in (("trial_balance", BOOKS_HASH), ("recognition", RECOGNITION_HASH)):
            cursor.execute(query, {"period": period_id})
            count, digest = cursor.fetchone()
            found[name] = {"rows": count, "sha256": digest}
    return found
