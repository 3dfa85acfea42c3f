"""What the books say about contracts: balances per obligation and per account, straight from journals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.db import connection

from revenue.domain.layers import Layer
from revenue.postings import BALANCES

# Liability positive. What is not posted by revenue itself comes from invoices.
OBLIGATIONS = """
SELECT o.contract_id, o.id, a.code,
  coalesce(sum(l.credit - l.debit) FILTER (WHERE j.posting_date < %(start)s), 0),
  coalesce(sum(l.functional_credit - l.functional_debit) FILTER (WHERE j.posting_date < %(start)s), 0),
  coalesce(sum(l.credit - l.debit) FILTER (WHERE j.posting_date >= %(start)s AND NOT ours), 0),
  coalesce(sum(l.functional_credit - l.functional_debit)
           FILTER (WHERE j.posting_date >= %(start)s AND NOT ours), 0),
  sum(l.credit - l.debit), sum(l.functional_credit - l.functional_debit),
  coalesce(sum(l.credit - l.debit) FILTER (WHERE NOT ours), 0),
  coalesce(sum(l.functional_credit - l.functional_debit)
           FILTER (WHERE j.posting_date >= %(start)s AND j.rule = 'revenue.fx_settled'), 0)
FROM revenue_obligation o
JOIN ledger_journalline l ON l.reference = 'order_line:' || o.order_line_id
JOIN ledger_account a ON a.id = l.account_id AND a.code = ANY(%(accounts)s)
JOIN ledger_journal j ON j.id = l.journal_id
CROSS JOIN LATERAL (SELECT j.rule LIKE 'revenue.%%' AS ours) kind
WHERE o.contract_id = ANY(%(contracts)s) AND j.posting_date < %(end)s
GROUP BY 1, 2, 3
"""


@dataclass(slots=True)
class Balance:
    """One obligation on one account at the end of a period; liability positive.

    `opening` at the start of the period, `billed` what invoices moved in it, `now` at its end,
    `billed_ever` since the beginning, `settled` the exchange differences booked in the period.
    """

    opening: Layer = field(default_factory=Layer)
    billed: Layer = field(default_factory=Layer)
    now: Layer = field(default_factory=Layer)
    billed_ever: Decimal = Decimal(0)
    settled: Decimal = Decimal(0)


ByAccount = dict[str, Balance]


def of_obligations(contracts: Sequence[int], start: dt.date, end: dt.date) -> dict[int, dict[int, ByAccount]]:
    """Balances of contracts at the end of [start, end): contract -> obligation -> account. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            OBLIGATIONS,
            {"contracts": list(contracts), "start": start, "end": end, "accounts": list(BALANCES)},
        )
        rows = cursor.fetchall()
    found: dict[int, dict[int, ByAccount]] = {}
    for contract, obligation, account, o, fo, b, fb, n, fn, ever, settled in rows:
        found.setdefault(contract, {}).setdefault(obligation, {})[account] = Balance(
            Layer(o, fo), Layer(b, fb), Layer(n, fn), ever, settled
        )
    return found
