"""Usage: nothing that arrived is missing, nothing is counted twice, nothing waits unseen."""

# ruff: noqa: E501  SQL reads better unbroken; every value is a parameter

from revenue.tieouts.registry import tie_out


@tie_out("usage.received", row=2, title="Usage received", owner="billing_ops", unit="count")
def received() -> str:
    """Per metering source, all batches to date: events received = stored + duplicates + parked."""
    return """
    SELECT s.code, '', sum(b.received)::numeric, sum(b.accepted + b.duplicate + b.parked)::numeric
    FROM billing_usagebatch b JOIN billing_usagesource s ON s.id = b.source_id GROUP BY 1
    """


@tie_out("usage.stored", row=2, title="Usage stored", owner="billing_ops", unit="count")
def stored() -> str:
    """Events accepted of this entity's lines = events in its hourly totals, per line, for the month's hours."""
    return """
    SELECT 'order line ' || coalesce(e.line_id, h.line_id), '', coalesce(e.n, 0)::numeric, coalesce(h.n, 0)::numeric
    FROM (SELECT u.line_id, count(*) AS n FROM billing_usageevent u
          WHERE u.occurred_at >= %(start)s AND u.occurred_at < %(end)s
            AND u.line_id IN (SELECT l.id FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
                              WHERE o.entity_id = %(entity)s)
            AND NOT EXISTS (SELECT 1 FROM billing_usageretraction r WHERE r.event_id = u.id)
          GROUP BY 1) e
    FULL JOIN (SELECT u.line_id, sum(u.event_count) AS n FROM billing_usagehour u
          WHERE u.hour >= %(start)s AND u.hour < %(end)s
            AND u.line_id IN (SELECT l.id FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
                              WHERE o.entity_id = %(entity)s)
          GROUP BY 1) h ON h.line_id = e.line_id
    """


@tie_out("usage.parked", row=2, title="Usage parked", owner="billing_ops", unit="count")
def parked() -> str:
    """No event of the month waits for a decision; each kind that does is a row."""
    return """
    SELECT x.kind, '', 0::numeric, count(*)::numeric
    FROM billing_usageexception x
    LEFT JOIN orders_customer c ON c.number = x.customer_number
    WHERE x.state = 'open' AND coalesce(x.occurred_at, x.created_at) < %(end)s
      AND (c.id IS NULL OR c.entity_id = %(entity)s)
    GROUP BY x.kind
    """


@tie_out("usage.rated", row=4, title="Rated usage invoiced or accrued", owner="billing_ops")
def rated() -> str:
    """Service in arrears, per order line, to date: recognised = invoiced + unbilled receivable."""
    return """
    SELECT c.number || ' line ' || l.position, rc.currency,
           coalesce(r.amount, 0), coalesce(i.net, 0) + coalesce(g.balance, 0)
    FROM revenue_obligation o
    JOIN revenue_revenuecontract rc ON rc.id = o.contract_id
    JOIN orders_order c ON c.id = rc.order_id
    JOIN orders_orderline l ON l.id = o.order_line_id
    LEFT JOIN LATERAL (
      SELECT sum(x.amount) AS amount FROM revenue_recognition x JOIN ledger_accountingperiod p ON p.id = x.period_id
      WHERE x.obligation_id = o.id AND x.balance_account = '1110' AND p.starts_on < %(end)s) r ON true
    LEFT JOIN LATERAL (
      SELECT sum(x.net) AS net FROM billing_invoiceline x JOIN billing_invoice v ON v.id = x.invoice_id
      WHERE x.order_line_id = l.id AND NOT x.deferred AND v.state <> 'draft' AND v.issue_date < %(end)s
        AND (v.voided_on IS NULL OR v.voided_on >= %(end)s) AND v.reason_code NOT IN ('service_credit', 'goodwill')
      ) i ON true
    LEFT JOIN LATERAL (
      SELECT sum(x.debit - x.credit) AS balance FROM ledger_journalline x
      JOIN ledger_account a ON a.id = x.account_id AND a.code = '1110'
      JOIN ledger_journal j ON j.id = x.journal_id
      WHERE x.reference = 'order_line:' || l.id AND j.posting_date < %(end)s) g ON true
    WHERE rc.entity_id = %(entity)s AND o.balance_account = '1110' AND o.starts_on < %(end)s
      AND (r.amount IS NOT NULL OR i.net IS NOT NULL OR g.balance IS NOT NULL)
    """
