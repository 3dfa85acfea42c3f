"""What a controller reads: revenue by month, deferred and unbilled balances, roll-forward, waterfall, RPO.

Straight from journals, recognitions and schedules; nothing is summarised ahead of time, so a report is
as fresh as the books.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

from django.db import connection

from o2c.ledger.models import AccountingPeriod
from o2c.periods import add_months
from revenue.domain.rpo import bands
from revenue.domain.types import Slice

ZERO = Decimal(0)

REVENUE_BY_MONTH = """
SELECT p.starts_on, e.code, e.currency, a.code, a.name, sum(l.functional_credit - l.functional_debit)
FROM ledger_journal j JOIN ledger_accountingperiod p ON p.id = j.period_id
JOIN ledger_legalentity e ON e.id = j.entity_id
JOIN ledger_journalline l ON l.journal_id = j.id
JOIN ledger_account a ON a.id = l.account_id AND a.kind = 'revenue'
WHERE (%(entity)s::bigint IS NULL OR j.entity_id = %(entity)s)
  AND p.starts_on >= %(since)s AND p.starts_on < %(until)s
GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 4
"""

BALANCES = """
SELECT e.code, j.currency, e.currency, a.code, a.name, sum(l.credit - l.debit),
       sum(l.functional_credit - l.functional_debit)
FROM ledger_journal j JOIN ledger_legalentity e ON e.id = j.entity_id
JOIN ledger_journalline l ON l.journal_id = j.id
JOIN ledger_account a ON a.id = l.account_id AND a.code IN ('1110', '1120', '2100', '2110')
WHERE (%(entity)s::bigint IS NULL OR j.entity_id = %(entity)s) AND j.posting_date < %(as_of)s
GROUP BY 1, 2, 3, 4, 5
HAVING sum(l.credit - l.debit) <> 0 OR sum(l.functional_credit - l.functional_debit) <> 0
ORDER BY 1, 4, 2
"""

ROLL_FORWARD = """
SELECT j.currency,
  coalesce(sum(l.credit - l.debit) FILTER (WHERE j.posting_date < %(start)s), 0),
  coalesce(sum(l.credit - l.debit) FILTER (WHERE j.posting_date >= %(start)s
           AND j.rule LIKE 'invoice.%%' AND l.credit > 0), 0),
  coalesce(sum(l.credit - l.debit) FILTER (WHERE j.posting_date >= %(start)s
           AND j.rule LIKE 'invoice.%%' AND l.debit > 0), 0),
  coalesce(sum(l.credit - l.debit) FILTER (WHERE j.posting_date >= %(start)s
           AND j.rule IN ('revenue.recognised', 'revenue.drawn_down', 'revenue.accrued',
                          'revenue.breakage')), 0),
  coalesce(sum(l.credit - l.debit) FILTER (WHERE j.posting_date >= %(start)s
           AND j.rule = 'revenue.credited'), 0),
  coalesce(sum(l.credit - l.debit) FILTER (WHERE j.posting_date >= %(start)s
           AND j.rule = 'revenue.reallocated'), 0),
  coalesce(sum(l.credit - l.debit) FILTER (WHERE j.posting_date >= %(start)s
           AND j.rule LIKE 'revenue.asset%%'), 0),
  coalesce(sum(l.credit - l.debit) FILTER (WHERE j.posting_date >= %(start)s
           AND j.rule NOT LIKE 'invoice.%%' AND j.rule NOT LIKE 'revenue.%%'), 0),
  sum(l.credit - l.debit)
