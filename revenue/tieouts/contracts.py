"""Contracts: every order has one, every price is allocated, every schedule is whole, every cent is posted."""

# ruff: noqa: E501  SQL reads better unbroken; every value is a parameter

from revenue.tieouts.registry import tie_out


@tie_out(
    "contract.complete", row=5, title="Every order is a contract", owner="revenue_accounting", unit="count"
)
def complete() -> str:
    """Each order activated by the end of the month has a revenue contract with a version."""
    return """
    SELECT o.number, o.currency, 1::numeric, coalesce((c.version > 0)::int, 0)::numeric
    FROM orders_order o LEFT JOIN revenue_revenuecontract c ON c.order_id = o.id
    WHERE o.entity_id = %(entity)s AND o.activated_on < %(end)s
    """


@tie_out(
    "contract.events",
    row=23,
    title="Every change reached its contract",
    owner="revenue_accounting",
    unit="count",
)
def events() -> str:
    """No event of an order or a credit waits for revenue."""
    return """
    SELECT d.consumer || ' ' || d.state, '', 0::numeric, count(*)::numeric
    FROM outbox_delivery d WHERE d.consumer IN ('revenue.contracts', 'revenue.credits') AND d.state <> 'done'
    GROUP BY 1
    """


@tie_out(
    "contract.modifications",
    row=23,
    title="Changes with treatment and rule",
    owner="revenue_accounting",
    unit="count",
)
def modifications() -> str:
    """Each contract version made in the month states for every obligation how it was treated and why."""
    return """
    SELECT o.number || ' v' || v.number, c.currency, count(a.id)::numeric,
           count(a.id) FILTER (WHERE a.treatment <> '' AND a.rule <> '')::numeric
    FROM revenue_contractversion v
    JOIN revenue_revenuecontract c ON c.id = v.contract_id JOIN orders_order o ON o.id = c.order_id
    LEFT JOIN revenue_allocation a ON a.version_id = v.id
    WHERE c.entity_id = %(entity)s AND v.effective_on >= %(start)s AND v.effective_on < %(end)s
    GROUP BY o.number, v.number, c.currency
    """


@tie_out("contract.allocation", row=16, title="Allocation", owner="revenue_accounting")
def allocation() -> str:
    """Each contract version: transaction price = sum of what was allocated."""
    return """
    SELECT o.number || ' v' || v.number, c.currency, v.transaction_price, coalesce(sum(a.price + a.credit), 0)
    FROM revenue_contractversion v
    JOIN revenue_revenuecontract c ON c.id = v.contract_id JOIN orders_order o ON o.id = c.order_id
    LEFT JOIN revenue_allocation a ON a.version_id = v.id
    WHERE c.entity_id = %(entity)s GROUP BY o.number, v.number, c.currency, v.transaction_price
    """


@tie_out("contract.schedules", row=14, title="Schedules", owner="revenue_accounting")
def schedules() -> str:
    """Each obligation with a schedule, current version: allocated price = sum of all its months."""
    return """
    SELECT o.number || ' line ' || l.position, c.currency, a.price + a.credit, coalesce(s.amount, 0)
    FROM revenue_revenuecontract c
    JOIN orders_order o ON o.id = c.order_id
    JOIN revenue_contractversion v ON v.contract_id = c.id AND v.number = c.version
    JOIN revenue_allocation a ON a.version_id = v.id
    JOIN revenue_obligation b ON b.id = a.obligation_id AND b.basis = 'fixed'
    JOIN orders_orderline l ON l.id = b.order_line_id
    LEFT JOIN (SELECT version_id, obligation_id, sum(amount) AS amount FROM revenue_scheduleslice GROUP BY 1, 2
              ) s ON s.version_id = v.id AND s.obligation_id = b.id
    WHERE c.entity_id = %(entity)s
    """


