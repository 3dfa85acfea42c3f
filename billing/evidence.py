"""Controls over bill runs, invoices, credits, write-offs, refunds and usage, as auditors ask about them."""

from __future__ import annotations

from o2c.evidence.registry import Control

_RELEASED = """
FROM billing_billrun r LEFT JOIN access_user c ON c.id = r.calculated_by_id
LEFT JOIN access_user p ON p.id = r.planned_by_id LEFT JOIN access_user u ON u.id = r.released_by_id
WHERE r.released_at >= %(start)s AND r.released_at < %(end)s
"""
_POSTED = """
FROM billing_invoice i JOIN orders_customer c ON c.id = i.customer_id
WHERE i.state IN ('posted', 'void') AND i.posted_at >= %(start)s AND i.posted_at < %(end)s
"""
_CREDITS = f"{_POSTED} AND i.kind = 'credit_memo' AND i.run_id IS NULL"
_WRITTEN_OFF = """
FROM billing_application a JOIN billing_invoice i ON i.id = a.invoice_id
JOIN ledger_legalentity e ON e.id = i.entity_id
WHERE a.kind = 'write_off' AND a.amount > 0 AND a.recorded_at >= %(start)s AND a.recorded_at < %(end)s
"""
_REFUNDED = """
FROM billing_refund f JOIN ledger_legalentity e ON e.id = f.entity_id
LEFT JOIN billing_receipt r ON r.id = f.receipt_id LEFT JOIN billing_invoice m ON m.id = f.credit_memo_id
LEFT JOIN orders_customer c ON c.id = f.customer_id
WHERE f.released_at >= %(start)s AND f.released_at < %(end)s
"""

