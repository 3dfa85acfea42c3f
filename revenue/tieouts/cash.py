"""Cash: every receipt is in the books, and is applied, refunded or on account; sub-ledgers are the ledger."""

# ruff: noqa: E501  SQL reads better unbroken; every value is a parameter

from revenue.tieouts.registry import tie_out


@tie_out("cash.recorded", row=10, title="Receipts in the books", owner="collections")
def recorded() -> str:
    """Each receipt of the month: amount = what was debited to cash for it."""
    return """
    SELECT r.number, r.currency, r.amount, coalesce(g.amount, 0)
    FROM billing_receipt r
    LEFT JOIN LATERAL (
      SELECT sum(l.debit) AS amount FROM ledger_journal j JOIN ledger_journalline l ON l.journal_id = j.id
      JOIN ledger_account a ON a.id = l.account_id AND a.code = '1000'
      WHERE j.event_key = 'billing.receipt:' || r.id AND j.rule = 'receipt.recorded') g ON true
    WHERE r.entity_id = %(entity)s AND r.received_on >= %(start)s AND r.received_on < %(end)s
    """


@tie_out("cash.applied", row=11, title="Receipts applied, refunded or on account", owner="collections")
def applied() -> str:
    """Each receipt to date: amount less applications and refunds = its balance on unapplied cash (2130)."""
    return """
    SELECT r.number, r.currency,
           CASE WHEN r.reversed_on < %(end)s THEN 0 ELSE r.amount END - coalesce(a.amount, 0),
           coalesce(g.amount, 0)
    FROM billing_receipt r
    LEFT JOIN (SELECT receipt_id, sum(amount) AS amount FROM billing_application
               WHERE applied_on < %(end)s GROUP BY 1) a ON a.receipt_id = r.id
    LEFT JOIN (SELECT l.reference, sum(l.credit - l.debit) AS amount
               FROM ledger_journalline l JOIN ledger_account c ON c.id = l.account_id AND c.code = '2130'
               JOIN ledger_journal j ON j.id = l.journal_id
               WHERE j.entity_id = %(entity)s AND j.posting_date < %(end)s GROUP BY 1
              ) g ON g.reference = 'billing.receipt:' || r.id
    WHERE r.entity_id = %(entity)s AND r.received_on < %(end)s
    """


@tie_out("cash.refunds", row=11, title="Refunds released and not paid = ledger", owner="collections")
def refunds() -> str:
    """Each refund to date: what the bank has not paid yet = its balance on refunds payable (2140)."""
    return """
    SELECT f.number, f.currency,
           CASE WHEN f.paid_on < %(end)s OR f.failed_on < %(end)s THEN 0 ELSE f.amount END,
           coalesce(g.amount, 0)
    FROM billing_refund f
    LEFT JOIN (SELECT l.reference, sum(l.credit - l.debit) AS amount
               FROM ledger_journalline l JOIN ledger_account c ON c.id = l.account_id AND c.code = '2140'
               JOIN ledger_journal j ON j.id = l.journal_id
               WHERE j.entity_id = %(entity)s AND j.posting_date < %(end)s GROUP BY 1
              ) g ON g.reference = 'billing.refund:' || f.id
    WHERE f.entity_id = %(entity)s AND f.released_at IS NOT NULL AND f.refund_on < %(end)s
    """


@tie_out("cash.refunds_paid", row=10, title="Refunds paid in the books", owner="collections")
def refunds_paid() -> str:
    """Each refund that the bank paid in the month: amount = what was credited to cash for it."""
    return """
    SELECT f.number, f.currency, f.amount, coalesce(g.amount, 0)
    FROM billing_refund f
    LEFT JOIN LATERAL (
      SELECT sum(l.credit) AS amount FROM ledger_journal j JOIN ledger_journalline l ON l.journal_id = j.id
      JOIN ledger_account a ON a.id = l.account_id AND a.code = '1000'
      WHERE j.event_key = 'billing.refund:' || f.id AND j.rule = 'refund.paid') g ON true
    WHERE f.entity_id = %(entity)s AND f.paid_on >= %(start)s AND f.paid_on < %(end)s
    """


@tie_out("cash.receivable", row=12, title="Receivable sub-ledger = ledger", owner="collections")
def receivable() -> str:
    """Per document to date: total less what settled it = its balance on 1100 and 1105."""
    return """
    SELECT i.number, i.currency,
           CASE WHEN i.voided_on < %(end)s THEN 0 ELSE i.total END
             - coalesce(a.amount, 0) + coalesce(u.amount, 0),
           coalesce(g.amount, 0)
    FROM billing_invoice i
    LEFT JOIN (SELECT invoice_id, sum(amount) AS amount FROM billing_application
               WHERE applied_on < %(end)s GROUP BY 1) a ON a.invoice_id = i.id
    LEFT JOIN (SELECT credit_memo_id, sum(amount) AS amount FROM billing_application
               WHERE applied_on < %(end)s GROUP BY 1) u ON u.credit_memo_id = i.id
    LEFT JOIN (SELECT l.reference, sum(l.debit - l.credit) AS amount
               FROM ledger_journalline l JOIN ledger_account c ON c.id = l.account_id AND c.code IN ('1100', '1105')
               JOIN ledger_journal j ON j.id = l.journal_id
               WHERE j.entity_id = %(entity)s AND j.posting_date < %(end)s GROUP BY 1
              ) g ON g.reference = 'billing.invoice:' || i.id
    WHERE i.entity_id = %(entity)s AND i.state <> 'draft' AND i.issue_date < %(end)s
    """


@tie_out("cash.receivable_total", row=12, title="Receivable total = ledger", owner="collections")
def receivable_total() -> str:
    """Per currency to date: open documents = 1100 whole, so no line lacks its document, and 1105 of documents.

    What a marketplace owes beside our documents (tax, adjustments) is proven by the partner reconciliation.
    """
    return """
    SELECT 'receivable', coalesce(s.currency, g.currency), coalesce(s.amount, 0), coalesce(g.amount, 0)
    FROM (SELECT i.currency, sum(CASE WHEN i.voided_on < %(end)s THEN 0 ELSE i.total END
                                 - coalesce(a.amount, 0) + coalesce(u.amount, 0)) AS amount
          FROM billing_invoice i
          LEFT JOIN (SELECT invoice_id, sum(amount) AS amount FROM billing_application
                     WHERE applied_on < %(end)s GROUP BY 1) a ON a.invoice_id = i.id
          LEFT JOIN (SELECT credit_memo_id, sum(amount) AS amount FROM billing_application
                     WHERE applied_on < %(end)s GROUP BY 1) u ON u.credit_memo_id = i.id
          WHERE i.entity_id = %(entity)s AND i.state <> 'draft' AND i.issue_date < %(end)s GROUP BY 1) s
    FULL JOIN (SELECT j.currency, sum(l.debit - l.credit) AS amount
          FROM ledger_journalline l JOIN ledger_account c ON c.id = l.account_id AND c.code IN ('1100', '1105')
          JOIN ledger_journal j ON j.id = l.journal_id
          WHERE j.entity_id = %(entity)s AND j.posting_date < %(end)s
            AND (c.code = '1100' OR starts_with(l.reference, 'billing.invoice:')) GROUP BY 1) g ON g.currency = s.currency
    """
