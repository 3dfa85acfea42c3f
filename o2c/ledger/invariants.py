"""What always holds about the books."""

from o2c.invariants import invariant


@invariant("ledger.journal-balances", "Every journal balances in its currency and in the functional one")
def journal_balances() -> str:
    return """
    SELECT j.id AS journal, j.rule, j.event_key, sum(l.debit) - sum(l.credit) AS difference,
           sum(l.functional_debit) - sum(l.functional_credit) AS functional_difference
    FROM ledger_journal j LEFT JOIN ledger_journalline l ON l.journal_id = j.id
    GROUP BY j.id
    HAVING count(l.id) < 2 OR sum(l.debit) <> sum(l.credit)
        OR sum(l.functional_debit) <> sum(l.functional_credit)
    """


@invariant("ledger.posting-in-period", "Every journal lies in the period and the entity that it names")
def posting_in_period() -> str:
    return """
    SELECT j.id AS journal, j.posting_date, p.name AS period
    FROM ledger_journal j JOIN ledger_accountingperiod p ON p.id = j.period_id
    WHERE j.entity_id <> p.entity_id OR j.posting_date < p.starts_on OR j.posting_date >= p.ends_on
    """


@invariant("ledger.closed-in-order", "No period is closed while an earlier one of its entity is open")
def closed_in_order() -> str:
    return """
    SELECT later.id AS closed_period, earlier.name AS open_period
    FROM ledger_accountingperiod later JOIN ledger_accountingperiod earlier
      ON earlier.entity_id = later.entity_id AND earlier.starts_on < later.starts_on
    WHERE later.state = 'closed' AND earlier.state <> 'closed'
    """


@invariant("ledger.same-currency-same-amount", "In the functional currency both amounts of a line agree")
def same_currency_same_amount() -> str:
    return """
    SELECT l.id AS line, l.debit, l.functional_debit, l.credit, l.functional_credit
    FROM ledger_journalline l JOIN ledger_journal j ON j.id = l.journal_id
    JOIN ledger_legalentity e ON e.id = j.entity_id
    WHERE e.currency = j.currency
      AND (l.debit, l.credit) IS DISTINCT FROM (l.functional_debit, l.functional_credit)
    """
