"""Balances: deferred, unbilled, prepaid and contract assets roll, and stand on the right side."""

# ruff: noqa: E501, S608  SQL reads better unbroken; every value is a parameter

from revenue.postings import CONTRACT_LIABILITY, PREPAID, UNBILLED
from revenue.tieouts.registry import tie_out

# Opening balance + what documents credited - what was recognised + other movements = closing balance.
# Documents and recognitions come from their own tables, balances from the journals.
ROLL = """
    SELECT '{account} ' || coalesce(g.currency, i.currency, r.currency),
           coalesce(g.currency, i.currency, r.currency),
           coalesce(g.opening, 0) + coalesce(i.net, 0) - coalesce(r.amount, 0) + coalesce(m.amount, 0),
           coalesce(g.closing, 0)
    FROM (SELECT j.currency,
                 sum(l.credit - l.debit) FILTER (WHERE j.posting_date < %(start)s) AS opening,
                 sum(l.credit - l.debit) AS closing
          FROM ledger_journalline l JOIN ledger_account a ON a.id = l.account_id AND a.code IN ({accounts})
          JOIN ledger_journal j ON j.id = l.journal_id
          WHERE j.entity_id = %(entity)s AND j.posting_date < %(end)s
          GROUP BY 1) g
    FULL JOIN (SELECT v.currency, sum(x.net * (CASE WHEN v.issue_date >= %(start)s THEN 1 ELSE 0 END
                     - CASE WHEN v.voided_on >= %(start)s AND v.voided_on < %(end)s THEN 1 ELSE 0 END)) AS net
          FROM billing_invoiceline x JOIN billing_invoice v ON v.id = x.invoice_id
          WHERE v.entity_id = %(entity)s AND v.state <> 'draft' AND v.issue_date < %(end)s
            AND (v.issue_date >= %(start)s OR v.voided_on >= %(start)s)
            AND x.order_line_id IS NOT NULL AND v.reason_code NOT IN ('service_credit', 'goodwill')
            AND {documents}
          GROUP BY 1) i ON i.currency = g.currency
    FULL JOIN (SELECT c.currency, sum(x.amount) AS amount
          FROM revenue_recognition x JOIN revenue_revenuecontract c ON c.id = x.contract_id
          WHERE x.period_id = %(period)s AND x.balance_account = '{account}' GROUP BY 1
         ) r ON r.currency = coalesce(g.currency, i.currency)
    LEFT JOIN (SELECT x.currency, sum(x.amount) AS amount
          FROM revenue_adjustment x JOIN revenue_obligation o ON o.id = x.obligation_id
          WHERE x.period_id = %(period)s AND o.balance_account = '{account}' AND x.kind = 'reallocation'
          GROUP BY 1) m ON m.currency = coalesce(g.currency, i.currency, r.currency)
"""


def _roll(account: str, accounts: str, documents: str) -> str:
    return ROLL.format(account=account, accounts=accounts, documents=documents)


@tie_out("balance.deferred", row=17, title="Deferred revenue rolls", owner="revenue_accounting")
def deferred() -> str:
    """Per currency: opening + invoiced ahead - recognised +/- reallocated = closing of 2100 net of 1120."""
    return _roll(
        CONTRACT_LIABILITY,
        "'2100', '1120'",
        "x.deferred AND x.treatment <> 'prepaid_drawdown'",
    )


@tie_out("balance.unbilled", row=18, title="Unbilled receivable rolls", owner="revenue_accounting")
def unbilled() -> str:
    """Per currency: opening + invoiced in arrears - recognised = closing of 1110 (shown as a credit)."""
    return _roll(UNBILLED, "'1110'", "NOT x.deferred")


@tie_out("balance.prepaid", row=24, title="Prepaid commitments roll", owner="revenue_accounting")
def prepaid() -> str:
    """Per currency: opening + sold - drawn down - expired = closing of 2110."""
    return _roll(PREPAID, "'2110'", "x.deferred AND x.treatment = 'prepaid_drawdown'")


OF_CONTRACT = """
    FROM revenue_revenuecontract c JOIN orders_order o ON o.id = c.order_id
    JOIN revenue_obligation b ON b.contract_id = c.id
    JOIN ledger_journalline l ON l.reference = 'order_line:' || b.order_line_id
    JOIN ledger_account a ON a.id = l.account_id
    JOIN ledger_journal j ON j.id = l.journal_id AND j.posting_date < %(end)s
    WHERE c.entity_id = %(entity)s
"""