FROM ledger_journal j JOIN ledger_journalline l ON l.journal_id = j.id
JOIN ledger_account a ON a.id = l.account_id AND a.code = %(account)s
WHERE j.entity_id = %(entity)s AND j.posting_date < %(end)s
GROUP BY 1 ORDER BY 1
"""

# A catch-up keeps the month it belongs to, so schedule and recognition agree month by month once posted.
WATERFALL = """
SELECT date_trunc('month', c.starts_on)::date AS cohort, s.month, sum(s.amount)
FROM revenue_revenuecontract c
JOIN revenue_contractversion v ON v.contract_id = c.id AND v.number = c.version
JOIN revenue_scheduleslice s ON s.version_id = v.id
JOIN revenue_obligation o ON o.id = s.obligation_id AND o.basis = 'fixed'
WHERE (%(entity)s::bigint IS NULL OR c.entity_id = %(entity)s) AND c.currency = %(currency)s
GROUP BY 1, 2 ORDER BY 1, 2
"""

RECOGNISED = """
SELECT date_trunc('month', c.starts_on)::date AS cohort, sum(r.amount), max(r.effective_month)
FROM revenue_revenuecontract c
JOIN revenue_recognition r ON r.contract_id = c.id
JOIN revenue_obligation o ON o.id = r.obligation_id AND o.basis = 'fixed'
WHERE (%(entity)s::bigint IS NULL OR c.entity_id = %(entity)s) AND c.currency = %(currency)s
GROUP BY 1
"""

REMAINING = """
SELECT c.currency, x.month, sum(x.amount)
FROM revenue_revenuecontract c
JOIN revenue_contractversion v ON v.contract_id = c.id AND v.number = c.version
JOIN revenue_scheduleslice x ON x.version_id = v.id AND x.month >= %(as_of)s
JOIN revenue_obligation o ON o.id = x.obligation_id AND o.basis = 'fixed'
WHERE (%(entity)s::bigint IS NULL OR c.entity_id = %(entity)s)
  AND (NOT %(longer_only)s OR o.ends_on - o.starts_on > 366)
GROUP BY 1, 2
"""

# A prepayment has no schedule: what is not drawn down yet is due at an open time.
UNDRAWN = """
SELECT c.currency, sum(o.allocated - coalesce(r.amount, 0))
FROM revenue_obligation o JOIN revenue_revenuecontract c ON c.id = o.contract_id
LEFT JOIN (SELECT x.obligation_id, sum(x.amount) AS amount FROM revenue_recognition x
           WHERE x.effective_month < %(as_of)s GROUP BY 1) r ON r.obligation_id = o.id
WHERE o.basis = 'drawdown' AND (%(entity)s::bigint IS NULL OR c.entity_id = %(entity)s)
GROUP BY 1
"""


def _rows(query: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()


@dataclass(frozen=True, slots=True)
class RevenueMonth:
    """Net revenue of one month, entity and account, in the entity's currency."""

    month: dt.date
    entity: str
    currency: str
    account: str
    name: str
    amount: Decimal


def revenue_by_month(*, entity_id: int | None = None, since: dt.date, until: dt.date) -> list[RevenueMonth]:
    """Revenue posted per month in [since, until), by entity and account. One query."""
    return [RevenueMonth(*row) for row in _rows(REVENUE_BY_MONTH, entity=entity_id, since=since, until=until)]


@dataclass(frozen=True, slots=True)
class ContractBalance:
    """A contract balance per entity and currency; liability positive, asset negative."""

    entity: str
    currency: str
    functional_currency: str
    account: str
    name: str
    amount: Decimal
    functional: Decimal


def balances(as_of: dt.date, *, entity_id: int | None = None) -> list[ContractBalance]:
    """Deferred (2100), prepaid (2110), unbilled (1110) and contract assets (1120) before `as_of`."""
    return [ContractBalance(*row) for row in _rows(BALANCES, entity=entity_id, as_of=as_of)]


@dataclass(frozen=True, slots=True)
class Roll:
    """How one balance got from the start of a period to its end; liability positive."""

    currency: str
    opening: Decimal
    invoiced: Decimal
    credited: Decimal
    recognised: Decimal
    credited_revenue: Decimal
    reallocated: Decimal
    reclassified: Decimal
    other: Decimal
    closing: Decimal

    def as_asset(self) -> Roll:
        """The same with debits positive, as a receivable is read."""
        amounts = [-getattr(self, field.name) for field in fields(self) if field.name != "currency"]
        return Roll(self.currency, *amounts)

    @property
    def ties(self) -> bool:
        moved = self.invoiced + self.credited + self.recognised + self.credited_revenue
        return self.closing == self.opening + moved + self.reallocated + self.reclassified + self.other


