"""Why this number: from a cent of revenue to the price, the service and the rule it comes from."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

from django.db.models import QuerySet, Sum

from billing.models import Charge
from o2c.console import format as fmt
from o2c.console.panels import Column, Panel
from o2c.console.registry import ExplainStep, Explanation
from o2c.ledger.models import Journal, JournalLine
from o2c.money import quantize
from o2c.periods import add_months
from revenue.domain.modifications import curve
from revenue.domain.schedules import units
from revenue.domain.stored import bands_from_json
from revenue.domain.types import Treatment, Version
from revenue.models import Allocation, ContractVersion, Obligation, Recognition, RevenueContract
from revenue.services import charged

ZERO = Decimal(0)
ONE_DAY = dt.timedelta(days=1)


def recognition(row: Recognition) -> Explanation:
    """A slice of revenue: planned (or charged) for its month less what was posted for it before."""
    obligation, contract = row.obligation, row.contract
    before = _same_month(row).filter(pk__lt=row.pk).aggregate(amount=Sum("amount"))["amount"] or ZERO
    if obligation.basis == Obligation.Basis.FIXED and row.kind == Recognition.Kind.REVENUE:
        due, steps = _scheduled(row)
    elif obligation.basis == Obligation.Basis.FIXED or row.kind == Recognition.Kind.CREDIT:
        due, steps = _credited(row)
    else:
        due, steps = _charged(row)
    month = f"{row.effective_month:%Y-%m}"
    steps.append(
        ExplainStep(
            label=f"Posted for {month} before",
            result=fmt.plain_money(before, contract.currency),
            note="Earlier slices of the same month, in whatever period they were posted.",
        )
    )
    steps.append(
        ExplainStep(
            label="This slice",
            formula=_minus(due, before, contract.currency),
            result=fmt.plain_money(due - before, contract.currency),
            note=_posted_where(row),
        )
    )
    return Explanation(
        title=f"{row.get_kind_display()} of {month}, {obligation}",
        amount=row.amount,
        currency=contract.currency,
        steps=steps,
        recomputed=due - before,
        tables=[_slices_panel(row), _journal_panel(row)],
        sources=[
            (f"contract {contract}", fmt.admin_url(contract)),
            (f"obligation {obligation}", fmt.admin_url(obligation)),
            (f"order {contract.order}", fmt.admin_url(contract.order)),
        ],
    )


def _same_month(row: Recognition) -> QuerySet[Recognition]:
    return Recognition.objects.filter(
        obligation=row.obligation_id, kind=row.kind, effective_month=row.effective_month
    )


def _posted_where(row: Recognition) -> str:
    if row.period.starts_on == row.effective_month:
        return "Posted in its own month."
    return f"Posted in {row.period.name}: its own month was closed (catch-up)."


def versions_until(obligation: Obligation, number: int) -> list[tuple[Allocation, Version]]:
    """The versions that shape the obligation's schedule, as stored, up to version `number`."""
    rows = (
        Allocation.objects.filter(obligation=obligation, version__number__lte=number)
        .exclude(treatment=Treatment.NONE)
        .select_related("version")
        .order_by("version__number")
    )
    return [
        (a, Version(a.version.effective_on, a.price, bands_from_json(a.bands), Treatment(a.treatment)))
        for a in rows
    ]


def _scheduled(row: Recognition) -> tuple[Decimal, list[ExplainStep]]:
    assert row.version_id is not None or row.contract.version
    number = row.version.number if row.version else row.contract.version
    stored = versions_until(row.obligation, number)
    earned = curve([version for _, version in stored])
    start, end = row.effective_month, add_months(row.effective_month, 1)
    currency = row.contract.currency
    until, before = quantize(earned(end), currency), quantize(earned(start), currency)
    last, version = stored[-1]
    whole = units(version.bands, dt.date.max)
    here = units(version.bands, end) - units(version.bands, start)
    steps = [_price_step(a, currency) for a, _ in stored]
    steps.append(
        ExplainStep(
            label=f"Service in {start:%Y-%m}",
            formula="; ".join(f"{b.quantity.normalize():f} from {b.start} to {b.end}" for b in version.bands),
            result=f"{_plain(here)} of {_plain(whole)} unit-days",
            note="Quantity times days: the measure of progress of a service given evenly.",
        )
    )
    steps.append(
        ExplainStep(
            label=f"Earned by {end - ONE_DAY} less earned by {start - ONE_DAY}",
            formula=_minus(until, before, currency),
            result=fmt.plain_money(until - before, currency),
            note=f"Cumulative, rounded at each month end, so that every prefix ties. {last.rule}.",
        )
    )
    return until - before, steps


def _price_step(allocation: Allocation, currency: str) -> ExplainStep:
    return ExplainStep(
        label=f"Price from {allocation.version.effective_on} (version {allocation.version.number})",
        formula=f"stated {fmt.plain_money(allocation.stated, currency)},"
        f" stand-alone {fmt.plain_money(allocation.ssp, currency)} ({fmt.words(allocation.ssp_method)})",
        result=fmt.plain_money(allocation.price, currency),
        note=f"{allocation.treatment}: {allocation.rule}",
    )


