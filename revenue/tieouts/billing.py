"""Invoices: none missing, each in the receivable, each against revenue's balances, each with its tax."""

# ruff: noqa: E501, S608  SQL reads better unbroken; every value is a parameter

from revenue.tieouts.registry import tie_out

# What one posted document moved, by account group, from its own journal.
MOVED = """
    LEFT JOIN LATERAL (
      SELECT sum(l.debit - l.credit) AS amount
      FROM ledger_journal j JOIN ledger_journalline l ON l.journal_id = j.id
      JOIN ledger_account a ON a.id = l.account_id AND a.code IN ({accounts})
      WHERE j.event_key = 'billing.invoice:' || i.id AND j.rule = 'invoice.posted') g ON true
    WHERE i.entity_id = %(entity)s AND i.state <> 'draft'
      AND i.issue_date >= %(start)s AND i.issue_date < %(end)s
"""


@tie_out("invoice.numbers", row=6, title="Invoice numbers complete", owner="billing_ops", unit="count")
def numbers() -> str:
    """Per series and year: last number = how many documents carry one, void ones included."""
    return r"""
    SELECT substring(i.number FROM '^(.*)-[0-9]+$'), '',
           max(substring(i.number FROM '[0-9]+$')::bigint)::numeric, count(*)::numeric
    FROM billing_invoice i
    WHERE i.entity_id = %(entity)s AND i.number IS NOT NULL AND i.posted_at IS NOT NULL
    GROUP BY 1
    """


@tie_out("invoice.receivable", row=7, title="Invoices in the receivable", owner="billing_ops")
def receivable() -> str:
    """Each document of the month: gross total = what it moved on 1100 and 1105."""
    return (
        "SELECT i.number, i.currency, i.total, coalesce(g.amount, 0) FROM billing_invoice i"
        + MOVED.format(accounts="'1100', '1105'")
    )


@tie_out("invoice.revenue", row=8, title="Invoices against contract balances", owner="revenue_accounting")
def revenue() -> str:
    """Each document of the month: net = liability, unbilled, prepaid, services and concessions it credited."""
    return "SELECT i.number, i.currency, i.net, -coalesce(g.amount, 0) FROM billing_invoice i" + MOVED.format(
        accounts="'1110', '2100', '2110', '4008', '4920'"
    )


@tie_out("invoice.tax", row=9, title="Tax on invoices", owner="billing_ops")
def tax() -> str:
    """Each document of the month: tax = what it credited to tax payable."""
    return "SELECT i.number, i.currency, i.tax, -coalesce(g.amount, 0) FROM billing_invoice i" + MOVED.format(
        accounts="'2150'"
    )


@tie_out("invoice.drafts", row=5, title="Documents left in draft", owner="billing_ops", unit="count")
def drafts() -> str:
    """No document dated in the month is still a draft."""
    return """
    SELECT i.kind, i.currency, 0::numeric, count(*)::numeric FROM billing_invoice i
    WHERE i.entity_id = %(entity)s AND i.state = 'draft' AND i.issue_date < %(end)s GROUP BY 1, 2
    """


@tie_out(
    "credit.reasons", row=13, title="Credits with reason and original", owner="billing_ops", unit="count"
)
def reasons() -> str:
    """Every credit memo of the month outside a bill run names its reason and the document it corrects."""
    return """
    SELECT i.number, i.currency, 1::numeric,
           (i.reason_code <> '' AND i.corrects_id IS NOT NULL AND i.posted_by_id <> i.drafted_by_id)::int::numeric
    FROM billing_invoice i
    WHERE i.entity_id = %(entity)s AND i.kind = 'credit_memo' AND i.state = 'posted' AND i.run_id IS NULL
      AND i.issue_date >= %(start)s AND i.issue_date < %(end)s
    """
