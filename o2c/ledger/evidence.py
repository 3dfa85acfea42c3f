"""Controls over the company's own bank details and the balance of the books."""

from __future__ import annotations

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
SELECT h.id, 'changed on ' || h.history_date || ' without an approval' AS problem {_CHANGED}
  AND NOT EXISTS (SELECT FROM approvals_request r JOIN approvals_decision d ON d.request_id = r.id
                  WHERE r.act = 'ledger.entity.change_bank' AND r.committed_txid = h.history_txid
                    AND d.verdict IN ('approve', 'carried') AND d.decided_by_id <> r.requested_by_id)
ORDER BY 1""",
    ),
    Control(
        code="C-07",
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
