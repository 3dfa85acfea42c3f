"""What orders shows on home: queues, figures, charts, its stages of the money strip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q, QuerySet

from o2c import clock
from o2c.console import format as fmt
from o2c.console.registry import (
    Anchor,
    Chart,
    ChartData,
    Kpi,
    KpiValue,
    Queue,
    Series,
    StripAmount,
    StripStage,
    register,
)
from orders.domain import credit
from orders.models import DealIntake, Order, Quote
from orders.selectors import figures, value, work

AREA = "Orders"
TEAM = ("order_management", "deal_desk", "controller")


def _why_blocked(order: Any) -> str:
    return "; ".join(str(found) for found in getattr(order, "blockers", []))


def _why_held(order: Any) -> str:
    asked = getattr(order, "credit_asked", None)
    found = credit.problem(asked) if asked else None
    return found[1] if found else ""


def _rows(found: QuerySet[Any], *related: str) -> QuerySet[Any]:
    return found.select_related(*related)


def _totals(amounts: dict[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    """The largest first, the rest as rows: amounts of different currencies are never added up."""
    ranked = sorted(amounts.items(), key=lambda item: -item[1])
    if not ranked:
        return "0", []
    (currency, amount), *rest = ranked
    return f"{fmt.plain_money(amount, currency)} {currency}", [(c, fmt.plain_money(a, c)) for c, a in rest]


def _run_rate() -> KpiValue:
    text, rows = _totals(value.annual_run_rate(clock.today()))
    return KpiValue(text=text, rows=rows, href=fmt.list_url(Order, state__exact="active"))


def _active() -> KpiValue:
    waiting = Order.objects.filter(state=Order.State.SIGNED).count()
    note = f"{waiting} signed and not active" if waiting else "none waits for activation"
    return KpiValue(
        text=f"{figures.active_orders():,}", note=note, href=fmt.list_url(Order, state__exact="active")
    )


def _provisioning() -> KpiValue:
    states = figures.provisioning_states()
    failed, waiting = states.get("failed", 0), states.get("pending", 0) + states.get("provisioning", 0)
    return KpiValue(
        text=f"{failed:,} failed",
        note=f"{waiting:,} waiting, {states.get('provisioned', 0):,} confirmed",
        good=failed == 0,
    )


def _intake() -> KpiValue:
    counted = {state: DealIntake.objects.filter(state=state).count() for state in DealIntake.State.values}
    total = sum(counted.values())
    return KpiValue(
        text=f"{counted['parked']:,} parked",
        note=f"of {total:,} received, {counted['accepted']:,} accepted",
        href=fmt.list_url(DealIntake),
        good=counted["parked"] == 0,
    )


def _signed_chart() -> ChartData:
    rows = figures.signed_by_month(clock.today())
    currencies = sorted({currency for _, amounts in rows for currency in amounts})
    return ChartData(
        labels=[f"{month:%Y-%m}" for month, _ in rows],
        series=[Series(code, [amounts.get(code, 0) for _, amounts in rows]) for code in currencies],
        finding="Committed value of orders signed, by month and currency",
    )


def _ending_chart() -> ChartData:
    rows = figures.ending_by_month(clock.today())
    return ChartData(
        labels=[f"{month:%Y-%m}" for month, _ in rows],
        series=[Series("Orders ending", [count for _, count in rows])],
        finding="Active orders whose term ends, by month",
        unit="orders",
    )


def _of_anchor(anchor: Anchor) -> tuple[Q, Q] | None:
    """Filters for the quotes and the orders that a page is about."""
    if anchor.kind == "order":
        return Q(order__in=anchor.ids), Q(pk__in=anchor.ids)
    if anchor.kind == "customer":
        open_quotes = Q(customer__in=anchor.ids) & ~Q(state__in=["rejected", "expired"])
        return open_quotes, Q(customer__in=anchor.ids) & ~Q(state="cancelled", activated_on__isnull=True)
    return None


def _quotes(anchor: Anchor) -> Sequence[StripAmount] | None:
    chosen = _of_anchor(anchor)
    if chosen is None:
        return None
    rows = dict(Quote.objects.filter(chosen[0]).values_list("pk", "currency"))
    return _amounts(Quote, rows, value.quote_values(rows) if rows else {}, anchor)


def _orders(anchor: Anchor) -> Sequence[StripAmount] | None:
    chosen = _of_anchor(anchor)
    if chosen is None:
        return None
    rows = dict(Order.objects.filter(chosen[1]).values_list("pk", "currency"))
    return _amounts(Order, rows, value.order_values(rows) if rows else {}, anchor)


def _amounts(
    model: Any, currencies: dict[int, str], values: dict[int, Any], anchor: Anchor
) -> list[StripAmount]:
    """One amount per currency, with the address of the one record or of the customer's list."""
    found: dict[str, list[Any]] = {}
    for pk, currency in currencies.items():
        found.setdefault(currency, []).append(values[pk])
    one = fmt.model_url(model, next(iter(currencies))) if len(currencies) == 1 else ""
    many = fmt.list_url(model, customer__id__in=",".join(map(str, anchor.ids)))
    return [
        StripAmount(sum(amounts), currency, href=one or many, count=len(amounts))
        for currency, amounts in sorted(found.items())
    ]


