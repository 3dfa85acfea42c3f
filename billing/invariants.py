"""What always holds in billing: queries that return no row."""

from __future__ import annotations

from o2c.invariants import invariant


@invariant("billing.receivable-is-ledger", "Open documents by reference are accounts 1100 and 1105")
def receivable_is_ledger() -> str:
    return """
    WITH books AS (
      SELECT l.reference, j.currency, a.code, sum(l.debit - l.credit) AS balance
      FROM ledger_journalline l JOIN ledger_journal j ON j.id = l.journal_id
      JOIN ledger_account a ON a.id = l.account_id
      WHERE a.code IN ('1100', '1105') AND l.reference LIKE 'billing.invoice:%'
      GROUP BY 1, 2, 3
    ), documents AS (
      SELECT 'billing.invoice:' || id AS reference, number, currency, total - applied AS open,
             CASE channel WHEN 'direct' THEN '1100' ELSE '1105' END AS code
      FROM billing_invoice WHERE state = 'posted'
    )
    SELECT coalesce(d.number, b.reference) AS document, coalesce(d.code, b.code) AS account,
           coalesce(d.open, 0) AS open, coalesce(b.balance, 0) AS ledger
    FROM documents d
    FULL JOIN books b ON (b.reference, b.currency, b.code) = (d.reference, d.currency, d.code)
    WHERE coalesce(d.open, 0) <> coalesce(b.balance, 0)
    """


@invariant("billing.unapplied-is-ledger", "What is left of each receipt is account 2130")
def unapplied_is_ledger() -> str:
    return """
    WITH books AS (
      SELECT l.reference, sum(l.credit - l.debit) AS balance
      FROM ledger_journalline l JOIN ledger_account a ON a.id = l.account_id
      WHERE a.code = '2130' GROUP BY 1
    )
    SELECT coalesce(r.number, b.reference) AS receipt, coalesce(r.amount - r.applied, 0) AS unapplied,
           coalesce(b.balance, 0) AS ledger
    FROM (SELECT 'billing.receipt:' || id AS reference, number, amount, applied
          FROM billing_receipt WHERE state = 'recorded') r
    FULL JOIN books b ON b.reference = r.reference
    WHERE coalesce(r.amount - r.applied, 0) <> coalesce(b.balance, 0)
    """


@invariant("billing.settled-carries-nothing", "What is settled or refunded carries no functional balance")
def settled_carries_nothing() -> str:
    return """
    SELECT l.reference, a.code AS account, sum(l.functional_debit - l.functional_credit) AS left_over
    FROM ledger_journalline l JOIN ledger_account a ON a.id = l.account_id
    WHERE a.code IN ('1100', '1105', '2130', '2140')
    GROUP BY 1, 2
    HAVING sum(l.debit - l.credit) = 0 AND sum(l.functional_debit - l.functional_credit) <> 0
    """


@invariant("billing.applied-is-applications", "What is applied is the sum of the applications")
def applied_is_applications() -> str:
    return """
    SELECT i.number AS document, i.applied, billing_invoice_applied(i.id) AS applications
    FROM billing_invoice i WHERE i.applied <> billing_invoice_applied(i.id)
    UNION ALL
    SELECT r.number, r.applied, billing_receipt_applied(r.id)
    FROM billing_receipt r WHERE r.applied <> billing_receipt_applied(r.id)
    """


@invariant("billing.lines-make-the-document", "Net and tax of the lines are net and tax of the document")
def lines_make_the_document() -> str:
    return """
    SELECT i.id, i.number, i.net, i.tax, coalesce(l.net, 0) AS line_net, coalesce(l.tax, 0) AS line_tax
    FROM billing_invoice i
    LEFT JOIN (SELECT invoice_id, sum(net) AS net, sum(tax) AS tax FROM billing_invoiceline GROUP BY 1) l
      ON l.invoice_id = i.id
    WHERE (i.net, i.tax) IS DISTINCT FROM (coalesce(l.net, 0), coalesce(l.tax, 0))
    """


@invariant("billing.posted-has-journal", "Every posted document with an amount is in the books, once")
def posted_has_journal() -> str:
    return """
    SELECT i.number AS document, count(j.id) AS journals FROM billing_invoice i
    LEFT JOIN ledger_journal j ON j.event_key = 'billing.invoice:' || i.id AND j.rule = 'invoice.posted'
    WHERE i.state <> 'draft' AND (i.total <> 0 OR i.net <> 0)
    GROUP BY i.id, i.number HAVING count(j.id) <> 1
    """


@invariant("billing.net-is-ledger", "Net and tax of a posted document are what its journal credits")
def net_is_ledger() -> str:
    return """
    SELECT i.number AS document, i.net, i.tax, b.net AS booked_net, b.tax AS booked_tax FROM billing_invoice i
    JOIN (
      SELECT j.event_key, coalesce(sum(l.credit - l.debit) FILTER (WHERE a.code = '2150'), 0) AS tax,
             coalesce(sum(l.credit - l.debit) FILTER (WHERE a.code NOT IN ('1100', '1105', '2150')), 0) AS net
      FROM ledger_journal j JOIN ledger_journalline l ON l.journal_id = j.id
      JOIN ledger_account a ON a.id = l.account_id
      WHERE j.rule = 'invoice.posted' GROUP BY 1
    ) b ON b.event_key = 'billing.invoice:' || i.id
    WHERE (i.net, i.tax) IS DISTINCT FROM (b.net, b.tax)
    """


