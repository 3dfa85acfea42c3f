"""Writing journals, set-based: any number of entries costs the same handful of statements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection

from o2c.errors import ClosedPeriod, Conflict, InvalidInput
from o2c.ledger.entries import Entry
from o2c.money import minor_units

COLUMNS = (
    "entity_id, currency, posting_date, effective_date, event_key, rule, source, memo,"
    " account, debit, credit, party_id, reference, functional"
)

STAGING = """
CREATE TEMP TABLE IF NOT EXISTS o2c_posting (
  entity_id bigint, currency text, posting_date date, effective_date date, event_key text, rule text,
  source text, memo text, account text, debit numeric, credit numeric, party_id bigint, reference text,
  functional numeric, overridden boolean, n bigint GENERATED ALWAYS AS IDENTITY
) ON COMMIT DELETE ROWS;
TRUNCATE o2c_posting
"""

# Same currency: rate 1, nothing to round. Otherwise the rate of the posting date, half away from
# zero in the functional currency; the cent or two that the lines then miss goes to the largest line.
TRANSLATE_SAME = """
UPDATE o2c_posting p SET functional = p.debit - p.credit, overridden = false
FROM ledger_legalentity e
WHERE e.id = p.entity_id AND e.currency = p.currency AND p.functional IS NULL
"""

TRANSLATE_FOREIGN = """
UPDATE o2c_posting p
SET functional = round((p.debit - p.credit) * r.rate, r.digits), overridden = false
FROM (
  SELECT e.id AS entity_id, x.currency, x.posting_date, d.digits,
         (SELECT rate FROM ledger_exchangerate
          WHERE from_currency = x.currency AND to_currency = e.currency AND valid_on <= x.posting_date
          ORDER BY valid_on DESC LIMIT 1) AS rate
  FROM (SELECT DISTINCT entity_id, currency, posting_date FROM o2c_posting WHERE functional IS NULL) x
  JOIN ledger_legalentity e ON e.id = x.entity_id AND e.currency <> x.currency
  JOIN unnest(%(currencies)s::text[], %(digits)s::int[]) d(currency, digits) ON d.currency = e.currency
) r
WHERE r.entity_id = p.entity_id AND r.currency = p.currency AND r.posting_date = p.posting_date
  AND p.functional IS NULL AND r.rate IS NOT NULL
"""

REST_TO_LARGEST = """
WITH rest AS (
  SELECT event_key, rule, sum(functional) AS amount FROM o2c_posting
  GROUP BY event_key, rule
  HAVING sum(functional) <> 0 AND NOT bool_or(overridden IS DISTINCT FROM false)
), largest AS (
  SELECT DISTINCT ON (p.event_key, p.rule) p.n, rest.amount
  FROM o2c_posting p JOIN rest USING (event_key, rule)
  ORDER BY p.event_key, p.rule, abs(p.functional) DESC, p.n
)
UPDATE o2c_posting p SET functional = p.functional - largest.amount FROM largest WHERE largest.n = p.n
"""

# Locks the periods against a close that runs at the same time; the close waits for us or we for it.
PERIODS = """
SELECT a.id FROM ledger_accountingperiod a
WHERE EXISTS (SELECT 1 FROM o2c_posting p WHERE p.entity_id = a.entity_id
              AND p.posting_date >= a.starts_on AND p.posting_date < a.ends_on)
ORDER BY a.id FOR SHARE
"""

PROBLEMS = """
SELECT DISTINCT ON (p.event_key, p.rule) p.event_key, p.rule, p.currency, p.posting_date, p.account,
       e.currency AS functional_currency, a.id AS account_id, m.id AS period_id, m.state, p.functional
FROM o2c_posting p
LEFT JOIN ledger_legalentity e ON e.id = p.entity_id
LEFT JOIN ledger_account a ON a.code = p.account
LEFT JOIN ledger_accountingperiod m ON m.entity_id = p.entity_id
     AND p.posting_date >= m.starts_on AND p.posting_date < m.ends_on
