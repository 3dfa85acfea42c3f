"""What billing shows on home: queues, figures, charts, its stages of the money strip."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db.models import F, QuerySet
from django.urls import reverse

from billing.domain.ageing import NAMES
from billing.models import (
    BillRun,
    BillRunFinding,
    Dispute,
    Divergence,
    Invoice,
    InvoiceDelivery,
    Receipt,
    UsageException,
)
from billing.refund_queues import QUEUES
from billing.selectors import ageing, figures
from o2c import clock
from o2c.access import has_duty
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

TEAM = ("billing_ops", "collections", "controller", "auditor")


def _runs(*states: str) -> QuerySet[Any]:
    return BillRun.objects.filter(state__in=states).select_related("entity", "calculated_by")


def _to_release(user: Any) -> QuerySet[Any]:
    """Not one's own: who planned or calculated a run does not release it."""
    rows = _runs(BillRun.State.CALCULATED)
    return rows.exclude(calculated_by=user) if has_duty(user, "billing.run.release") else rows


def _open_findings(user: Any) -> QuerySet[Any]:
    return (
        BillRunFinding.objects.filter(run__state=BillRun.State.CALCULATED, acknowledged_at__isnull=True)
        .exclude(severity=BillRunFinding.Severity.INFO)
        .select_related("run", "customer", "invoice")
    )


def _to_post(user: Any) -> QuerySet[Any]:
    """Documents outside a run that somebody else drafted."""
    drafts = Invoice.objects.filter(state=Invoice.State.DRAFT, run__isnull=True)
    return drafts.exclude(drafted_by=user).select_related("customer", "drafted_by")


LEFT_OF_TOTAL = F("total") - F("applied")


def _overdue(user: Any) -> QuerySet[Any]:
    return Invoice.objects.overdue(clock.today()).annotate(left=LEFT_OF_TOTAL).select_related("customer")


def _failed_deliveries(user: Any) -> QuerySet[Any]:
    states = [InvoiceDelivery.State.FAILED, InvoiceDelivery.State.UNCONFIRMED, InvoiceDelivery.State.BOUNCED]
    return InvoiceDelivery.objects.filter(state__in=states).select_related("invoice__customer")


def _days_late(invoice: Any) -> str:
    return f"{(clock.today() - invoice.due_date).days} days past due"


def _ranked(amounts: dict[str, Decimal]) -> tuple[str, list[tuple[str, str]]]:
    """The largest first, the others as rows."""
    ordered = sorted(amounts.items(), key=lambda item: -abs(item[1]))
    if not ordered:
        return "0", []
    (currency, amount), *rest = ordered
    return f"{fmt.plain_money(amount, currency)} {currency}", [(c, fmt.plain_money(a, c)) for c, a in rest]


def _billed() -> KpiValue:
    found = figures.billed_in_month(clock.today())
    text, rows = _ranked({currency: net for currency, (net, _) in found.items()})
    count = sum(documents for _, documents in found.values())
    return KpiValue(
        text=text,
        note=f"net of {count:,} {'document' if count == 1 else 'documents'}",
        rows=rows,
        href=fmt.list_url(Invoice, state__exact="posted"),
    )


def _overdue_kpi() -> KpiValue:
    aged = ageing.total(clock.today())
    text, rows = _ranked({currency: one.overdue for currency, one in aged.items() if one.overdue})
    disputed = Dispute.objects.filter(state=Dispute.State.OPEN).count()
    return KpiValue(
        text=text,
        note=f"{disputed} in dispute",
        rows=rows,
        href=reverse("admin:billing_overdue"),
        good=True if text == "0" else None,
    )


def _dso() -> KpiValue:
    found = figures.days_sales_outstanding(clock.today())
    ordered = sorted(found.items())
    if not ordered:
        return KpiValue(text=fmt.NONE, note="no sales in three months")
    (currency, days), *rest = ordered
    return KpiValue(
        text=f"{days} days in {currency}",
        rows=[(code, f"{value} days") for code, value in rest],
        good=days <= 45,
    )


def _unapplied_kpi() -> KpiValue:
    found = figures.unapplied_cash()
    text, rows = _ranked({currency: left for currency, (left, _) in found.items()})
    count = sum(receipts for _, receipts in found.values())
    return KpiValue(
        text=text,
        note=f"in {count:,} receipts",
        rows=rows,
        href=fmt.list_url(Receipt),
        good=count == 0 or None,
    )


def _billing_chart() -> ChartData:
    rows = figures.billed_by_month(clock.today())
    currencies = sorted({currency for _, amounts in rows for currency in amounts})
    return ChartData(
        labels=[f"{month:%Y-%m}" for month, _ in rows],
        series=[Series(code, [amounts.get(code, 0) for _, amounts in rows]) for code in currencies],
        finding="Net billed by month and currency, credits subtracted",
    )