@invariant("billing.charge-is-line", "A posted line that was proposed has its charge, of the same amount")
def charge_is_line() -> str:
    return """
    SELECT i.number AS document, l.position, l.net, c.amount FROM billing_invoiceline l
    JOIN billing_invoice i ON i.id = l.invoice_id
    LEFT JOIN billing_charge c ON c.invoice_line_id = l.id
    WHERE i.state <> 'draft' AND l.proposal IS NOT NULL AND c.amount IS DISTINCT FROM l.net
    UNION ALL
    SELECT i.number, l.position, l.net, c.amount FROM billing_charge c
    JOIN billing_invoiceline l ON l.id = c.invoice_line_id JOIN billing_invoice i ON i.id = l.invoice_id
    WHERE i.state = 'draft'
    """


@invariant("billing.numbers-without-gaps", "Document numbers of an entity, series and year have no gap")
def numbers_without_gaps() -> str:
    return """
    WITH numbers AS (
      SELECT number FROM billing_invoice WHERE number IS NOT NULL
      UNION ALL SELECT number FROM billing_receipt UNION ALL SELECT number FROM billing_refund
    ), parts AS (
      SELECT left(number, length(number) - 7) AS series, right(number, 6)::int AS n FROM numbers
      WHERE number ~ '-[0-9]{6}$'
    )
    SELECT series, count(*) AS documents, max(n) AS last FROM parts GROUP BY series HAVING count(*) <> max(n)
    UNION ALL
    SELECT e.code || '-' || s.series || '-' || s.year, count(p.n), s.last
    FROM numbering_numberseries s JOIN ledger_legalentity e ON e.id = s.entity_id
    LEFT JOIN parts p ON p.series = e.code || '-' || s.series || '-' || s.year
    WHERE s.series IN ('INV', 'CM', 'DM', 'RCT', 'RFD')
    GROUP BY 1, s.last HAVING count(p.n) <> s.last
    """


@invariant("billing.credit-within-billed", "A line is not credited for more than it billed")
def credit_within_billed() -> str:
    return """
    SELECT o.id AS line, o.net, -sum(c.net) AS credited, o.tax, -sum(c.tax) AS credited_tax
    FROM billing_invoiceline o JOIN billing_invoiceline c ON c.credits_id = o.id
    JOIN billing_invoice m ON m.id = c.invoice_id AND m.state <> 'void'
    GROUP BY o.id, o.net, o.tax
    HAVING abs(sum(c.net)) > abs(o.net) OR abs(sum(c.tax)) > abs(o.tax)
    """


@invariant("billing.run-conserved", "A posted run posted all its documents, and no draft is left of it")
def run_conserved() -> str:
    return """
    SELECT r.number AS run, count(*) AS left_over FROM billing_billrun r
    JOIN billing_invoice i ON i.run_id = r.id AND i.state = 'draft'
    WHERE r.state IN ('posted', 'cancelled') GROUP BY r.number
    """


@invariant("billing.second-person", "Nobody released their own run or posted their own document")
def second_person() -> str:
    return """
    SELECT number AS record FROM billing_billrun WHERE released_by_id IN (calculated_by_id, planned_by_id)
    UNION ALL
    SELECT number FROM billing_invoice WHERE run_id IS NULL AND posted_by_id = drafted_by_id
    UNION ALL
    SELECT number FROM billing_refund WHERE released_by_id = drafted_by_id
    """


@invariant("billing.refunds-are-ledger", "Refunds that are released and not paid are account 2140")
def refunds_are_ledger() -> str:
    return """
    WITH books AS (
      SELECT l.reference, sum(l.credit - l.debit) AS balance
      FROM ledger_journalline l JOIN ledger_account a ON a.id = l.account_id
      WHERE a.code = '2140' GROUP BY 1
    )
    SELECT coalesce(f.number, b.reference) AS refund, coalesce(f.amount, 0) AS released,
           coalesce(b.balance, 0) AS ledger
    FROM (SELECT 'billing.refund:' || id AS reference, number, amount
          FROM billing_refund WHERE state = 'released') f
    FULL JOIN books b ON b.reference = f.reference
    WHERE coalesce(f.amount, 0) <> coalesce(b.balance, 0)
    """


