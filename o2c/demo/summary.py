"""What the walk made, in figures: read from the books and the tables, each with one query."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection

FIGURES: tuple[tuple[str, str, str], ...] = (
    ("Customers", "", "SELECT '', count(*), NULL FROM orders_customer"),
    ("Orders", "", "SELECT state, count(*), NULL FROM orders_order GROUP BY state ORDER BY 2 DESC"),
    (
        "Amendments",
        "applied",
        "SELECT kind, count(*), NULL FROM orders_amendment WHERE state = 'applied' GROUP BY kind ORDER BY 1",
    ),
    (
        "Usage events",
        "",
        "SELECT what, n, NULL FROM (SELECT sum(received) AS received, sum(accepted) AS accepted,"
        " sum(duplicate) AS duplicate, sum(parked) AS parked FROM billing_usagebatch) b,"
        " LATERAL (VALUES ('received', received), ('accepted', accepted), ('duplicate', duplicate),"
        " ('parked', parked)) v(what, n)",
    ),
    (
        "Invoices",
        "posted",
        "SELECT kind || ' ' || currency, count(*), sum(total) FROM billing_invoice WHERE state = 'posted'"
        " GROUP BY kind, currency ORDER BY 1",
    ),
    (
        "Prepaid credit",
        "moved",
        "SELECT t.kind || ' ' || g.currency, count(*), sum(t.amount) FROM billing_grantentry t"
        " JOIN billing_grant g ON g.id = t.grant_id GROUP BY 1 ORDER BY 1",
    ),
    (
        "Documents",
        "delivered",
        "SELECT state, count(*), NULL FROM billing_invoicedelivery GROUP BY state ORDER BY 2 DESC",
    ),
    (
        "Cash received",
        "",
        "SELECT currency, count(*), sum(amount) FROM billing_receipt WHERE state = 'recorded'"
        " GROUP BY currency ORDER BY currency",
    ),
    (
        "Cash applied",
        "",
        "SELECT i.currency, count(*), sum(a.amount) FROM billing_application a"
        " JOIN billing_invoice i ON i.id = a.invoice_id WHERE a.receipt_id IS NOT NULL"
        " GROUP BY i.currency ORDER BY 1",
    ),
    (
        "Revenue",
        "in the functional currency",
        "SELECT e.code || ' ' || p.name || ' ' || e.currency, count(DISTINCT j.id),"
        " sum(l.functional_credit - l.functional_debit) FROM ledger_journalline l"
        " JOIN ledger_account a ON a.id = l.account_id AND a.kind = 'revenue'"
        " JOIN ledger_journal j ON j.id = l.journal_id JOIN ledger_accountingperiod p ON p.id = j.period_id"
        " JOIN ledger_legalentity e ON e.id = j.entity_id WHERE p.state = 'closed'"
        " GROUP BY 1 ORDER BY 1",
    ),
    (
        "Journals",
        "debit less credit must be 0",
        "SELECT 'lines', count(*), sum(functional_debit - functional_credit) FROM ledger_journalline",
    ),
    (
        "Checks",
        "of the books",
        "SELECT CASE WHEN violations = 0 THEN 'pass' ELSE 'fail' END, count(*), NULL FROM ("
        "SELECT DISTINCT ON (code) violations FROM invariants_invariantresult ORDER BY code, id DESC) latest"
        " GROUP BY 1 ORDER BY 1",
    ),
    (
        "Periods",
        "",
        "SELECT state, count(*), NULL FROM ledger_accountingperiod GROUP BY state ORDER BY state",
    ),
    (
        "Tie-outs",
        "of closed months",
        "SELECT CASE WHEN t.differing = 0 THEN 'agree' ELSE 'explained' END, count(*), sum(abs(t.difference))"
        " FROM revenue_tieout t JOIN revenue_closerun c ON c.id = t.close_id AND c.attempt = t.attempt"
        " WHERE c.state = 'locked' GROUP BY 1 ORDER BY 1",
    ),
)


@dataclass(frozen=True)
class Figure:
    """One line of the summary: `count` of what, and the amount they sum to where there is one."""

    heading: str
    note: str
    label: str
    count: int
    amount: str


def figures() -> Iterator[Figure]:
    with connection.cursor() as cursor:
        for heading, note, query in FIGURES:
            cursor.execute(query)
            for label, count, amount in cursor.fetchall():
                shown = "" if amount is None else f"{amount:,.2f}"
                yield Figure(heading, note, label or "", int(count or 0), shown)