def _ageing_chart() -> ChartData:
    aged = ageing.total(clock.today())
    return ChartData(
        labels=list(NAMES),
        series=[Series(code, [one.buckets[name] for name in NAMES]) for code, one in sorted(aged.items())],
        finding="Open receivables by days past due",
    )


def _figures_of(anchor: Anchor) -> dict[str, tuple[Decimal, Decimal, int]] | None:
    if anchor.kind == "order":
        return figures.of_orders(anchor.ids)
    if anchor.kind == "customer":
        return figures.of_customers(anchor.ids)
    return None


def _href(anchor: Anchor) -> str:
    ids = ",".join(map(str, anchor.ids))
    if anchor.kind == "order":
        return fmt.list_url(Invoice, order__id__in=ids)
    return fmt.list_url(Invoice, customer__id__in=ids)


def _invoiced(anchor: Anchor) -> Sequence[StripAmount] | None:
    found = _figures_of(anchor)
    if found is None:
        return None
    return [
        StripAmount(billed, currency, href=_href(anchor), count=count)
        for currency, (billed, _, count) in sorted(found.items())
    ]


def _settled(anchor: Anchor) -> Sequence[StripAmount] | None:
    found = _figures_of(anchor)
    if found is None:
        return None
    return [
        StripAmount(
            settled,
            currency,
            href=_href(anchor),
            note=f"{fmt.plain_money(billed - settled, currency)} open"
            if billed != settled
            else "all settled",
        )
        for currency, (billed, settled, _) in sorted(found.items())
        if settled or billed
    ]


def _parked_usage(user: Any) -> QuerySet[UsageException]:
    return UsageException.objects.filter(state=UsageException.State.OPEN).select_related("owner")


