"""What partners shows on home: queues, figures, a chart."""

from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Abs

from o2c.console import format as fmt
from o2c.console.registry import Chart, ChartData, Kpi, KpiValue, Queue, Series, register
from partners.models import Break, FeedException, MarketplaceRefund, MeteringRecord, Registration
from partners.selectors import figures
from partners.selectors.metering import unsent

AREA = "Partners"


def _money(totals: figures.Totals) -> KpiValue:
    if not totals:
        return KpiValue(text="0")
    currency, amount = totals[0]
    return KpiValue(
        text=f"{fmt.plain_money(amount, currency)} {currency}",
        rows=[(code, fmt.plain_money(value, code)) for code, value in totals[1:]],
    )


def _breaks() -> KpiValue:
    rows = figures.breaks_at_stake()
    value = _money([(currency, amount) for currency, amount, _number in rows])
    number = sum(count for _currency, _amount, count in rows)
    return KpiValue(
        text=value.text,
        note=f"{number} live breaks" if number else "no live break",
        href="/admin/partners/break/",
        good=number == 0,
        rows=value.rows,
    )


def _unsent() -> KpiValue:
    health = figures.metering_health()
    newest = (
        f"newest hour {health.newest.hour:%Y-%m-%d %H:00} UTC" if health.newest else "nothing metered yet"
    )
    return KpiValue(text=f"{health.unsent:,}", note=newest, good=health.unsent < 100)


def _chart() -> ChartData:
    rows = figures.daily_value()
    return ChartData(
        labels=[day for day, _value in rows],
        series=[Series("Metered, USD", [value for _day, value in rows])],
        unit="USD",
    )


def _work(*states: str) -> Any:
    def rows(user: Any) -> QuerySet[Break]:
        rows = Break.objects.filter(state__in=states).annotate(at_stake=Abs("value"))
        return rows.select_related("agreement", "owner", "channel")

    return rows


def _unsent_rows(user: Any) -> QuerySet[MeteringRecord]:
    return unsent().select_related("dimension__agreement")


def _unclaimed(user: Any) -> QuerySet[Registration]:
    return Registration.objects.filter(state=Registration.State.UNCLAIMED)


def _refunds(*states: str) -> Any:
    def rows(user: Any) -> QuerySet[MarketplaceRefund]:
        return MarketplaceRefund.objects.filter(state__in=states).select_related("agreement", "drafted_by")

    return rows


def _unanswered(user: Any) -> QuerySet[MarketplaceRefund]:
    waiting = MarketplaceRefund.objects.filter(state=MarketplaceRefund.State.SUBMITTED, adjustment_ref="")
    return waiting.select_related("agreement", "file")


def _parked(user: Any) -> QuerySet[FeedException]:
    return FeedException.objects.filter(state=FeedException.State.OPEN).select_related("file")


register(
    Queue(
        code="partners.break.open",
        title="Marketplace breaks to work",
        area=AREA,
        rows=_work(Break.State.OPEN, Break.State.ASSIGNED, Break.State.WAITING),
        duty="partners.break.work",
        since="first_seen_at",
        amount="at_stake",
        owner="owner",
        columns=("type", "agreement", "period", "state"),
        why=lambda row: f"{row.leg}: expected {row.expected:f}, found {row.actual:f}",
        act="take",
        sla_hours=72,
        icon="difference",
    ),
    Queue(
        code="partners.break.resolve",
        title="Marketplace breaks to close",
        area=AREA,
        rows=_work(Break.State.PROPOSED),
        duty="partners.break.resolve",
        since="first_seen_at",
        amount="at_stake",
        owner="owner",
        columns=("type", "agreement", "resolution", "proposed_by"),
        why="A colleague proposes to close it; you carry it out",
        act="resolve",
        icon="rule",
    ),
    Queue(
        code="partners.refund.approve",
        title="Marketplace refunds to approve",
        area=AREA,
        rows=_refunds(MarketplaceRefund.State.DRAFT),
        duty="partners.refund.approve",
        since="created_at",
        amount="amount",
        owner="drafted_by",
        columns=("agreement", "invoice_ref", "reason_code"),
        why=lambda row: row.description,
        act="approve",
        sla_hours=24,
        icon="undo",
        empty="No refund waits.",
    ),
    Queue(
        code="partners.refund.submit",
        title="Approved refunds for AWS",
        area=AREA,
        rows=_refunds(MarketplaceRefund.State.APPROVED),
        duty="partners.refund.submit",
        since="approved_at",
        amount="amount",
        columns=("agreement", "invoice_ref"),
        why="Approved; AWS does not have it yet",
        act="submit",
        sla_hours=24,
        icon="outgoing_mail",
    ),
    Queue(
        code="partners.refund.unanswered",
        title="Refunds with AWS, unanswered",
        area=AREA,
        rows=_unanswered,
        duty="partners.refund.submit",
        since="approved_at",
        amount="amount",
        columns=("agreement", "invoice_ref", "file"),
        why="Its file was made; the answer of AWS's tool is not read in",
        sla_hours=8,
        icon="mark_email_unread",
    ),
    Queue(
        code="partners.metering.unsent",
        title="Usage hours not sent yet",
        area=AREA,
        rows=_unsent_rows,
        duty="partners.metering.send",
        since="hour",
        columns=("dimension", "quantity"),
        why="Frozen, not yet accepted by AWS; lost when the window closes",
        sla_hours=3,
        icon="schedule_send",
        empty="Every frozen hour is with AWS.",
    ),
    Queue(
        code="partners.registration.unclaimed",
        title="Registered buyers without an agreement",
        area=AREA,
        rows=_unclaimed,
        duty="partners.registration.claim",
        since="registered_at",
        columns=("product_code", "aws_account_id"),
        why="The buyer came from AWS and no agreement of ours names their ids",
        sla_hours=24,
        icon="how_to_reg",
    ),
    Queue(
        code="partners.feed.exceptions",
        title="Feed rows that could not be read",
        area=AREA,
        rows=_parked,
        duty="partners.feed.resolve_exception",
        columns=("file", "problem"),
        why=lambda row: row.problem,
        icon="report",
    ),
    Kpi(
        code="partners.metered_not_billed",
        title="Metered, not yet billed by AWS",
        value=lambda: _money(figures.metered_not_billed()),
        roles=("partner_ops", "revenue_accounting", "controller"),
        duty="partners.metering.send",
        definition="Accepted usage hours at the listed rate that no AWS invoice covers yet.",
    ),
    Kpi(
        code="partners.breaks",
        title="Marketplace breaks at stake",
        value=_breaks,
        roles=("partner_ops", "controller", "approver"),
        duty="partners.break.work",
        definition="Value of breaks that nobody has closed, by the currency of the agreement.",
    ),
    Kpi(
        code="partners.unsettled",
        title="Billed by AWS, not paid out",
        value=lambda: _money(figures.unsettled()),
        roles=("partner_ops", "collections", "controller"),
        duty="partners.settlement.post",
        definition="Earned minus live payment lines of the billing-event feed (structural rule).",
    ),
    Kpi(
        code="partners.unsent",
        title="Usage hours waiting to be sent",
        value=_unsent,
        roles=("partner_ops",),
        duty="partners.metering.send",
        definition="Frozen hours without an accepting answer of AWS.",
    ),
    Chart(
        code="partners.metered_daily",
        title="Metered through AWS, by day",
        data=_chart,
        kind="bar",
        roles=("partner_ops",),
        duty="partners.metering.send",
    ),
)
