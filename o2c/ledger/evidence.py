"""Controls over the company's own bank details and the balance of the books."""

from __future__ import annotations

from o2c.evidence.approved import OF_HISTORY, item, reached, unapproved
from o2c.evidence.registry import Control

_BANK = "(bank_name, bank_account, bank_routing, swift)"
_CHANGED = f"""
FROM (SELECT h.*, lag(ROW{_BANK}) OVER (PARTITION BY id ORDER BY history_id) AS before
      FROM ledger_historicallegalentity h) h
WHERE h.history_type = '~'
  AND h.before IS DISTINCT FROM ROW(h.bank_name, h.bank_account, h.bank_routing, h.swift)
  AND h.history_date >= %(start)s AND h.history_date < %(end)s
"""
_JOURNALS = """
FROM ledger_journal j JOIN ledger_legalentity e ON e.id = j.entity_id
WHERE j.recorded_at >= %(start)s AND j.recorded_at < %(end)s
"""
_CHANGE = "SELECT h.id, h.id AS row, h.history_date AS at, h.history_txid AS transaction"
_AS_CHANGED = f"""(SELECT {OF_HISTORY.format("x")} || jsonb_build_object(
    'entity', x.code || ' ' || x.legal_name)
  FROM ledger_historicallegalentity x WHERE x.id = w.row AND x.history_date = w.at
  ORDER BY x.history_id DESC LIMIT 1)"""
_MANUAL = f"""
FROM ledger_manualjournal m JOIN ledger_legalentity e ON e.id = m.entity_id
{reached("ledger_historicalmanualjournal", "m.id", "w.state = 'posted'")}
WHERE m.state = 'posted' AND coalesce(h.history_date, now()) >= %(start)s
  AND coalesce(h.history_date, now()) < %(end)s
"""

CONTROLS = [
    Control(
        code="C-03",
        title="Bank details that customers pay to change only with the controller's approval",
        risk="Payments are diverted",
        kind="preventive",
        enforced_by="policy ledger.entity.change_bank with 72 hours cooling-off, deferred trigger",
        model="ledger.LegalEntity",
        # The column is sealed, the same account by the same text: its fingerprint tells accounts apart.
        population=f"""
SELECT h.id, h.code, h.bank_name,
       left(encode(sha256(convert_to(h.bank_account, 'UTF8')), 'hex'), 12) AS account_fingerprint,
       h.history_date AS changed_at, h.history_actor AS changed_by, h.history_txid AS transaction
{_CHANGED} ORDER BY h.history_id""",
        exceptions=f"""
{unapproved("ledger.entity.change_bank", _CHANGE + _CHANGED, _AS_CHANGED)}
ORDER BY 1, 2""",
    ),
    Control(
        code="C-07",
        title="Manual journals are prepared by one person, with support, and approved by another",
        risk="The books say what somebody wants them to say",
        kind="preventive",
        enforced_by="policy ledger.journal.post, deferred triggers on the journals, rule S32",
        model="ledger.ManualJournal",
        population=f"""
SELECT m.id, e.code AS entity, m.currency, m.posting_date, m.memo, m.support,
       (SELECT sum(l.debit) FROM ledger_manualline l WHERE l.journal_id = m.id) AS debit,
       (SELECT username FROM access_user u WHERE u.id = m.prepared_by_id) AS prepared_by,
       (SELECT username FROM access_user u WHERE u.id = m.posted_by_id) AS posted_by,
       h.history_date AS posted_at
{_MANUAL} ORDER BY m.id""",
        exceptions=f"""
SELECT m.id, 'prepared and posted by one person' AS problem {_MANUAL} AND m.prepared_by_id = m.posted_by_id
UNION ALL SELECT m.id, 'posted by whoever wrote a line' {_MANUAL}
  AND EXISTS (SELECT FROM ledger_historicalmanualline w
              WHERE w.journal_id = m.id AND w.history_user_id = m.posted_by_id AND w.history_type <> '-')
UNION ALL SELECT m.id, 'names nothing that supports it' {_MANUAL} AND trim(m.support) = ''
UNION ALL SELECT m.id, 'in the books other than as it was approved' {_MANUAL} AND (
    SELECT array_agg((l.account_id, l.debit, l.credit)::text ORDER BY l.account_id, l.debit, l.credit)
    FROM ledger_manualline l WHERE l.journal_id = m.id) IS DISTINCT FROM (
    SELECT array_agg((l.account_id, l.debit, l.credit)::text ORDER BY l.account_id, l.debit, l.credit)
    FROM ledger_journal j JOIN ledger_journalline l ON l.journal_id = j.id
    WHERE j.rule = 'manual.posted' AND j.event_key = 'ledger.manualjournal:' || m.id)
UNION ALL {unapproved("ledger.journal.post", item("m.id") + _MANUAL)}
ORDER BY 1, 2""",
    ),
    Control(
        code="C-07b",
        title="Every journal balances, in its own and in the functional currency",
        risk="The books are out of balance",
        kind="preventive",
        enforced_by="trigger o2c_balanced on ledger_journalline",
        model="ledger.Journal",
        population=f"""
SELECT j.id, e.code AS entity, j.currency, j.posting_date, j.rule, j.event_key,
       (SELECT sum(l.debit) FROM ledger_journalline l WHERE l.journal_id = j.id) AS debit
{_JOURNALS} ORDER BY j.id""",
        exceptions=f"""
SELECT j.id, 'does not balance' AS problem {_JOURNALS}
  AND (SELECT coalesce(sum(l.debit - l.credit), 1) <> 0 OR sum(l.functional_debit - l.functional_credit) <> 0
       FROM ledger_journalline l WHERE l.journal_id = j.id)
ORDER BY 1""",
    ),
]
