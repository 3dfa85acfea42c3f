"""What a deal will bill and recognise, month by month, before anyone signs.

The deal is lived through the production services on a rolled-back transaction: at the end of every month a
bill run posts what is due and revenue is recognised. Acts of the file that change contract, prices or usage
happen on their days; its bill runs, payments and closes are left to the preview.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal

from django.db.models import Sum

from billing.models import InvoiceLine
from o2c.errors import DomainError, InvalidInput
from o2c.periods import add_months
from o2c.scenarios import runner
from o2c.scenarios import stage as staging
from o2c.scenarios.acts import Bill, Happening, Months, Use
from o2c.scenarios.cast import Cast
from o2c.scenarios.happenings import perform
from o2c.scenarios.language import Scenario
from o2c.scenarios.stage import Stage
from orders.models import Order
from revenue.models import Recognition

MONEY = frozenset({"bill", "pay", "credit", "use_credit", "void", "recognise", "close", "check"})
"""What a preview does itself, or leaves out; everything else changes what is billed."""
OPEN_END_MONTHS = 12
MOST_MONTHS = 84
ZERO = Decimal(0)
ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Month:
    """One month: net billed, revenue recognised, and what is billed but not revenue yet at its end.

    `deferred` below zero is revenue that is not billed yet.
    """

    month: str
    billed: Decimal
    recognised: Decimal
    deferred: Decimal


@dataclass(frozen=True, slots=True)
class LineTotal:
    """What a SKU bills and recognises over the months shown."""

    sku: str
    billed: Decimal
    recognised: Decimal


@dataclass(frozen=True, slots=True)
class Preview:
    """The months of a deal, in the currency of its company."""

    title: str
    currency: str
    months: tuple[Month, ...]
    lines: tuple[LineTotal, ...]

    @property
    def billed(self) -> Decimal:
        return sum((month.billed for month in self.months), ZERO)

    @property
    def recognised(self) -> Decimal:
        return sum((month.recognised for month in self.months), ZERO)


def preview(scenario: Scenario, *, months: int | None = None) -> Preview:
    """The months from the first day of the deals to the end of their terms; `months` where there is none.

    Raises InvalidInput for a term beyond MOST_MONTHS, DomainError when a service refuses the deal.
    """
    with runner.rolled_back():
        return _preview(scenario, Cast.hire(), months)


def _preview(scenario: Scenario, cast: Cast, months: int | None) -> Preview:
    if months is not None and not 1 <= months <= MOST_MONTHS:
        raise InvalidInput(f"A preview shows 1 to {MOST_MONTHS} months, not {months}")
    start = min(deal.start for deal in scenario.contracts).replace(day=1)
    acts = [happening for happening in scenario.happenings if happening.act not in MONEY]
    with runner.staged(cast):
        stage = staging.build(replace(scenario, happenings=tuple(acts)), cast, months=months or 0)
        runner.deliver()
        month = start
        while month < _end(stage, start, months):
            after = add_months(month, 1)
            _assumed_usage(stage, month, after)
            while acts and acts[0].on < after:
                _act(stage, acts.pop(0))
            last = after - ONE_DAY
            _act(stage, Happening(on=last, bill=Bill()))
            _act(stage, Happening(on=last, recognise=Months(month=f"{month:%Y-%m}")))
            month = after
        return _result(stage, start, month)


def _end(stage: Stage, start: dt.date, months: int | None) -> dt.date:
    """The day until which months are shown, from the terms as they are after what happened so far."""
    if months is not None:
        return add_months(start, months)
    ends = list(Order.objects.filter(customer=stage.customer).values_list("ends_on", flat=True))
    until = max((end or add_months(start, OPEN_END_MONTHS) for end in ends), default=start)
    if until > add_months(start, MOST_MONTHS):
        raise InvalidInput(
            f"The term ends on {until}; a preview shows {MOST_MONTHS} months at most",
            remedy="Say how many months you want to see",
        )
    return until


def _act(stage: Stage, happening: Happening) -> None:
    try:
        with runner.settled():
            perform(stage, happening)
            runner.deliver()
    except DomainError as error:
        if happening.at_line:
            error.record = f"line {happening.at_line}, {happening.act}: {error.record}".rstrip(": ")
        raise


def _assumed_usage(stage: Stage, month: dt.date, after: dt.date) -> None:
    """Usage that the deal expects each month, metered on the first day of it that the line covers."""
    for deal in stage.scenario.contracts:
        for line in deal.lines:
            day = max(month, line.start or deal.start)
            if line.usage_per_month is None or day >= after:
                continue
            use = Use(sku=line.sku, quantity=line.usage_per_month, line=line.label, deal=deal.name)
            use = replace(use, id=f"{deal.name}-{line.label}-{month:%Y-%m}")
            _act(stage, Happening(on=day, use=(use,)))


def _result(stage: Stage, start: dt.date, end: dt.date) -> Preview:
    billed: dict[str, Decimal] = defaultdict(Decimal)
    by_sku: dict[str, list[Decimal]] = {}
    lines = InvoiceLine.objects.filter(invoice__entity=stage.entity, invoice__state="posted")
    rows = lines.values_list("invoice__issue_date", "sku_code").annotate(net=Sum("net"))
    for day, sku, net in rows.order_by("sku_code"):
        billed[f"{day:%Y-%m}"] += net
        by_sku.setdefault(stage.spoken(sku), [ZERO, ZERO])[0] += net
    recognised: dict[str, Decimal] = defaultdict(Decimal)
    revenue = Recognition.objects.filter(contract__entity=stage.entity)
    by_period = revenue.values_list("period__name", "obligation__order_line__sku__code")
    for name, sku, amount in by_period.annotate(amount=Sum("amount")).order_by():
        recognised[name] += amount
        by_sku.setdefault(stage.spoken(sku), [ZERO, ZERO])[1] += amount
    months, deferred, month = [], ZERO, start
    while month < end:
        name = f"{month:%Y-%m}"
        deferred += billed[name] - recognised[name]
        months.append(Month(name, billed[name], recognised[name], deferred))
        month = add_months(month, 1)
    return Preview(
        title=stage.scenario.scenario,
        currency=stage.entity.currency,
        months=tuple(months),
        lines=tuple(LineTotal(sku, *sums) for sku, sums in sorted(by_sku.items())),
    )
