"""What revenue shows on home: queues, figures, charts, pages, its stage of the money strip."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Sum

from o2c import clock
from o2c.console import format as fmt
from o2c.console.registry import (
    Anchor,
    Chart,
    ChartData,
    Kpi,
    KpiValue,
    Page,
    Queue,
    QuickLink,
    Series,
    StripAmount,
    StripStage,
    register,
)
from o2c.ledger.models import AccountingPeriod, Journal
from o2c.periods import add_months, month_start
from revenue.models import (
    CloseRun,
    GlExport,
    Recognition,
    RevenueContract,
    SspEntry,
    TreatmentJudgement,
)
from revenue.selectors import checklist, reports

AREA = "Revenue"
TEAM = ("revenue_accounting", "controller", "auditor")
ZERO = Decimal(0)


def _ranked(amounts: dict[str, Decimal]) -> tuple[str, list[tuple[str, str]]]:
    """The largest first, the rest as rows: amounts of different currencies are never added up."""
    ranked = sorted(((c, a) for c, a in amounts.items() if a), key=lambda item: -abs(item[1]))
    if not ranked:
        return "0", []
    (currency, amount), *rest = ranked
    return f"{fmt.plain_money(amount, currency)} {currency}", [(c, fmt.plain_money(a, c)) for c, a in rest]


def _last_month() -> dt.date:
    """The latest month in which an entity has recognised revenue, else this month."""
    last = (
        Recognition.objects.order_by("-period__starts_on").values_list("period__starts_on", flat=True).first()
    )
    return last or month_start(clock.today())


def _revenue() -> KpiValue:
    month = _last_month()
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    for row in reports.revenue_by_month(since=month, until=add_months(month, 1)):
        amounts[f"{row.entity} {row.currency}"] += row.amount
    ranked = sorted(amounts.items(), key=lambda item: -item[1])
    rows = [(label, fmt.plain_money(a, label[-3:])) for label, a in ranked[1:]]
    text = f"{fmt.plain_money(ranked[0][1], ranked[0][0][-3:])} {ranked[0][0][-3:]}" if ranked else "0"
    note = f"{month:%Y-%m}" + (f", {ranked[0][0][:-4]}" if ranked else "")
    return KpiValue(text=text, note=note, rows=rows, href=fmt.list_url(Recognition))


def _balance(account: str, sign: int, note: str) -> KpiValue:
    end = add_months(_last_month(), 1)
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    for row in reports.balances(end):
        if row.account == account:
            amounts[row.currency] += sign * row.amount
    text, rows = _ranked(amounts)
    return KpiValue(text=text, rows=rows, note=f"at the end of {_last_month():%Y-%m}, {note}")


def _deferred() -> KpiValue:
    return _balance("2100", 1, "invoiced and not yet earned")


def _unbilled() -> KpiValue:
    return _balance("1110", -1, "earned and not yet invoiced")


def _remaining() -> KpiValue:
    end = add_months(_last_month(), 1)
    text, rows = _ranked(reports.remaining_total(end))
    return KpiValue(text=text, rows=rows, note=f"after {_last_month():%Y-%m}")


def _open_items() -> KpiValue:
    running = CloseRun.objects.filter(state=CloseRun.State.OPEN).select_related("period__entity")
    counts = [(str(run.period), len(checklist.unanswered(run))) for run in running]
    total = sum(count for _, count in counts)
    return KpiValue(
        text=f"{total} open",
        rows=[(label, f"{count} differ") for label, count in counts],
        note="in closes that are under way" if counts else "no close is under way",
        href=fmt.list_url(CloseRun, state__exact="open"),
        good=total == 0,
    )


def _by_month() -> ChartData:
    end = add_months(_last_month(), 1)
    start = add_months(end, -12)
    months: dict[str, dict[dt.date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in reports.revenue_by_month(since=start, until=end):
        months[f"{row.entity}, {row.currency}"][row.month] += row.amount
    labels = [add_months(start, k) for k in range(12)]
    found = [m for m in labels if any(by[m] for by in months.values())] or labels
    return ChartData(
        labels=[f"{m:%Y-%m}" for m in found],
        series=[Series(name, [by[m] for m in found]) for name, by in sorted(months.items())],
        finding="Net revenue posted per month, by entity in its own currency",
    )


def _ahead() -> ChartData:
    """What schedules plan for the next twelve months, by currency."""
    start = add_months(_last_month(), 1)
    cuts = [add_months(start, k) for k in range(1, 13)]
    found = reports.remaining_obligations(start, cuts=cuts)
    return ChartData(
        labels=[f"{add_months(start, k):%Y-%m}" for k in range(12)],
        series=[Series(c, [amount for _, amount in parts[:12]]) for c, parts in found.items()],
        finding="Fixed prices still to be earned, by month of service",
    )


def _to_close(user: Any) -> QuerySet[AccountingPeriod]:
    return (
        AccountingPeriod.objects.filter(ends_on__lte=clock.today())
        .exclude(state=AccountingPeriod.State.CLOSED)
        .filter(Exists(Journal.objects.filter(period=OuterRef("pk"))))
        .select_related("entity")
        .order_by("starts_on")
    )


def _to_prepare(user: Any) -> QuerySet[CloseRun]:
    return CloseRun.objects.filter(state=CloseRun.State.OPEN).select_related("period__entity")


def _to_review(user: Any) -> QuerySet[CloseRun]:
    found = CloseRun.objects.filter(state=CloseRun.State.PREPARED).exclude(prepared_by=user)
    return found.select_related("period__entity", "prepared_by")


def _to_reopen(user: Any) -> QuerySet[CloseRun]:
    found = CloseRun.objects.filter(state=CloseRun.State.REOPENING).exclude(reopening_asked_by=user)
    return found.select_related("period__entity", "reopening_asked_by")


def _exports(*states: str) -> Any:
    return lambda user: GlExport.objects.filter(state__in=states).select_related("period__entity", "entity")


def _to_approve(user: Any) -> QuerySet[SspEntry]:
    return SspEntry.objects.filter(approved_by__isnull=True).exclude(proposed_by=user).select_related("sku")


def _to_decide(user: Any) -> QuerySet[TreatmentJudgement]:
    found = TreatmentJudgement.objects.filter(state=TreatmentJudgement.State.PROPOSED)
    return found.exclude(proposed_by=user).select_related("version__contract__order", "proposed_by")


def _why_open(run: Any) -> str:
    if not run.attempt:
        return "The tie-outs have not been run"
    left = len(checklist.unanswered(run))
    return f"{left} items differ" if left else "Ready to sign"


def _recognised(anchor: Anchor) -> Sequence[StripAmount] | None:
    """The last stage of the strip: what was recognised, usage included."""
    if anchor.kind == "order":
        chosen = Q(contract__order__in=anchor.ids)
    elif anchor.kind == "customer":
        chosen = Q(contract__customer__in=anchor.ids)
    else:
        return None
    rows = (
        Recognition.objects.filter(chosen)
        .values_list("contract__currency")
        .annotate(amount=Sum("amount"))
        .order_by("contract__currency")
    )
    path = "order" if anchor.kind == "order" else "customer"
    href = fmt.list_url(RevenueContract, **{f"{path}__id__in": ",".join(map(str, anchor.ids))})
    return [StripAmount(amount, currency, href=href) for currency, amount in rows]


register(
    Queue(
        code="revenue.to_close",
        title="Months to close",
        area=AREA,
        rows=_to_close,
        duty="revenue.close.run",
        roles=("controller",),
        since="ends_on",
        columns=("entity", "state"),
        why="The month is over and its books are open",
        sla_hours=24 * 10,
        icon="lock_clock",
        priority=10,
        empty="Every month that is over is closed.",
    ),
    Queue(
        code="revenue.to_prepare",
        title="Closes to prepare",
        area=AREA,
        rows=_to_prepare,
        duty="revenue.close.prepare",
        columns=("period", "attempt"),
        why=_why_open,
        act="prepare",
        sla_hours=48,
        icon="fact_check",
        priority=11,
        empty="No close is under way.",
    ),
    Queue(
        code="revenue.to_review",
        title="Closes to review and lock",
        area=AREA,
        rows=_to_review,
        duty="revenue.close.review",
        since="prepared_at",
        owner="prepared_by",
        columns=("period", "prepared_by"),
        why="Prepared and signed by somebody else",
        act="lock",
        sla_hours=24,
        icon="verified",
        priority=10,
        empty="No prepared close of somebody else waits.",
    ),
    Queue(
        code="revenue.to_reopen",
        title="Requests to reopen a month",
        area=AREA,
        rows=_to_reopen,
        duty="revenue.close.reopen",
        columns=("period", "reopening_asked_by"),
        why=lambda run: run.reopening_reason,
        act="reopen",
        sla_hours=8,
        icon="lock_open",
        priority=12,
        empty="Nobody asks to reopen a month.",
    ),
    Queue(
        code="revenue.exports_to_send",
        title="Ledger exports to send",
        area=AREA,
        rows=_exports("built", "rejected"),
        duty="revenue.export.send",
        amount="total_debit",
        currency="entity__currency",
        columns=("period", "format", "state"),
        why=lambda export: export.rejection or "Built and not handed over",
        act="mark_sent",
        sla_hours=24,
        icon="upload_file",
        priority=20,
        empty="Every file was handed over.",
    ),
    Queue(
        code="revenue.exports_to_acknowledge",
        title="Ledger exports without an answer",
        area=AREA,
        rows=_exports("sent"),
        duty="revenue.export.acknowledge",
        amount="total_debit",
        currency="entity__currency",
        columns=("period", "format"),
        why="Sent; the ledger has not said what it took",
        sla_hours=24,
        icon="outgoing_mail",
        priority=21,
        empty="The ledger has answered to every file.",
    ),
    Queue(
        code="revenue.treatments_to_decide",
        title="Treatments of modifications to decide",
        area=AREA,
        rows=_to_decide,
        duty="revenue.treatment.approve",
        owner="proposed_by",
        columns=("version.contract", "treatment"),
        why=lambda judgement: judgement.memo,
        act="approve",
        sla_hours=48,
        icon="balance",
        priority=25,
        empty="No proposal of somebody else waits.",
    ),
    Queue(
        code="revenue.ssp_to_approve",
        title="Stand-alone prices to approve",
        area=AREA,
        rows=_to_approve,
        duty="revenue.ssp.approve",
        amount="unit_amount",
        columns=("sku", "effective_from"),
        why=lambda entry: entry.evidence,
        sla_hours=120,
        icon="sell",
        priority=30,
        empty="No proposal of somebody else waits.",
    ),
    Kpi(
        code="revenue.month",
        title="Revenue of the month",
        value=_revenue,
        roles=TEAM,
        definition="Net revenue posted in the latest month with recognition, per entity in its currency.",
        priority=10,
    ),
    Kpi(
        code="revenue.deferred",
        title="Deferred revenue",
        value=_deferred,
        roles=TEAM,
        definition="Account 2100 by currency.",
        priority=11,
    ),
    Kpi(
        code="revenue.unbilled",
        title="Unbilled",
        value=_unbilled,
        roles=(*TEAM, "billing_ops"),
        definition="Account 1110 by currency.",
        priority=12,
    ),
    Kpi(
        code="revenue.remaining",
        title="Remaining obligations",
        value=_remaining,
        roles=TEAM,
        definition="Fixed prices not yet earned, usage left out (606-10-50-13, 50-14(b)).",
        seconds=300,
        priority=13,
    ),
    Kpi(
        code="revenue.open_items",
        title="Open tie-outs",
        value=_open_items,
        roles=TEAM,
        definition="Items of running closes that differ and nobody has explained.",
        priority=9,
    ),
    Chart(code="revenue.by_month", title="Revenue by month", data=_by_month, roles=TEAM),
    Chart(code="revenue.ahead", title="To be earned", data=_ahead, roles=TEAM, priority=51),
    Page("revenue.trial_balance", "Trial balance", AREA, "admin:revenue_trial_balance",
         icon="balance", duty="revenue.read", position=70),
    Page("revenue.waterfall", "Waterfall", AREA, "admin:revenue_waterfall",
         icon="waterfall_chart", duty="revenue.read", position=72),
    Page("revenue.balances", "Contract balances", AREA, "admin:revenue_balances",
         icon="account_balance", duty="revenue.read", position=71),
    QuickLink("revenue.close", "Month close", "admin:revenue_closerun_changelist", roles=TEAM,
              icon="lock_clock", position=10),
    QuickLink("revenue.trial_balance", "Trial balance", "admin:revenue_trial_balance", roles=TEAM,
              icon="balance", position=20),
    StripStage(code="revenue", label="Revenue", position=50, amounts=_recognised),
)  # fmt: skip
