"""Controls over a partner's bank details, and over what marketplaces are asked to give back."""

from __future__ import annotations

from o2c.evidence.registry import Control

_BANK = "(bank_name, bank_account, bank_routing, swift)"
_CHANGED = f"""
FROM (SELECT h.*, lag(ROW{_BANK}) OVER (PARTITION BY id ORDER BY history_id) AS before
      FROM partners_historicalchannel h) h
WHERE h.history_type = '~'
  AND h.before IS DISTINCT FROM ROW(h.bank_name, h.bank_account, h.bank_routing, h.swift)
  AND h.history_date >= %(start)s AND h.history_date < %(end)s
"""
_APPROVED = """
FROM partners_marketplacerefund r JOIN partners_awsagreement a ON a.id = r.agreement_id
WHERE r.approved_at >= %(start)s AND r.approved_at < %(end)s
"""
_LIVE = "r.state NOT IN ('draft', 'rejected', 'cancelled')"

CONTROLS = [
    Control(
        code="C-12",
        title="Bank details of partners change only with the controller's approval, three days later",
        risk="Money of somebody else is taken for theirs; a payout is diverted",
        kind="preventive",
        enforced_by="policy partners.bank.change with 72 hours cooling-off, deferred trigger, rule S43",
        model="partners.Channel",
        population=f"""
SELECT h.id, h.code, h.bank_name, h.history_date AS changed_at, h.history_actor AS changed_by,
       h.history_txid AS transaction
{_CHANGED} ORDER BY h.history_id""",
        exceptions=f"""
SELECT h.id, 'changed on ' || h.history_date || ' without an approval of three days before' AS problem
{_CHANGED}
  AND NOT EXISTS (SELECT FROM approvals_request q JOIN approvals_decision d ON d.request_id = q.id
                  WHERE q.act = 'partners.bank.change' AND q.committed_txid = h.history_txid
                    AND d.verdict IN ('approve', 'carried') AND d.decided_by_id <> q.requested_by_id
                    AND d.recorded_at <= h.history_date - interval '72 hours')
ORDER BY 1""",
    ),
    Control(
        code="C-12b",
        title="Marketplace refunds are approved by another person and never exceed what was billed",
        risk="Money is given back without authority, or twice",
        kind="preventive",
        enforced_by="policy partners.refund.approve, triggers o2c_refund_new, o2c_refund_approved, rule S45",
        model="partners.MarketplaceRefund",
        population=f"""
SELECT r.id, a.number AS agreement, r.invoice_ref, r.amount, r.currency, r.reason_code, r.state,
       (SELECT username FROM access_user u WHERE u.id = r.drafted_by_id) AS drafted_by,
       (SELECT username FROM access_user u WHERE u.id = r.approved_by_id) AS approved_by, r.approved_at
{_APPROVED} ORDER BY r.id""",
        exceptions=f"""
SELECT r.id, 'approved by whoever drafted it' AS problem {_APPROVED}
  AND EXISTS (SELECT FROM partners_historicalmarketplacerefund h WHERE h.id = r.id AND h.history_type = '+'
              AND h.history_user_id IN (
                SELECT m.history_user_id FROM partners_historicalmarketplacerefund m
                WHERE m.id = r.id AND m.state = 'approved'))
UNION ALL SELECT r.id, 'above 1,000 without an approval' {_APPROVED}
  AND {_LIVE} AND r.currency = 'USD' AND r.amount > 1000
  AND NOT EXISTS (SELECT FROM approvals_request q WHERE q.act = 'partners.refund.approve'
                  AND q.subject_id = r.id AND q.state = 'committed')
UNION ALL SELECT r.id, 'refunds of its invoice are more than AWS billed' {_APPROVED}
  AND {_LIVE} AND EXISTS (SELECT FROM partners_refundable(r.agreement_id, r.invoice_ref) b
                          WHERE b.asked + b.unasked > b.billed)
ORDER BY 1, 2""",
    ),
]