def _credited(row: Recognition) -> tuple[Decimal, list[ExplainStep]]:
    version = row.version or ContractVersion.objects.get(contract=row.contract, number=row.contract.version)
    planned = version.slices.filter(
        obligation=row.obligation_id, kind="credit", month=row.effective_month
    ).aggregate(amount=Sum("amount"))["amount"]
    step = ExplainStep(
        label=f"Credits for {row.effective_month:%Y-%m} in version {version.number}",
        result=fmt.plain_money(planned or ZERO, row.contract.currency),
        note="Each correcting credit memo, by day over the service that it credits.",
    )
    return planned or ZERO, [step]


def _charged(row: Recognition) -> tuple[Decimal, list[ExplainStep]]:
    siblings = list(Obligation.objects.filter(contract=row.contract_id))
    unscheduled = [o for o in siblings if o.basis != Obligation.Basis.FIXED]
    earned = charged.earned([row.contract.order_id], unscheduled, row.period.ends_on)
    due = earned.get((row.obligation_id, row.kind), {}).get(row.effective_month, ZERO)
    later = _same_month(row).filter(pk__gt=row.pk).aggregate(amount=Sum("amount"))["amount"] or ZERO
    start, end = row.effective_month, add_months(row.effective_month, 1)
    billed = Charge.objects.filter(
        line=row.obligation.order_line_id, service_from__lt=end, service_to__gt=start
    ).order_by("pk")
    steps = [
        ExplainStep(
            label=f"Charged for service in {start:%Y-%m}",
            result=fmt.plain_money(due, row.contract.currency),
            formula="rated by the billing engine, cut at the month end",
            note="606-10-55-18: revenue is what we have the right to invoice.",
            children=[
                ExplainStep(label=f"Billed {c}", href=fmt.admin_url(c), result=str(c.amount))
                for c in billed[:20]
            ],
        )
    ]
    if later:
        steps.append(
            ExplainStep(
                label="Posted for it afterwards",
                result=fmt.plain_money(later, row.contract.currency),
                note="Usage that arrived later, or was corrected.",
            )
        )
    return due - later, steps


def _slices_panel(row: Recognition) -> Panel:
    rows = _same_month(row).select_related("period__entity", "contract").order_by("pk")
    columns = [
        Column("period", "Posted in"),
        Column("amount", money="contract.currency", total=True),
        Column("functional", money="period.entity.currency", total=True),
        Column("rule"),
    ]
    return Panel("All slices of the month", rows, columns)


def _journal_panel(row: Recognition) -> Panel:
    lines = JournalLine.objects.filter(
        journal__in=Journal.objects.filter(event_key=row.event_key),
        reference=f"order_line:{row.obligation.order_line_id}",
    ).select_related("journal", "account")
    columns = [
        Column("journal", link=False),
        Column("journal.posting_date", "Posted on"),
        Column("account"),
        Column("debit", money="journal.currency"),
        Column("credit", money="journal.currency"),
    ]
    return Panel("In the ledger", lines.order_by("pk"), columns, link_rows=False)


def _minus(whole: Decimal, part: Decimal, currency: str) -> str:
    return f"{fmt.plain_money(whole, currency)} - {fmt.plain_money(part, currency)}"


def _plain(value: Fraction) -> str:
    return f"{value.numerator:,}" if value.denominator == 1 else f"{value.numerator:,}/{value.denominator:,}"


def allocated(obligation: Obligation) -> Explanation:
    """The price of an obligation: every version that changed it, and its share of the contract."""
    contract = obligation.contract
    rows = (
        Allocation.objects.filter(obligation=obligation)
        .exclude(treatment=Treatment.NONE, credit=0)
        .select_related("version")
        .order_by("version__number")
    )
    found = list(rows)
    steps = [_price_step(a, contract.currency) for a in found if a.treatment != Treatment.NONE]
    credit = found[-1].credit if found else ZERO
    if credit:
        steps.append(
            ExplainStep(
                label="Credits of its own line",
                result=fmt.plain_money(credit, contract.currency),
                note="Correcting credit memos lower the price of the line that they credit.",
            )
        )
    price = found[-1].price if found else ZERO
    return Explanation(
        title=f"Price of {obligation}",
        amount=obligation.allocated,
        currency=contract.currency,
        steps=steps,
        recomputed=price + credit,
        sources=[(f"contract {contract}", fmt.admin_url(contract))],
    )


def transaction_price(contract: RevenueContract) -> Explanation:
    """The fixed consideration of a contract: the prices of its obligations."""
    obligations = list(contract.obligations.exclude(basis=Obligation.Basis.CHARGED))
    credited = contract.obligations.filter(basis=Obligation.Basis.CHARGED).aggregate(a=Sum("allocated"))["a"]
    steps = [
        ExplainStep(
            label=str(o),
            result=fmt.plain_money(o.allocated, contract.currency),
            formula=f"stated {fmt.plain_money(o.stated, contract.currency)}",
            href=fmt.admin_url(o),
        )
        for o in obligations
    ]
    total = sum((o.allocated for o in obligations), ZERO) + (credited or ZERO)
    return Explanation(
        title=f"Transaction price of {contract}",
        amount=contract.transaction_price,
        currency=contract.currency,
        steps=steps,
        recomputed=total,
        sources=[(f"order {contract.order}", fmt.admin_url(contract.order))],
    )