@tie_out("contract.posted", row=15, title="Posted = planned", owner="revenue_accounting")
def posted() -> str:
    """Each obligation and month up to this one: what its current version plans = what was posted."""
    return """
    SELECT o.number || ' line ' || l.position || ' ' || to_char(coalesce(p.month, r.month), 'YYYY-MM'),
           c.currency, coalesce(p.amount, 0), coalesce(r.amount, 0)
    FROM (SELECT s.obligation_id, s.month, sum(s.amount) AS amount
          FROM revenue_scheduleslice s JOIN revenue_contractversion v ON v.id = s.version_id
          JOIN revenue_revenuecontract c ON c.id = v.contract_id AND c.version = v.number
          WHERE c.entity_id = %(entity)s AND s.month < %(end)s GROUP BY 1, 2) p
    FULL JOIN (SELECT x.obligation_id, x.effective_month AS month, sum(x.amount) AS amount
          FROM revenue_recognition x JOIN revenue_obligation b ON b.id = x.obligation_id
          JOIN revenue_revenuecontract c ON c.id = x.contract_id
          WHERE c.entity_id = %(entity)s AND (b.basis = 'fixed' OR x.kind = 'credit')
            AND x.effective_month < %(end)s GROUP BY 1, 2
         ) r ON r.obligation_id = p.obligation_id AND r.month = p.month
    JOIN revenue_obligation b ON b.id = coalesce(p.obligation_id, r.obligation_id)
    JOIN orders_orderline l ON l.id = b.order_line_id
    JOIN revenue_revenuecontract c ON c.id = b.contract_id JOIN orders_order o ON o.id = c.order_id
    """


@tie_out("contract.run", row=15, title="Recognition was run", owner="revenue_accounting", unit="count")
def run() -> str:
    """The period has a recognition run that comes after its last invoice."""
    return """
    SELECT 'recognition run', '', 1::numeric, (EXISTS (
      SELECT 1 FROM revenue_recognitionrun r WHERE r.period_id = %(period)s
        AND r.recorded_at >= coalesce((
          SELECT max(i.posted_at) FROM billing_invoice i WHERE i.entity_id = %(entity)s
            AND i.issue_date >= %(start)s AND i.issue_date < %(end)s), '-infinity')))::int::numeric
    """


@tie_out("contract.ledger", row=34, title="Recognised = ledger", owner="revenue_accounting")
def in_ledger() -> str:
    """Each order line: what was recognised in the month = what revenue accounts took for it."""
    return """
    SELECT coalesce(r.reference, g.reference), coalesce(r.currency, g.currency),
           coalesce(r.amount, 0), coalesce(g.amount, 0)
    FROM (SELECT 'order_line:' || o.order_line_id AS reference, c.currency, sum(x.amount) AS amount
          FROM revenue_recognition x JOIN revenue_obligation o ON o.id = x.obligation_id
          JOIN revenue_revenuecontract c ON c.id = x.contract_id
          WHERE x.period_id = %(period)s GROUP BY 1, 2) r
    FULL JOIN (SELECT l.reference, j.currency, sum(l.credit - l.debit) AS amount
          FROM ledger_journal j JOIN ledger_journalline l ON l.journal_id = j.id
          JOIN ledger_account a ON a.id = l.account_id AND a.kind = 'revenue'
          WHERE j.period_id = %(period)s AND j.rule LIKE 'revenue.%%' GROUP BY 1, 2
         ) g ON g.reference = r.reference AND g.currency = r.currency
    """


@tie_out("contract.catch_up", row=29, title="Catch-up of earlier months", owner="controller")
def catch_up() -> str:
    """Revenue of earlier months posted in this one: shown when it passes half a per cent of the month's."""
    return """
    SELECT to_char(x.effective_month, 'YYYY-MM'), e.currency, 0::numeric,
           CASE WHEN abs(sum(x.functional)) * 200 > t.amount THEN sum(x.functional) ELSE 0 END
    FROM revenue_recognition x
    JOIN revenue_recognitionrun r ON r.id = x.run_id JOIN ledger_legalentity e ON e.id = r.entity_id
    CROSS JOIN (SELECT coalesce(sum(abs(functional)), 0) AS amount FROM revenue_recognition
                WHERE period_id = %(period)s) t
    WHERE x.period_id = %(period)s AND x.effective_month < %(start)s
    GROUP BY x.effective_month, e.currency, t.amount
    """
