"""What always holds in revenue: queries that return no row."""

from __future__ import annotations

from o2c.invariants import invariant


@invariant("revenue.allocation-is-whole", "Every contract version allocates its whole transaction price")
def allocation_is_whole() -> str:
    return """
    SELECT v.id AS version, v.transaction_price, coalesce(sum(a.price + a.credit), 0) AS allocated
    FROM revenue_contractversion v LEFT JOIN revenue_allocation a ON a.version_id = v.id
    GROUP BY v.id HAVING v.transaction_price <> coalesce(sum(a.price + a.credit), 0)
    """


@invariant("revenue.schedule-is-whole", "Every schedule of every version sums to the price it schedules")
def schedule_is_whole() -> str:
    return """
    SELECT a.version_id AS version, a.obligation_id AS obligation, a.price + a.credit AS price,
           coalesce(s.amount, 0) AS scheduled
    FROM revenue_allocation a JOIN revenue_obligation o ON o.id = a.obligation_id AND o.basis = 'fixed'
    LEFT JOIN (SELECT version_id, obligation_id, sum(amount) AS amount FROM revenue_scheduleslice GROUP BY 1, 2) s
      ON s.version_id = a.version_id AND s.obligation_id = a.obligation_id
    WHERE a.price + a.credit <> coalesce(s.amount, 0)
    """  # noqa: E501


@invariant("revenue.contract-follows-its-version", "A contract stands at its last version, with its price")
def contract_follows_its_version() -> str:
    return """
    SELECT c.id AS contract, c.version, max(v.number) AS last
    FROM revenue_revenuecontract c LEFT JOIN revenue_contractversion v ON v.contract_id = c.id
    GROUP BY c.id
    HAVING c.version IS DISTINCT FROM max(v.number)
        OR c.transaction_price <> (array_agg(v.transaction_price ORDER BY v.number DESC))[1]
    """


@invariant("revenue.judged-as-approved", "An approved judgement made one version, and no other is judged")
def judged_as_approved() -> str:
    return """
    SELECT j.id AS judgement, v.id AS version
    FROM (SELECT * FROM revenue_treatmentjudgement WHERE state = 'approved') j
    FULL JOIN (SELECT * FROM revenue_contractversion WHERE cause = 'judged') v
      ON v.source = 'revenue.treatmentjudgement:' || j.id
    LEFT JOIN revenue_contractversion about ON about.id = j.version_id
    WHERE j.id IS NULL OR v.id IS NULL OR v.contract_id <> about.contract_id
    """


@invariant("revenue.judgement-moves-nothing-in-sum", "What a judgement takes from months it gives to others")
def judgement_moves_nothing_in_sum() -> str:
    return """
    SELECT judgement_id AS judgement, sum(after - before) AS difference FROM revenue_judgedmonth
    GROUP BY 1 HAVING sum(after - before) <> 0
    """


@invariant("revenue.recognised-is-ledger", "What is recognised for an order line is in its revenue accounts")
def recognised_is_ledger() -> str:
    return """
    SELECT coalesce(r.reference, g.reference) AS reference, coalesce(r.period_id, g.period_id) AS period,
           coalesce(r.amount, 0) AS recognised, coalesce(g.amount, 0) AS ledger,
           coalesce(r.functional, 0) AS functional, coalesce(g.functional, 0) AS ledger_functional
    FROM (SELECT 'order_line:' || o.order_line_id AS reference, x.period_id, sum(x.amount) AS amount,
                 sum(x.functional) AS functional
          FROM revenue_recognition x JOIN revenue_obligation o ON o.id = x.obligation_id GROUP BY 1, 2) r
    FULL JOIN (SELECT l.reference, j.period_id, sum(l.credit - l.debit) AS amount,
                      sum(l.functional_credit - l.functional_debit) AS functional
          FROM ledger_journal j JOIN ledger_journalline l ON l.journal_id = j.id
          JOIN ledger_account a ON a.id = l.account_id AND a.kind = 'revenue'
          WHERE j.rule LIKE 'revenue.%' GROUP BY 1, 2) g
      ON g.reference = r.reference AND g.period_id = r.period_id
    WHERE coalesce(r.amount, 0) <> coalesce(g.amount, 0)
       OR coalesce(r.functional, 0) <> coalesce(g.functional, 0)
    """


@invariant("revenue.asset-is-reversed", "A contract asset is taken back on the first day of the next month")
def asset_is_reversed() -> str:
    return """
    SELECT j.id AS journal, j.event_key
    FROM ledger_journal j
    LEFT JOIN ledger_journal b ON b.event_key = j.event_key AND b.rule = 'revenue.asset_reversed'
    JOIN ledger_accountingperiod p ON p.id = j.period_id
    WHERE j.rule = 'revenue.asset' AND (b.id IS NULL OR b.posting_date <> p.ends_on)
    """


@invariant("revenue.closed-by-two", "Every closed period has a close that two people signed")
def closed_by_two() -> str:
    return """
    SELECT p.id AS period, p.name FROM ledger_accountingperiod p
    LEFT JOIN revenue_closerun c ON c.period_id = p.id AND c.state IN ('locked', 'reopening')
    WHERE p.state = 'closed' AND (c.id IS NULL OR c.prepared_by_id = c.reviewed_by_id)
    """


@invariant("revenue.closed-is-unchanged", "The books of a closed period are those that were signed")
def closed_is_unchanged() -> str:
    return """
    SELECT c.id AS close, p.name AS period, b.digest AS books, r.digest AS recognition
    FROM revenue_closerun c JOIN ledger_accountingperiod p ON p.id = c.period_id
    CROSS JOIN LATERAL (
      SELECT encode(sha256(convert_to(coalesce(string_agg(
        code || '|' || currency || '|' || debit || '|' || credit || '|' || fd || '|' || fc, E'\\n'
        ORDER BY code, currency), ''), 'UTF8')), 'hex') AS digest
      FROM (SELECT a.code, j.currency, sum(l.debit) AS debit, sum(l.credit) AS credit,
                   sum(l.functional_debit) AS fd, sum(l.functional_credit) AS fc
            FROM ledger_journal j JOIN ledger_journalline l ON l.journal_id = j.id
            JOIN ledger_account a ON a.id = l.account_id WHERE j.period_id = p.id GROUP BY 1, 2) t) b
    CROSS JOIN LATERAL (
      SELECT encode(sha256(convert_to(coalesce(string_agg(
        obligation_id || '|' || kind || '|' || effective_month || '|' || revision || '|' || amount || '|'
        || functional, E'\\n' ORDER BY obligation_id, kind, effective_month, revision), ''), 'UTF8')), 'hex')
        AS digest
      FROM revenue_recognition WHERE period_id = p.id) r
    WHERE c.state IN ('locked', 'reopening')
      AND (c.snapshot->'trial_balance'->>'sha256' <> b.digest OR c.snapshot->'recognition'->>'sha256' <> r.digest)
    """  # noqa: E501


@invariant("revenue.export-is-its-journals", "An export file's total is that of its journals")
def export_is_its_journals() -> str:
    return """
    SELECT x.id AS export, x.total_debit, coalesce(sum(l.functional_debit), 0) AS journals
    FROM revenue_glexport x LEFT JOIN revenue_glexportjournal m ON m.export_id = x.id
    LEFT JOIN ledger_journalline l ON l.journal_id = m.journal_id
    GROUP BY x.id HAVING x.total_debit <> coalesce(sum(l.functional_debit), 0)
        OR x.journals <> count(DISTINCT m.journal_id)
    """