def roll_forward(period: AccountingPeriod, account: str) -> list[Roll]:
    """The roll-forward of a contract balance by currency. One query."""
    rows = _rows(
        ROLL_FORWARD,
        entity=period.entity_id,
        start=period.starts_on,
        end=period.ends_on,
        account=account,
    )
    return [Roll(*row) for row in rows]


@dataclass(slots=True)
class Cohort:
    """Contracts that began in one month: their revenue by month, and how much of it is recognised."""

    starts: dt.date
    months: dict[dt.date, Decimal] = field(default_factory=dict)
    recognised: Decimal = ZERO

    @property
    def booked(self) -> Decimal:
        return sum(self.months.values(), ZERO)

    @property
    def remaining(self) -> Decimal:
        return self.booked - self.recognised


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Revenue of fixed prices by the month contracts began (rows) and the month it belongs to (columns).

    `through` is the last month of which something is recognised; later months are planned.
    """

    currency: str
    through: dt.date | None
    months: Sequence[dt.date]
    cohorts: Sequence[Cohort]

    def of_month(self, month: dt.date) -> Decimal:
        return sum((c.months.get(month, ZERO) for c in self.cohorts), ZERO)


def waterfall(currency: str, *, entity_id: int | None = None) -> Waterfall:
    """The waterfall of one currency: booked = recognised + remaining, per cohort. Two queries."""
    cohorts: dict[dt.date, Cohort] = {}
    months: set[dt.date] = set()
    for starts, month, amount in _rows(WATERFALL, entity=entity_id, currency=currency):
        cohorts.setdefault(starts, Cohort(starts)).months[month] = amount
        months.add(month)
    through: dt.date | None = None
    for starts, amount, last in _rows(RECOGNISED, entity=entity_id, currency=currency):
        cohorts.setdefault(starts, Cohort(starts)).recognised = amount
        through = max(through or last, last)
    return Waterfall(currency, through, sorted(months), [cohorts[key] for key in sorted(cohorts)])


def remaining_obligations(
    as_of: dt.date,
    *,
    entity_id: int | None = None,
    cuts: Sequence[dt.date] | None = None,
    longer_than_a_year_only: bool = False,
) -> dict[str, list[tuple[dt.date | None, Decimal]]]:
    """Remaining performance obligations by currency and band (606-10-50-13). Two queries.

    `as_of` is exclusive, as a period end. Bands end before each date of `cuts` (default: one, two and
    three years on); the last is open and holds prepayments, which have no schedule. Usage and service
    without a term are left out: they are billed as they are earned. `longer_than_a_year_only` takes the
    expedient of 50-14(a).
    """
    edges = list(cuts) if cuts is not None else [add_months(as_of, 12 * k) for k in (1, 2, 3)]
    slices: dict[str, list[Slice]] = defaultdict(list)
    rows = _rows(REMAINING, entity=entity_id, as_of=as_of, longer_only=longer_than_a_year_only)
    for currency, month, amount in rows:
        slices[currency].append(Slice(month, amount))
    found = {currency: bands(parts, as_of, edges) for currency, parts in slices.items()}
    for currency, amount in _rows(UNDRAWN, entity=entity_id, as_of=as_of):
        if amount:
            known = found.setdefault(currency, bands([], as_of, edges))
            known[-1] = (None, known[-1][1] + amount)
    return dict(sorted(found.items()))


def remaining_total(as_of: dt.date, *, entity_id: int | None = None) -> dict[str, Decimal]:
    """Remaining performance obligations by currency."""
    return {
        currency: sum((amount for _, amount in parts), ZERO)
        for currency, parts in remaining_obligations(as_of, entity_id=entity_id).items()
    }
