"""Controls over a partner's bank details, and over what marketplaces are asked to give back."""

from __future__ import annotations

from o2c.evidence.approved import OF_HISTORY, item, reached, unapproved
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
_CHANGE = "SELECT h.id, h.id AS row, h.history_date AS at, h.history_txid AS transaction"
_AS_CHANGED = f"""(SELECT {OF_HISTORY.format("x")} || jsonb_build_object('partner', x.code || ' ' || x.name)
  FROM partners_historicalchannel x WHERE x.id = w.row AND x.history_date = w.at
  ORDER BY x.history_id DESC LIMIT 1)"""
_REFUNDS = item("r.id") + _APPROVED.replace(
    "WHERE", reached("partners_historicalmarketplacerefund", "r.id", "w.state = 'approved'") + " WHERE", 1
)
_CREDITED = """
FROM partners_bankcredit b JOIN partners_channel c ON c.id = b.channel_id
WHERE b.recorded_at >= %(start)s AND b.recorded_at < %(end)s
"""
# The channel's own word for a payment, its newest version.
_PAYMENTS = """
(SELECT DISTINCT ON (e.billing_event_id) e.* FROM partners_billingevent e
 WHERE e.channel_id = b.channel_id AND e.bank_trace_id = b.bank_trace_id
   AND e.transaction_type = 'DISBURSEMENT'
 ORDER BY e.billing_event_id, e.update_date DESC, e.id DESC)
"""
_PAID = f"CROSS JOIN LATERAL (SELECT sum(q.amount) AS amount FROM {_PAYMENTS} q WHERE NOT q.deleted) p"

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
{unapproved("partners.bank.change", _CHANGE + _CHANGED, _AS_CHANGED)}
ORDER BY 1, 2""",
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
UNION ALL {unapproved("partners.refund.approve", _REFUNDS)}
UNION ALL SELECT r.id, 'refunds of its invoice are more than AWS billed' {_APPROVED}
  AND {_LIVE} AND EXISTS (SELECT FROM partners_refundable(r.agreement_id, r.invoice_ref) b
                          WHERE b.asked + b.unasked > b.billed)
ORDER BY 1, 2""",
    ),
    Control(
        code="C-14b",
        title="What a channel says it paid is what our bank received",
        risk="A payout is diverted on its way, or money of somebody else is taken for it",
        kind="detective",
        enforced_by="partners.services.legs.bank, breaks BANK_MISSING, BANK_UNIDENTIFIED and BANK_OTHER",
        model="partners.BankCredit",
        population=f"""
SELECT b.id, c.code AS channel, b.bank_trace_id, b.currency, b.amount, b.value_date, b.recorded_at
{_CREDITED} ORDER BY b.id""",
        exceptions=f"""
SELECT b.id, 'no payment of the channel has its trace' AS problem {_CREDITED}
  AND b.value_date < %(end)s::date - 5 AND NOT EXISTS (SELECT FROM {_PAYMENTS} p WHERE NOT p.deleted)
UNION ALL SELECT b.id, 'the channel says that it paid ' || p.amount
  {_CREDITED.replace("WHERE", f"{_PAID} WHERE", 1)}
  AND abs(p.amount) <> b.amount
ORDER BY 1, 2""",
    ),
]
