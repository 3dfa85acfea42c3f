"""The books themselves: journals balance, clearing is empty, periods follow, the export is the journals."""

from revenue.tieouts.registry import tie_out


@tie_out("books.journals", row=31, title="Journals balance", owner="controller")
def journals() -> str:
    """Per rule and currency of the month: debits = credits."""
    return """
    SELECT j.rule, j.currency, sum(l.debit), sum(l.credit)
    FROM ledger_journal j JOIN ledger_journalline l ON l.journal_id = j.id
    WHERE j.period_id = %(period)s GROUP BY 1, 2
    """


@tie_out("books.functional", row=31, title="Journals balance in the functional currency", owner="controller")
def functional() -> str:
    """Per rule of the month: functional debits = functional credits."""
    return """
    SELECT j.rule, e.currency, sum(l.functional_debit), sum(l.functional_credit)
    FROM ledger_journal j JOIN ledger_journalline l ON l.journal_id = j.id
    JOIN ledger_legalentity e ON e.id = j.entity_id
    WHERE j.period_id = %(period)s GROUP BY 1, 2
    """


@tie_out("books.trial_balance", row=33, title="Trial balance", owner="controller")
def trial_balance() -> str:
    """To date, per currency: all debit balances = all credit balances."""
    return """
    SELECT 'trial balance', b.currency, coalesce(sum(b.amount) FILTER (WHERE b.amount > 0), 0),
           -coalesce(sum(b.amount) FILTER (WHERE b.amount < 0), 0)
    FROM (SELECT j.currency, l.account_id, sum(l.debit - l.credit) AS amount
          FROM ledger_journal j JOIN ledger_journalline l ON l.journal_id = j.id
          WHERE j.entity_id = %(entity)s AND j.posting_date < %(end)s GROUP BY 1, 2) b
    GROUP BY b.currency
    """


@tie_out("books.clearing", row=21, title="Clearing accounts are empty", owner="revenue_accounting")
def clearing() -> str:
    """Every clearing account is zero at the end of the month."""
    return """
    SELECT a.code || ' ' || a.name, j.currency, 0::numeric, sum(l.debit - l.credit)
    FROM ledger_account a JOIN ledger_journalline l ON l.account_id = a.id
    JOIN ledger_journal j ON j.id = l.journal_id
    WHERE a.clearing AND j.entity_id = %(entity)s AND j.posting_date < %(end)s GROUP BY 1, 2
    """


@tie_out("books.sequence", row=1, title="Earlier periods are closed", owner="controller", unit="count")
def sequence() -> str:
    """No earlier period of the entity is open."""
    return """
    SELECT p.name, '', 0::numeric, (p.state <> 'closed')::int::numeric
    FROM ledger_accountingperiod p WHERE p.entity_id = %(entity)s AND p.starts_on < %(start)s
    """


@tie_out("export.totals", row=32, title="Export totals", owner="revenue_accounting")
def totals() -> str:
    """Each export of the month: total of its file = total of its journals."""
    return """
    SELECT x.external_id, e.currency, x.total_debit, coalesce(sum(l.functional_debit), 0)
    FROM revenue_glexport x JOIN ledger_legalentity e ON e.id = x.entity_id
    LEFT JOIN revenue_glexportjournal m ON m.export_id = x.id
    LEFT JOIN ledger_journalline l ON l.journal_id = m.journal_id
    WHERE x.period_id = %(period)s GROUP BY 1, 2, 3
    """


@tie_out(
    "export.complete",
    row=32,
    title="Every journal is exported once",
    owner="revenue_accounting",
    unit="count",
)
def complete() -> str:
    """Journals of the month = journals in its export files."""
    return """
    SELECT 'journals', '', count(j.id)::numeric, count(m.id)::numeric
    FROM ledger_journal j LEFT JOIN revenue_glexportjournal m ON m.journal_id = j.id
    WHERE j.period_id = %(period)s
    """