@invariant("billing.refund-within-received", "Nothing is paid back that did not come in, or that is used")
def refund_within_received() -> str:
    return """
    WITH refunded AS (
      SELECT receipt_id, credit_memo_id, sum(amount) AS amount FROM billing_refund
      WHERE state IN ('released', 'paid') GROUP BY 1, 2
    ), used AS (
      SELECT receipt_id, credit_memo_id, sum(amount) AS amount FROM billing_application
      WHERE kind IN ('receipt', 'credit_memo') GROUP BY 1, 2
    )
    SELECT r.number AS source, r.amount AS came_in, f.amount AS refunded, coalesce(u.amount, 0) AS used
    FROM refunded f JOIN billing_receipt r ON r.id = f.receipt_id LEFT JOIN used u ON u.receipt_id = r.id
    WHERE r.state <> 'recorded' OR f.amount + coalesce(u.amount, 0) > r.amount
    UNION ALL
    SELECT m.number, -m.total, f.amount, coalesce(u.amount, 0)
    FROM refunded f JOIN billing_invoice m ON m.id = f.credit_memo_id
    LEFT JOIN used u ON u.credit_memo_id = m.id
    WHERE m.state <> 'posted' OR f.amount + coalesce(u.amount, 0) > -m.total
    UNION ALL
    SELECT i.number, billing_invoice_paid(i.id), sum(f.amount), 0
    FROM refunded f JOIN billing_invoice m ON m.id = f.credit_memo_id
    JOIN billing_invoice i ON i.id = m.corrects_id
    GROUP BY i.id, i.number HAVING sum(f.amount) > billing_invoice_paid(i.id)
    """


@invariant("billing.refund-as-approved", "What was approved of a refund is what was released")
def refund_as_approved() -> str:
    return """
    SELECT f.number AS refund, f.amount, q.facts->>'refund' AS approved, q.id AS request
    FROM billing_refund f JOIN approvals_request q ON q.act = 'billing.refund.release' AND q.result_id = f.id
    LEFT JOIN billing_receipt r ON r.id = f.receipt_id LEFT JOIN billing_invoice m ON m.id = f.credit_memo_id
    WHERE q.state = 'committed' AND (f.state NOT IN ('released', 'paid', 'failed')
      OR (q.facts->>'refund')::numeric <> f.amount OR q.facts->>'source' <> coalesce(r.number, m.number))
    """


@invariant("billing.marketplace-not-ours", "What a marketplace bills has no tax of ours and is not delivered")
def marketplace_not_ours() -> str:
    return """
    SELECT i.number AS document, i.tax FROM billing_invoice i
    WHERE i.channel <> 'direct' AND (i.tax <> 0 OR EXISTS (
      SELECT 1 FROM billing_invoicedelivery d WHERE d.invoice_id = i.id))
    """


@invariant("billing.usage-resolves", "Metered usage names dimensions and lines that exist")
def usage_resolves() -> str:
    # The intake writes these keys without a foreign key, for speed; usage that resolves to nothing is
    # in no charge.
    return """
    SELECT h.line_id, h.dimensions_id, sum(h.quantity) AS quantity FROM billing_usagehour h
    WHERE NOT EXISTS (SELECT 1 FROM billing_usagedimensions d WHERE d.id = h.dimensions_id)
       OR NOT EXISTS (SELECT 1 FROM orders_orderline l WHERE l.id = h.line_id)
    GROUP BY h.line_id, h.dimensions_id
    """


@invariant("billing.grant-is-entries", "What is left of a grant is the sum of its entries")
def grant_is_entries() -> str:
    return """
    SELECT g.id AS grant_id, g.remaining, coalesce(sum(e.amount), 0) AS entries FROM billing_grant g
    LEFT JOIN billing_grantentry e ON e.grant_id = g.id
    GROUP BY g.id, g.remaining
    HAVING g.remaining <> coalesce(sum(e.amount), 0) OR g.remaining < 0
    """


@invariant("billing.drawdown-is-entries", "Each drawdown on a document is what it drew of grants")
def drawdown_is_entries() -> str:
    return """
    SELECT c.id AS charge, c.amount, coalesce(sum(e.amount), 0) AS entries FROM billing_charge c
    LEFT JOIN billing_grantentry e ON e.charge_id = c.id
    WHERE c.kind = 'drawdown' GROUP BY c.id, c.amount HAVING c.amount <> coalesce(sum(e.amount), 0)
    """


@invariant("billing.usage-conserved", "Credit and waivers take off a usage charge at most what it came to")
def usage_conserved() -> str:
    return """
    SELECT c.line_id, c.segment_id, c.period_from, sum(c.amount) FILTER (WHERE c.kind = 'usage') AS rated,
           coalesce(-sum(c.amount) FILTER (WHERE c.kind = 'drawdown'), 0) AS drawn_down,
           coalesce(-sum(c.amount) FILTER (WHERE c.kind = 'waiver'), 0) AS waived
    FROM billing_charge c WHERE c.kind IN ('usage', 'drawdown', 'waiver')
    GROUP BY 1, 2, 3
    HAVING sum(c.amount) < 0 OR coalesce(-sum(c.amount) FILTER (WHERE c.kind = 'drawdown'), 0) < 0
        OR coalesce(-sum(c.amount) FILTER (WHERE c.kind = 'waiver'), 0) < 0
    """