register(
    Queue(
        code="orders.to_activate",
        title="Signed orders to activate",
        area=AREA,
        rows=lambda user: _rows(work.to_activate(), "customer"),
        duty="orders.order.activate",
        roles=("controller",),
        since="signed_on",
        amount="signed_total",
        columns=("customer", "starts_on", "currency"),
        why="Signed by the customer, complete, and not billable yet",
        act="activate",
        sla_hours=48,
        icon="rocket_launch",
        priority=10,
        empty="No signed order waits: all of them are active, or blocked (see there).",
    ),
    Queue(
        code="orders.blocked",
        title="Signed orders that can't activate",
        area=AREA,
        rows=lambda user: _rows(work.blocked(), "customer"),
        duty="orders.order.activate",
        roles=("deal_desk", "revenue_accounting", "controller"),
        since="signed_on",
        columns=("customer", "starts_on"),
        why=_why_blocked,
        sla_hours=24,
        icon="block",
        priority=11,
        empty="Nothing is blocked: every signed order has its meters, treatments and GL segments.",
    ),
    Queue(
        code="orders.credit_hold",
        title="Orders on credit hold",
        area=AREA,
        rows=lambda user: _rows(work.on_credit_hold(), "customer"),
        duty="orders.order.release_credit",
        roles=("order_management", "deal_desk", "approver", "controller"),
        since="signed_on",
        amount="signed_total",
        columns=("customer", "starts_on", "currency"),
        why=_why_held,
        act="release_credit",
        sla_hours=24,
        icon="credit_card_off",
        priority=10,
        empty="No signed order waits for its customer's credit.",
    ),
    Queue(
        code="orders.credit_reviews",
        title="Credit limits to review",
        area=AREA,
        rows=lambda user: work.credit_to_review(clock.today()),
        duty="orders.customer.change_credit",
        since="review_on",
        columns=("currency",),
        why=lambda row: f"Was to be reviewed by {row.review_on}",
        act="change_credit",
        icon="rate_review",
        priority=21,
        empty="No credit limit is due for review.",
    ),
    Queue(
        code="orders.provisioning_failed",
        title="Provisioning that failed",
        area=AREA,
        rows=lambda user: _rows(work.failed_provisioning(), "customer", "sku", "line__order"),
        duty="orders.entitlement.retry",
        columns=("customer", "sku", "quantity", "last_error"),
        why=lambda row: row.last_error,
        act="retry",
        sla_hours=4,
        icon="cloud_off",
        priority=12,
        empty="The provisioning service has confirmed or is still being asked.",
    ),
    Queue(
        code="orders.parked_deals",
        title="Deals from the CRM that are parked",
        area=AREA,
        rows=lambda user: work.parked_deals(),
        duty="orders.intake.process",
        roles=("deal_desk",),
        columns=("external_id",),
        why=lambda row: "; ".join(f"{e['field'] or 'deal'}: {e['message']}" for e in row.errors),
        act="accept",
        sla_hours=24,
        icon="move_to_inbox",
        priority=13,
        empty="Every deal that arrived has become a draft order.",
    ),
    Queue(
        code="orders.renewals",
        title="Renewals due in 90 days",
        area=AREA,
        rows=lambda user: _rows(work.renewals_due(clock.today()), "customer"),
        duty="orders.amendment.draft",
        roles=("deal_desk", "controller"),
        since="ends_on",
        columns=("customer", "ends_on", "auto_renew", "currency"),
        why=lambda row: f"Ends on {row.ends_on}" + (", renews itself" if row.auto_renew else ""),
        icon="event_repeat",
        priority=20,
        empty="No active order ends within 90 days.",
    ),
    Queue(
        code="orders.quotes_to_approve",
        title="Quotes awaiting approval",
        area=AREA,
        rows=lambda user: _rows(work.quotes_to_approve(user), "customer", "submitted_by"),
        duty="orders.quote.approve",
        roles=("deal_desk",),
        since="submitted_at",
        owner="submitted_by",
        columns=("customer", "valid_until", "currency"),
        why="Submitted by somebody else, waits for your decision",
        act="approve",
        sla_hours=24,
        icon="how_to_vote",
        priority=10,
        empty="No quote of somebody else waits.",
    ),
    Queue(
        code="orders.drafts",
        title="Draft orders to finish and sign",
        area=AREA,
        rows=lambda user: _rows(work.drafts(), "customer"),
        duty="orders.order.sign",
        columns=("customer", "starts_on", "currency"),
        why="Not signed yet",
        icon="edit_document",
        priority=30,
        empty="No draft. A signed deal from Salesforce arrives here, or use 'New order'.",
    ),
    Kpi(
        code="orders.run_rate",
        title="Annual run rate",
        value=_run_rate,
        roles=TEAM,
        definition="Recurring lines of active orders at what is in force today, over twelve months.",
        seconds=300,
        priority=10,
    ),
    Kpi(
        code="orders.active",
        title="Active orders",
        value=_active,
        roles=TEAM,
        definition="Orders in the state active.",
        priority=11,
    ),
    Kpi(
        code="orders.provisioning",
        title="Provisioning",
        value=_provisioning,
        roles=("order_management",),
        definition="Entitlements by what the provisioning service said.",
        priority=12,
    ),
    Kpi(
        code="orders.intake",
        title="Deals from the CRM",
        value=_intake,
        roles=("order_management", "deal_desk"),
        definition="Received = accepted + parked + dismissed.",
        priority=13,
    ),
    Chart(
        code="orders.signed_by_month",
        title="Orders signed",
        data=_signed_chart,
        kind="bar",
        roles=TEAM,
        priority=10,
    ),
    Chart(
        code="orders.ending_by_month",
        title="Terms ending",
        data=_ending_chart,
        kind="bar",
        roles=("order_management", "deal_desk"),
        priority=11,
    ),
    StripStage(code="quote", label="Quote", position=10, amounts=_quotes),
    StripStage(code="order", label="Order", position=20, amounts=_orders),
)