register(
    *QUEUES,
    Queue(
        code="billing.run.release",
        title="Bill runs to release",
        area="Billing",
        duty="billing.run.release",
        roles=("billing_ops",),
        rows=_to_release,
        since="calculated_at",
        columns=("entity", "through", "issue_on", "calculated_by"),
        why="Calculated and reviewed by somebody else, waits for a second person",
        act="release",
        sla_hours=24,
        icon="verified",
        priority=5,
        empty="No run waits for release.",
    ),
    Queue(
        code="billing.run.findings",
        title="Findings to review",
        area="Billing",
        duty="billing.run.acknowledge",
        roles=("approver", "controller"),
        rows=_open_findings,
        amount="amount",
        columns=("code", "severity", "customer", "run"),
        why=lambda row: row.message,
        sla_hours=24,
        icon="fact_check",
        priority=6,
        empty="Every finding of the calculated runs was looked at.",
    ),
    Queue(
        code="billing.divergences",
        title="Billed periods that would change",
        area="Billing",
        duty="billing.run.plan",
        rows=lambda user: Divergence.objects.filter(cleared_on__isnull=True).select_related(
            "line__order__customer"
        ),
        since="first_seen_on",
        columns=("kind", "period_from", "billed", "expected", "recalculated"),
        why=lambda row: row.problem or "Billed, and rated otherwise today: the next run corrects it",
        icon="difference",
        priority=40,
    ),
    Queue(
        code="billing.run.work",
        title="Bill runs in work",
        area="Billing",
        duty="billing.run.plan",
        rows=lambda user: _runs(BillRun.State.PLANNED, BillRun.State.RELEASED, BillRun.State.POSTING),
        columns=("state", "entity", "through"),
        why=lambda run: {
            "planned": "Planned: calculate it",
            "released": "Released: post it",
            "posting": "Being posted; resume it should it stand still",
        }[run.state],
        sla_hours=24,
        icon="play_circle",
        priority=7,
        empty="No run is in work. Plan one when a period has ended.",
    ),
    Queue(
        code="billing.usage.parked",
        title="Usage that is parked",
        area="Billing",
        duty="billing.usage.retry",
        rows=_parked_usage,
        columns=("kind", "customer_number", "meter_code", "quantity"),
        owner="owner",
        why=lambda row: row.message,
        act="accept",
        sla_hours=48,
        icon="report",
        priority=8,
        empty="Every event that arrived was stored as usage.",
    ),
    Queue(
        code="billing.document.post",
        title="Invoices and credits to post",
        area="Billing",
        duty="billing.invoice.post",
        rows=_to_post,
        amount="total",
        columns=("kind", "customer", "issue_date", "drafted_by"),
        why=lambda row: row.reason or "Drafted by somebody else",
        act="post",
        sla_hours=24,
        icon="approval",
        priority=8,
        empty="No document of somebody else waits to be posted.",
    ),
    Queue(
        code="billing.delivery.failed",
        title="Deliveries that failed",
        area="Billing",
        duty="billing.delivery.retry",
        roles=("billing_ops",),
        rows=_failed_deliveries,
        since="claimed_at",
        amount="invoice__total",
        currency="invoice__currency",
        columns=("address", "state", "attempts"),
        why=lambda row: row.last_error or row.get_state_display(),
        act="retry",
        sla_hours=8,
        icon="outgoing_mail",
        priority=20,
        empty="Every document reached its mail server.",
    ),
    Queue(
        code="billing.receipts.unapplied",
        title="Receipts to apply",
        area="Cash",
        duty="billing.receipt.apply",
        roles=("controller",),
        rows=lambda user: (
            Receipt.objects.unapplied().annotate(left=F("amount") - F("applied")).select_related("customer")
        ),
        since="received_on",
        amount="left",
        columns=("customer", "amount", "reference", "payer_name"),
        why=lambda row: "Payer not identified" if row.customer_id is None else "Not applied in full",
        sla_hours=48,
        icon="payments",
        priority=10,
        empty="Every receipt is applied.",
    ),
    Queue(
        code="billing.credits",
        title="Credit memos to use",
        area="Cash",
        duty="billing.receipt.apply",
        rows=lambda user: (
            Invoice.objects.open()
            .filter(total__lt=0, channel="direct")
            .annotate(left=LEFT_OF_TOTAL)
            .select_related("customer")
        ),
        since="issue_date",
        amount="left",
        columns=("customer", "total", "reason_code"),
        why="Not used against an invoice yet",
        icon="currency_exchange",
        priority=11,
        empty="Every credit memo is used.",
    ),
    Queue(
        code="billing.overdue",
        title="Overdue invoices",
        area="Cash",
        duty="billing.dunning.send",
        roles=("controller", "collections"),
        rows=_overdue,
        since="due_date",
        amount="left",
        columns=("customer", "due_date", "total"),
        why=_days_late,
        icon="alarm",
        priority=12,
        empty="Nothing of ours is past due.",
    ),
    Queue(
        code="billing.disputes",
        title="Open disputes",
        area="Cash",
        duty="billing.dispute.reject",
        roles=("billing_ops", "controller"),
        rows=lambda user: Dispute.objects.filter(state="open").select_related("invoice__customer", "line"),
        since="opened_on",
        amount="amount",
        currency="invoice__currency",
        columns=("invoice", "reason_code"),
        why=lambda row: row.description or row.get_reason_code_display(),
        sla_hours=5 * 24,
        icon="gavel",
        priority=14,
        empty="Nothing is in dispute.",
    ),
    Kpi(
        code="billing.month",
        title="Billed this month",
        value=_billed,
        roles=(*TEAM, "revenue_accounting"),
        definition="Net of the documents issued this month, credit memos subtracted.",
        seconds=120,
        priority=12,
    ),
    Kpi(
        code="billing.overdue",
        title="Overdue",
        value=_overdue_kpi,
        roles=TEAM,
        definition="Open documents past their due date, unused credit subtracted; a marketplace's left out.",
        seconds=120,
        priority=14,
    ),
    Kpi(
        code="billing.dso",
        title="Days sales outstanding",
        value=_dso,
        roles=TEAM,
        definition="Receivable / gross sales of the last three months x 91, per currency.",
        seconds=600,
        priority=16,
    ),
    Kpi(
        code="billing.unapplied",
        title="Unapplied cash",
        value=_unapplied_kpi,
        roles=TEAM,
        definition="Receipts, or what is left of them, that settle no invoice yet.",
        seconds=120,
        priority=18,
    ),
    Chart(
        code="billing.by_month",
        title="Billing by month",
        data=_billing_chart,
        kind="bar",
        roles=(*TEAM, "revenue_accounting"),
        wide=True,
        priority=12,
    ),
    Chart(
        code="billing.ageing",
        title="Ageing",
        data=_ageing_chart,
        kind="bar",
        roles=TEAM,
        priority=14,
    ),
    StripStage(code="invoice", label="Invoice", position=30, amounts=_invoiced),
    StripStage(code="cash", label="Cash", position=40, amounts=_settled),
    Page(
        code="billing.usage_balance",
        title="Where usage went",
        area="Billing",
        url="admin:billing_usage_balance",
        icon="balance",
        duty="billing.read",
        position=63,
    ),
    Page(
        code="billing.overdue",
        title="Overdue accounts",
        area="Cash",
        url="admin:billing_overdue",
        icon="alarm",
        duty="billing.read",
        position=5,
    ),
    Page(
        code="billing.ageing",
        title="Ageing",
        area="Cash",
        url="admin:billing_ageing",
        icon="stacked_bar_chart",
        duty="billing.read",
        position=6,
    ),
    QuickLink(
        code="billing.ageing",
        title="Ageing",
        url="admin:billing_ageing",
        roles=("collections", "controller"),
        icon="stacked_bar_chart",
    ),
    QuickLink(
        code="billing.receipt",
        title="Record a receipt",
        url="/admin/billing/receipt/do/record/",
        duty="billing.receipt.record",
        icon="payments",
    ),
    QuickLink(
        code="billing.plan",
        title="Plan a bill run",
        url="/admin/billing/billrun/do/plan/",
        duty="billing.run.plan",
        icon="play_circle",
    ),
)