WHERE e.id IS NULL OR a.id IS NULL OR m.id IS NULL OR m.state = 'closed' OR p.functional IS NULL
ORDER BY p.event_key, p.rule LIMIT 1
"""

INSERT = """
WITH heads AS (
  SELECT DISTINCT ON (p.event_key, p.rule) p.*, m.id AS period_id
  FROM o2c_posting p JOIN ledger_accountingperiod m ON m.entity_id = p.entity_id
       AND p.posting_date >= m.starts_on AND p.posting_date < m.ends_on
  ORDER BY p.event_key, p.rule, p.n
), journals AS (
  INSERT INTO ledger_journal
    (entity_id, period_id, currency, posting_date, effective_date, event_key, rule, source, memo)
  SELECT entity_id, period_id, currency, posting_date, effective_date, event_key, rule, source, memo
  FROM heads ORDER BY n
  ON CONFLICT (event_key, rule, period_id) DO NOTHING
  RETURNING id, event_key, rule
), lines AS (
  INSERT INTO ledger_journalline (journal_id, account_id, debit, credit, functional_debit,
                                  functional_credit, party_id, reference)
  SELECT j.id, a.id, p.debit, p.credit, greatest(p.functional, 0), greatest(-p.functional, 0),
         p.party_id, p.reference
  FROM o2c_posting p JOIN journals j USING (event_key, rule) JOIN ledger_account a ON a.code = p.account
  WHERE p.debit <> 0 OR p.credit <> 0 OR p.functional <> 0
  ORDER BY p.n
)
SELECT count(*) FROM journals
"""


def _rows(entries: Iterable[Entry]) -> Iterable[tuple[Any, ...]]:
    for entry in entries:
        head = (
            entry.entity_id, entry.currency, entry.posting_date, entry.effective_date,
            entry.event_key, entry.rule, entry.source, entry.memo,
        )  # fmt: skip
        for line in entry.lines:
            yield (
                *head, line.account, line.debit, line.credit, line.party_id, line.reference,
                line.functional,
            )  # fmt: skip


def _refuse(problem: tuple[Any, ...]) -> None:
    event, rule, currency, day, account, functional, account_id, period_id, state, amount = problem
    record = f"{event} ({rule})"
    if functional is None:
        raise InvalidInput("The legal entity does not exist", record=record)
    if account_id is None:
        raise InvalidInput(
            f"Account {account} does not exist", record=record, remedy="Add it to the chart of accounts"
        )
    if period_id is None:
        raise ClosedPeriod(
            f"No accounting period contains {day}", record=record, remedy="Open the period first"
        )
    if state == "closed":
        raise ClosedPeriod(
            f"The accounting period of {day} is closed",
            record=record,
            remedy="Post it in the open period, or reopen the period through the close",
        )
    assert amount is None
    raise InvalidInput(
        f"There is no exchange rate from {currency} to {functional} on or before {day}",
        record=record,
        remedy="Load the exchange rates of that day",
    )


def _write() -> int:
    with connection.cursor() as cursor:
        cursor.execute(TRANSLATE_SAME)
        cursor.execute("SELECT DISTINCT currency FROM ledger_legalentity")
        currencies = [row[0] for row in cursor.fetchall()]
        digits = [minor_units(currency) for currency in currencies]
        cursor.execute(TRANSLATE_FOREIGN, {"currencies": currencies, "digits": digits})
        cursor.execute(REST_TO_LARGEST)
        cursor.execute(PERIODS)
        cursor.execute(PROBLEMS)
        problem = cursor.fetchone()
        if problem is not None:
            _refuse(problem)
        cursor.execute(INSERT)
        return int(cursor.fetchone()[0])


def _stage() -> None:
    if not connection.in_atomic_block:
        raise Conflict("Journals are posted in the transaction of the event that causes them")
    with connection.cursor() as cursor:
        cursor.execute(STAGING)


def post(entries: Sequence[Entry]) -> int:
    """Post the entries and return how many journals were new.

    An entry whose (event_key, rule, period) is already in the books is skipped, so a second call
    changes nothing. Lines without an amount are left out. Amounts are translated to the entity's
    functional currency at the rate of the posting date unless a line overrides it.

    Raises ClosedPeriod when a posting date lies in a closed or missing period, InvalidInput when an
    account, an entity or an exchange rate is missing; nothing is written then.
    """
    if not entries:
        return 0
    _stage()
    with connection.cursor() as cursor, cursor.copy(f"COPY o2c_posting ({COLUMNS}) FROM STDIN") as copy:
        for row in _rows(entries):
            copy.write_row(row)
    return _write()


def post_query(query: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> int:
    """Post the lines that `query` selects, without bringing them to Python; as `post` otherwise.

    `query` yields, in this order: entity_id, currency, posting_date, effective_date, event_key, rule,
    source, memo, account, debit, credit, party_id, reference, functional (null: translate). Balance
    is checked by the database at commit.
    """
    _stage()
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO o2c_posting ({COLUMNS}) {query}", parameters)
    return _write()
