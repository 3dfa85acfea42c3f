"""One chunk of a recognition run: read everything, compute, write everything."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from o2c import ledger
from o2c.errors import InvalidInput
from o2c.ledger.models import AccountingPeriod, ExchangeRate
from revenue.models import Adjustment, Obligation, Recognition, RecognitionRun, RevenueContract
from revenue.postings import BREAKAGE, CREDITS, rule_of
from revenue.selectors import balances, differences
from revenue.selectors.differences import Difference, Window
from revenue.services import adjusting, charged

ONE_DAY = dt.timedelta(days=1)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Context:
    """What a run knows before its first contract."""

    run: RecognitionRun
    period: AccountingPeriod
    window: Window

    @property
    def last_day(self) -> dt.date:
        return self.period.ends_on - ONE_DAY

    @property
    def functional_currency(self) -> str:
        return self.period.entity.currency


def recognise(contracts: Sequence[RevenueContract], context: Context) -> None:
    """Bring these contracts, locked by the caller, to what the period should show."""
    ids = [contract.pk for contract in contracts]
    by_id = {contract.pk: contract for contract in contracts}
    obligations = {o.pk: o for o in Obligation.objects.filter(contract__in=ids)}
    found = differences.scheduled(ids, context.window)
    found += charged.differences(contracts, list(obligations.values()), context.window, context.period)
    books = adjusting.Books(
        context=context,
        contracts=by_id,
        obligations=obligations,
        balances=balances.of_obligations(ids, context.period.starts_on, context.period.ends_on),
        rates=rates_on({c.currency for c in contracts}, context),
    )
    entries = adjusting.settle(books)
    slices, posted = _slices(found, books)
    entries += posted
    entries += adjusting.at_month_end(books)
    Recognition.objects.bulk_create(slices, batch_size=5000)
    Adjustment.objects.bulk_create(books.adjustments, batch_size=5000)
    ledger.post(entries)


def rates_on(currencies: Iterable[str], context: Context) -> dict[str, Decimal]:
    """Closing rate of the period per foreign currency, functional per unit. One query at most.

    Raises InvalidInput when one is missing.
    """
    home = context.functional_currency
    foreign = sorted(set(currencies) - {home})
    if not foreign:
        return {}
    rows = (
        ExchangeRate.objects.filter(
            from_currency__in=foreign, to_currency=home, valid_on__lte=context.last_day
        )
        .order_by("from_currency", "-valid_on")
        .distinct("from_currency")
        .values_list("from_currency", "rate")
    )
    found = dict(rows)
    missing = [currency for currency in foreign if currency not in found]
    if missing:
        raise InvalidInput(
            f"There is no exchange rate from {missing[0]} to {home} on or before {context.last_day}",
            record=str(context.period),
            remedy="Load the exchange rates of that day",
        )
    return found


def _slices(
    found: Sequence[Difference], books: adjusting.Books
) -> tuple[list[Recognition], list[ledger.Entry]]:
    """The slices to append and the journals for them, one per contract, month and rule."""
    context = books.context
    known = differences.revisions(list(books.contracts), context.period.pk)
    slices: list[Recognition] = []
    grouped: dict[tuple[int, dt.date, str], list[Recognition]] = defaultdict(list)
    for d in found:
        obligation = books.obligations[d.obligation]
        account = _revenue_account(obligation, d.kind)
        balance = obligation.balance_account
        row = Recognition(
            run=context.run,
            contract_id=obligation.contract_id,
            obligation=obligation,
            version_id=d.version,
            period=context.period,
            effective_month=d.month,
            kind=d.kind,
            revision=known.get((d.obligation, d.kind, d.month), 0),
            amount=d.amount,
            functional=books.take(obligation, d.amount),
            balance_account=balance,
            revenue_account=account,
            rule=rule_of(balance, d.kind),
        )
        slices.append(row)
        grouped[obligation.contract_id, d.month, row.rule].append(row)
    return slices, [_entry(books, *key, rows) for key, rows in grouped.items()]


def _revenue_account(obligation: Obligation, kind: str) -> str:
    if kind == Recognition.Kind.CREDIT:
        return CREDITS
    return BREAKAGE if kind == Recognition.Kind.BREAKAGE else obligation.revenue_account


def _entry(
    books: adjusting.Books, contract: int, month: dt.date, rule: str, rows: Sequence[Recognition]
) -> ledger.Entry:
    """Dr balance, Cr revenue; a negative slice the other way round."""
    context = books.context
    lines = []
    for row in rows:
        lines += books.pair(
            row.obligation_id, row.balance_account, row.revenue_account, row.amount, row.functional
        )
    month_end = min((month + dt.timedelta(days=31)).replace(day=1) - ONE_DAY, context.last_day)
    return ledger.Entry(
        entity_id=context.run.entity_id,
        currency=books.contracts[contract].currency,
        posting_date=context.last_day,
        effective_date=month_end,
        event_key=rows[0].event_key,
        rule=rule,
        source=rows[0].source,
        memo=f"Revenue {month:%Y-%m}" + ("" if month == context.period.starts_on else ", caught up"),
        lines=lines,
    )