CONTROLS = [
    Control(
        code="C-05",
        title="A bill run is released by somebody who did not make it",
        risk="Wrong invoices go out unseen",
        kind="preventive",
        enforced_by="policy billing.run.release, check constraint billing_billrun_released_by_second_person",
        model="billing.BillRun",
        population=f"""
SELECT r.id, r.number, r.state, r.through, p.username AS planned_by, c.username AS calculated_by,
       u.username AS released_by, r.released_at,
       (SELECT count(*) FROM billing_invoice i WHERE i.run_id = r.id) AS invoices
{_RELEASED} ORDER BY r.id""",
        exceptions=f"""
SELECT r.id, 'released by ' || u.username || ', who made it' AS problem {_RELEASED}
  AND r.released_by_id IN (r.planned_by_id, r.calculated_by_id)
UNION ALL SELECT r.id, 'findings that stop a run were left open' {_RELEASED}
  AND EXISTS (SELECT FROM billing_billrunfinding f
              WHERE f.run_id = r.id AND f.severity = 'blocking' AND f.acknowledged_at IS NULL)
ORDER BY 1, 2""",
    ),
    Control(
        code="C-05b",
        title="Every document is the sum of its lines, its lines are the charges, and its number is its own",
        risk="Invoices are wrong or missing",
        kind="detective",
        enforced_by="guards of posted documents, invariants billing.*",
        model="billing.Invoice",
        population=f"""
SELECT i.id, i.number, i.kind, c.number AS customer, i.currency, i.issue_date, i.net, i.tax, i.total
{_POSTED} ORDER BY i.id""",
        exceptions=f"""
SELECT i.id, 'net is not the sum of its lines' AS problem {_POSTED}
  AND i.net <> (SELECT coalesce(sum(l.net), 0) FROM billing_invoiceline l WHERE l.invoice_id = i.id)
UNION ALL SELECT i.id, 'total is not net and tax' {_POSTED} AND i.total <> i.net + i.tax
UNION ALL SELECT i.id, 'a line is not the sum of its charges' {_POSTED}
  AND EXISTS (SELECT FROM billing_invoiceline l JOIN billing_charge h ON h.invoice_line_id = l.id
              WHERE l.invoice_id = i.id GROUP BY l.id, l.net HAVING sum(h.amount) <> l.net)
UNION ALL SELECT i.id, 'two documents have its number' {_POSTED}
  AND EXISTS (SELECT FROM billing_invoice o WHERE o.number = i.number AND o.id <> i.id)
UNION ALL SELECT i.id, 'posted without a journal' {_POSTED} AND i.total <> 0
  AND NOT EXISTS (SELECT FROM ledger_journal j WHERE j.source IN ('billing.invoice:' || i.id,
                  'billing.credit_memo:' || i.id))
ORDER BY 1, 2""",
    ),
    Control(
        code="C-06",
        title="Credit memos are posted by somebody who wrote none of their values",
        risk="Receivables are taken away to hide that cash was taken",
        kind="preventive",
        enforced_by="policy billing.credit.post, deferred trigger on billing_invoice, rules S05, S11, S18",
        model="billing.Invoice",
        population=f"""
SELECT i.id, i.number, c.number AS customer, i.currency, i.issue_date, i.total, i.reason_code,
       (SELECT username FROM access_user u WHERE u.id = i.drafted_by_id) AS drafted_by,
       (SELECT username FROM access_user u WHERE u.id = i.posted_by_id) AS posted_by
{_CREDITS} ORDER BY i.id""",
        exceptions=f"""
SELECT i.id, 'posted by whoever drafted it' AS problem {_CREDITS} AND i.posted_by_id = i.drafted_by_id
UNION ALL SELECT i.id, 'posted by whoever wrote a line' {_CREDITS}
  AND EXISTS (SELECT FROM billing_historicalinvoiceline w
              WHERE w.invoice_id = i.id AND w.history_user_id = i.posted_by_id AND w.history_type <> '-')
UNION ALL SELECT i.id, 'above 5,000 without an approval' {_CREDITS} AND abs(i.net) > 5000
  AND i.currency = (SELECT e.currency FROM ledger_legalentity e WHERE e.id = i.entity_id)
  AND NOT EXISTS (SELECT FROM approvals_request r JOIN approvals_decision d ON d.request_id = r.id
                  WHERE r.act = 'billing.credit.post' AND r.result_id = i.id AND r.state = 'committed'
                    AND d.verdict IN ('approve', 'carried') AND d.decided_by_id <> i.drafted_by_id)
UNION ALL SELECT i.id, 'says no reason' {_CREDITS} AND i.reason_code = ''
ORDER BY 1, 2""",
    ),
    Control(
        code="C-06b",
        title="Write-offs beyond 250 are decided by somebody who did not ask for them",
        risk="Receivables are written off to hide that cash was taken",
        kind="preventive",
        enforced_by="policy billing.writeoff.post, deferred trigger on billing_application, rules S21, S22",
        model="billing.Application",
        population=f"""
SELECT a.id, i.number AS invoice, i.currency, a.amount, a.applied_on, a.reason_code, a.recorded_at
{_WRITTEN_OFF} ORDER BY a.id""",
        exceptions=f"""
SELECT a.id, 'above 250 without an approval by another person' AS problem {_WRITTEN_OFF}
  AND a.amount > 250 AND i.currency = e.currency
  AND NOT EXISTS (SELECT FROM approvals_request r JOIN approvals_decision d ON d.request_id = r.id
                  WHERE r.act = 'billing.writeoff.post' AND r.result_id = a.id AND r.state = 'committed'
                    AND d.verdict IN ('approve', 'carried') AND d.decided_by_id <> r.requested_by_id)
ORDER BY 1, 2""",
    ),
    Control(
        code="C-06c",
        title="Refunds pay back what came in, and are released by others than drafted them or handle cash",
        risk="Money leaves to an account of somebody's own",
        kind="preventive",
        enforced_by="policy billing.refund.release, deferred triggers on billing_refund, rules S05, S18, S22,"
        " S45",
        model="billing.Refund",
        population=f"""
SELECT f.id, f.number, coalesce(r.number, m.number) AS source, c.number AS customer, f.currency, f.amount,
       f.refund_on, f.reason_code, f.method, f.state, f.paid_on, f.payment_reference,
       (SELECT username FROM access_user u WHERE u.id = f.drafted_by_id) AS drafted_by,
       (SELECT username FROM access_user u WHERE u.id = f.released_by_id) AS released_by, f.released_at
{_REFUNDED} ORDER BY f.id""",
        exceptions=f"""
SELECT f.id, 'released by whoever drafted or changed it' AS problem {_REFUNDED}
  AND EXISTS (SELECT FROM billing_historicalrefund w WHERE w.id = f.id AND w.state = 'draft'
              AND w.history_user_id = f.released_by_id)
UNION ALL SELECT f.id, 'released by whoever recorded the receipt' {_REFUNDED}
  AND EXISTS (SELECT FROM billing_historicalreceipt w WHERE w.id = f.receipt_id AND w.history_type = '+'
              AND w.history_user_id = f.released_by_id)
UNION ALL SELECT f.id, 'released by whoever applied the receipt' {_REFUNDED}
  AND EXISTS (SELECT FROM billing_application a WHERE a.receipt_id = f.receipt_id AND a.kind = 'receipt'
              AND a.actor_id = f.released_by_id)
UNION ALL SELECT f.id, 'above 1,000, or not to the account it was paid from, without an approval' {_REFUNDED}
  AND f.currency = e.currency
  AND (f.amount > 1000 OR f.method <> 'card' AND f.payee_account IS DISTINCT FROM r.payer_account
       AND f.receipt_id IS NOT NULL)
  AND NOT EXISTS (SELECT FROM approvals_request q JOIN approvals_decision d ON d.request_id = q.id
                  WHERE q.act = 'billing.refund.release' AND q.result_id = f.id AND q.state = 'committed'
                    AND d.verdict IN ('approve', 'carried') AND d.decided_by_id <> f.drafted_by_id)
UNION ALL SELECT f.id, 'more than its source had left' {_REFUNDED}
  AND (r.applied > r.amount OR m.applied < m.total)
UNION ALL SELECT f.id, 'not in the books' {_REFUNDED}
  AND NOT EXISTS (SELECT FROM ledger_journal j WHERE j.event_key = 'billing.refund:' || f.id
                  AND j.rule = 'refund.released')
ORDER BY 1, 2""",
    ),
    Control(
        code="C-11",
        title="Usage is complete and counted once",
        risk="Usage is lost or billed twice",
        kind="detective",
        enforced_by="unique key (source, event id), check constraint on every batch",
        model="billing.UsageBatch",
        population="""
SELECT b.id, s.code AS source, b.channel, b.file_name, b.part, b.received, b.accepted, b.duplicate, b.parked,
       b.recorded_at
FROM billing_usagebatch b JOIN billing_usagesource s ON s.id = b.source_id
WHERE b.recorded_at >= %(start)s AND b.recorded_at < %(end)s ORDER BY b.id""",
        exceptions="""
SELECT b.id, 'received is not accepted, duplicate and parked' AS problem FROM billing_usagebatch b
WHERE b.recorded_at >= %(start)s AND b.recorded_at < %(end)s
  AND b.received <> b.accepted + b.duplicate + b.parked
UNION ALL
SELECT b.id, 'stored ' || coalesce(n.stored, 0) || ' events of ' || b.accepted FROM billing_usagebatch b
LEFT JOIN (SELECT batch_id, count(*) AS stored FROM billing_usageevent GROUP BY 1) n ON n.batch_id = b.id
WHERE b.recorded_at >= %(start)s AND b.recorded_at < %(end)s AND coalesce(n.stored, 0) <> b.accepted
ORDER BY 1, 2""",
    ),
]