@tie_out("balance.asset", row=18, title="Contract assets", owner="revenue_accounting")
def asset() -> str:
    """Each contract: what it is ahead of its invoices as a whole = its balance on 1120."""
    return f"""
    SELECT o.number, c.currency, greatest(-sum(l.credit - l.debit), 0),
           coalesce(sum(l.debit - l.credit) FILTER (WHERE a.code = '1120'), 0)
    {OF_CONTRACT} AND a.code IN ('2100', '1120') GROUP BY o.number, c.currency
    """


@tie_out("balance.sides", row=19, title="No balance on the wrong side", owner="revenue_accounting")
def sides() -> str:
    """No contract liability in debit, no prepaid liability in debit, no unbilled receivable in credit."""
    return f"""
    SELECT o.number || ' ' || a.code, c.currency, 0::numeric,
           CASE WHEN a.code = '1110' THEN greatest(sum(l.credit - l.debit), 0)
                ELSE greatest(sum(l.debit - l.credit), 0) END
    {OF_CONTRACT} AND a.code IN ('2100', '2110', '1110') GROUP BY o.number, c.currency, a.code
    """


@tie_out("balance.ended", row=20, title="Ended obligations are settled", owner="revenue_accounting")
def ended() -> str:
    """An obligation that ended before this month has nothing left, or waits for what others owe it.

    That is the part of its allocated price above its stated one that has not moved to it yet, because
    the lines that give it are not billed in full. Credit that was carried over lives on, and so does credit
    with an end of its own while another line of the order goes on.
    """
    return f"""
    SELECT o.number || ' line ' || b.order_line_id, c.currency,
           -greatest(coalesce((SELECT n.price - n.stated FROM revenue_allocation n
                               JOIN revenue_contractversion v ON v.id = n.version_id
                               WHERE n.obligation_id = b.id AND n.price > n.stated
                                 AND (v.effective_on < %(end)s OR v.number = 1)
                               ORDER BY v.number DESC LIMIT 1), 0)
                     - greatest(coalesce((SELECT sum(m.amount) FROM revenue_adjustment m
                                          JOIN ledger_accountingperiod p ON p.id = m.period_id
                                          WHERE m.obligation_id = b.id AND m.kind = 'reallocation'
                                            AND p.starts_on <= %(start)s), 0), 0), 0),
           sum(l.credit - l.debit)
    {OF_CONTRACT} AND a.code IN ('1110', '1120', '2100', '2110') AND b.ends_on <= %(start)s
      AND NOT EXISTS (SELECT 1 FROM billing_grant r WHERE r.line_id = b.order_line_id
                      AND (r.ends_on IS NULL OR r.ends_on > %(start)s)
                      AND (r.origin = 'rollover' OR EXISTS (
                        SELECT 1 FROM orders_segment s JOIN orders_orderline k ON k.id = s.line_id
                        WHERE k.order_id = o.id AND (s.ends_on IS NULL OR s.ends_on > %(start)s))))
    GROUP BY o.number, b.id, b.order_line_id, c.currency
    """


@tie_out(
    "balance.worth", row=26, title="Nothing stranded in the functional currency", owner="revenue_accounting"
)
def worth() -> str:
    """A contract balance that is zero in its own currency is zero in the entity's."""
    return f"""
    SELECT o.number || ' line ' || b.order_line_id || ' ' || g.code, c.currency, 0::numeric, g.worth
    FROM (SELECT b.id, CASE WHEN a.code = '1120' THEN '2100' ELSE a.code END AS code,
                 sum(l.functional_credit - l.functional_debit) AS worth
          {OF_CONTRACT} AND a.code IN ('1110', '1120', '2100', '2110')
          GROUP BY 1, 2 HAVING sum(l.credit - l.debit) = 0) g
    JOIN revenue_obligation b ON b.id = g.id
    JOIN revenue_revenuecontract c ON c.id = b.contract_id JOIN orders_order o ON o.id = c.order_id
    """


@tie_out("balance.rates", row=26, title="Unbilled at the closing rate", owner="revenue_accounting")
def rates() -> str:
    """Each unbilled receivable in a foreign currency: amount at the closing rate = its worth in the books.

    The rate is the last one on or before the month's last day.
    """
    return """
    SELECT g.reference, e.currency, round(g.amount * r.rate, g.digits), g.worth
    FROM (SELECT l.reference, c.currency, sum(l.debit - l.credit) AS amount,
                 sum(l.functional_debit - l.functional_credit) AS worth,
                 CASE WHEN e.currency IN ('JPY', 'KRW', 'CLP', 'VND', 'ISK') THEN 0 ELSE 2 END AS digits
          FROM revenue_revenuecontract c
          JOIN ledger_legalentity e ON e.id = c.entity_id AND e.currency <> c.currency
          JOIN revenue_obligation b ON b.contract_id = c.id
          JOIN ledger_journalline l ON l.reference = 'order_line:' || b.order_line_id
          JOIN ledger_account a ON a.id = l.account_id AND a.code = '1110'
          JOIN ledger_journal j ON j.id = l.journal_id AND j.posting_date < %(end)s
          WHERE c.entity_id = %(entity)s GROUP BY 1, 2, 5) g
    JOIN ledger_legalentity e ON e.id = %(entity)s
    CROSS JOIN LATERAL (SELECT x.rate FROM ledger_exchangerate x
      WHERE x.from_currency = g.currency AND x.to_currency = e.currency AND x.valid_on < %(end)s
      ORDER BY x.valid_on DESC LIMIT 1) r
    """


@tie_out("balance.open_items", row=26, title="Open items at the closing rate", owner="revenue_accounting")
def open_items() -> str:
    """Each monetary account in a foreign currency: balance at the closing rate = its worth in the books.

    The rate is the last one on or before the month's last day. Unbilled and contract assets have their own.
    """
    return """
    SELECT g.code || ' ' || g.currency, e.currency, round(g.amount * r.rate, g.digits), g.worth
    FROM (SELECT a.code, j.currency, sum(l.debit - l.credit) AS amount,
                 sum(l.functional_debit - l.functional_credit) AS worth,
                 CASE WHEN e.currency IN ('JPY', 'KRW', 'CLP', 'VND', 'ISK') THEN 0 ELSE 2 END AS digits
          FROM ledger_journal j
          JOIN ledger_legalentity e ON e.id = j.entity_id AND e.currency <> j.currency
          JOIN ledger_journalline l ON l.journal_id = j.id
          JOIN ledger_account a ON a.id = l.account_id AND a.monetary AND a.code NOT IN ('1110', '1120')
          WHERE j.entity_id = %(entity)s AND j.posting_date < %(end)s GROUP BY 1, 2, 5) g
    JOIN ledger_legalentity e ON e.id = %(entity)s
    CROSS JOIN LATERAL (SELECT x.rate FROM ledger_exchangerate x
      WHERE x.from_currency = g.currency AND x.to_currency = e.currency AND x.valid_on < %(end)s
      ORDER BY x.valid_on DESC LIMIT 1) r
    """


@tie_out(
    "balance.obligations", row=28, title="Remaining obligations against balances", owner="revenue_accounting"
)
def obligations() -> str:
    """Each contract's fixed price: not yet invoiced = not yet recognised - liability + asset."""
    return """
    SELECT o.number, c.currency, p.price - coalesce(i.net, 0),
           p.price - coalesce(r.amount, 0) - coalesce(g.balance, 0)
    FROM revenue_revenuecontract c JOIN orders_order o ON o.id = c.order_id
    JOIN (SELECT b.contract_id, sum(b.allocated) AS price FROM revenue_obligation b
          WHERE b.basis <> 'charged' GROUP BY 1) p ON p.contract_id = c.id
    LEFT JOIN (SELECT b.contract_id, sum(x.net) AS net
          FROM revenue_obligation b JOIN billing_invoiceline x ON x.order_line_id = b.order_line_id
          JOIN billing_invoice v ON v.id = x.invoice_id AND v.state <> 'draft'
          WHERE b.basis <> 'charged' AND v.issue_date < %(end)s AND (v.voided_on IS NULL OR v.voided_on >= %(end)s)
            AND v.reason_code NOT IN ('service_credit', 'goodwill') GROUP BY 1) i ON i.contract_id = c.id
    LEFT JOIN (SELECT b.contract_id, sum(x.amount) AS amount
          FROM revenue_obligation b JOIN revenue_recognition x ON x.obligation_id = b.id
          JOIN ledger_accountingperiod m ON m.id = x.period_id AND m.starts_on < %(end)s
          WHERE b.basis <> 'charged' GROUP BY 1) r ON r.contract_id = c.id
    LEFT JOIN (SELECT b.contract_id, sum(l.credit - l.debit) AS balance
          FROM revenue_obligation b JOIN ledger_journalline l ON l.reference = 'order_line:' || b.order_line_id
          JOIN ledger_account a ON a.id = l.account_id AND a.code IN ('1110', '1120', '2100', '2110')
          JOIN ledger_journal j ON j.id = l.journal_id AND j.posting_date < %(end)s
          WHERE b.basis <> 'charged' GROUP BY 1) g ON g.contract_id = c.id
    WHERE c.entity_id = %(entity)s
    """
