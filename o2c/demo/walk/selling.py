"""Catalogue, customers and contracts: from a signed deal to an active order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from o2c.actor import acting
from o2c.controls import approvals
from o2c.controls.approvals.services.gate import needs_approval
from o2c.demo.plan import catalogue
from o2c.demo.plan.deals import AmendmentPlan, DealPlan, LinePlan
from o2c.demo.walk import credit
from o2c.demo.walk.cast import Cast
from o2c.demo.walk.foundation import REASON
from orders.models import Amendment, Order, Price
from orders.salesforce.ids import eighteen
from orders.services import amendments, customers, orders
from orders.services import catalogue as selling
from orders.services.inputs import (
    ContactInput,
    CustomerInput,
    LineInput,
    OrderInput,
    PriceInput,
    TermsInput,
)

FIRST_DAY = dt.date(2026, 8, 1)
PRICES_FROM = dt.date(2026, 1, 1)
CHUNK = 500
Advance = Callable[[int], None]


def crm_id(prefix: str, number: int) -> str:
    """A Salesforce id in its 18-character form, as the CRM would have given it."""
    return eighteen(f"{prefix}5f00000{number:05d}")


def build_catalogue(cast: Cast) -> None:
    """Meters, products, SKUs with revenue treatment, and list prices in every currency."""
    for code, name, unit, dimensions in catalogue.METERS:
        selling.save_meter(
            code, name=name, unit=unit, aggregation="sum", event_type=code, value_property="quantity",
            dimensions=dimensions, actor=cast.bea, reason=REASON,
        )  # fmt: skip
    for code, name, family in catalogue.PRODUCTS:
        selling.save_product(code, name=name, family=family, actor=cast.bea, reason=REASON)
    for plan in catalogue.SKUS:
        selling.save_sku(
            plan.code, product=plan.product, meter=plan.meter, name=plan.name, kind=plan.kind, unit=plan.unit,
            actor=cast.bea, reason=REASON,
        )  # fmt: skip
        selling.attribute_sku(
            plan.code,
            revenue_treatment=plan.treatment,
            gl_segment=plan.segment,
            cost_percent=catalogue.COST_PERCENT[plan.product],
            actor=cast.mara,
            reason=REASON,
        )
    known = set(Price.objects.values_list("sku__code", "currency"))
    drafts = selling.draft_prices(
        [
            PriceInput(
                plan.code, currency, catalogue.scaled(plan.spec, factor), PRICES_FROM, period=plan.period
            )
            for plan in catalogue.SKUS
            for currency, factor in catalogue.CURRENCIES.items()
            if (plan.code, currency) not in known
        ],
        actor=cast.bea,
        reason=REASON,
    )  # fmt: skip
    selling.activate_prices([price.pk for price in drafts], actor=cast.carla, reason=REASON)


def _customer(deal: DealPlan) -> CustomerInput:
    firm = deal.company
    return CustomerInput(
        name=firm.name,
        legal_name=firm.legal_name,
        entity=deal.entity,
        currency=deal.currency,
        country=firm.country,
        region=firm.region,
        tax_id=firm.tax_id,
        payment_terms_days=deal.terms_days,
        bill_to_line1=firm.line1,
        bill_to_city=firm.city,
        bill_to_region=firm.region,
        bill_to_postal_code=firm.postal_code,
        billing_email=firm.email,
        time_zone=firm.time_zone,
        salesforce_id=crm_id("001", deal.number),
        consolidate_invoices=deal.consolidate,
        contacts=(ContactInput(firm.contact, firm.email, "billing"),),
    )


def _line(deal: DealPlan, position: int, line: LinePlan) -> LineInput:
    return LineInput(
        line.sku,
        quantity=line.quantity,
        timing=line.timing,
        frequency=line.frequency,
        discount_percent=line.discount_percent,
        override_reason=line.reason,
        usage_key=f"{deal.number:05d}-{position}" if line.daily else "",
    )


def _order(deal: DealPlan, customer: int) -> OrderInput:
    return OrderInput(
        customer=customer,
        starts_on=deal.starts_on,
        ends_on=deal.ends_on,
        lines=tuple(_line(deal, position, line) for position, line in enumerate(deal.lines)),
        terms=TermsInput(
            # AWS bills by the UTC month.
            time_zone="UTC" if deal.channel == "aws" else deal.company.time_zone,
            billing_frequency=deal.frequency,
            anchor=deal.anchor,
            po_number=deal.po_number,
            payment_terms_days=deal.terms_days,
            channel=deal.channel,
            commitments=deal.commitments,
        ),
        title=f"{deal.company.name} {deal.starts_on:%Y}",
        salesforce_opportunity_id=crm_id("006", deal.number),
    )


def missing(plans: Sequence[DealPlan]) -> list[DealPlan]:
    """The deals whose order is not active yet."""
    known = set(
        Order.objects.exclude(state__in=["draft", "signed"]).values_list(
            "salesforce_opportunity_id", flat=True
        )
    )
    return [deal for deal in plans if crm_id("006", deal.number) not in known]


def sell(cast: Cast, plans: Sequence[DealPlan], advance: Advance) -> None:
    """Customers and their signed, active orders, a few hundred at a time; `advance` gets each number."""
    todo = missing(plans)
    for start in range(0, len(todo), CHUNK):
        part = todo[start : start + CHUNK]
        buyers = customers.upsert_many(
            [_customer(deal) for deal in part], actor=cast.salesforce, reason=REASON
        )
        with acting(cast.olivia, reason="Signed deals from the CRM"):
            drafts = orders.create_drafts(
                [_order(deal, buyer.pk) for deal, buyer in zip(part, buyers, strict=True)], actor=cast.olivia
            )
            for day, pks in _by_day(part, drafts).items():
                orders.sign_many(pks, signed_on=day, actor=cast.olivia)
        credit.limits(cast, list(Order.objects.filter(pk__in=[order.pk for order in drafts]).order_by("pk")))
        orders.activate_many(
            [order.pk for order in drafts], as_of=FIRST_DAY, actor=cast.omar, reason="Order form checked"
        )
        advance(len(part))


def _by_day(part: Sequence[DealPlan], drafts: Sequence[Order]) -> dict[dt.date, list[int]]:
    days: dict[dt.date, list[int]] = {}
    for deal, order in zip(part, drafts, strict=True):
        days.setdefault(deal.signed_on, []).append(order.pk)
    return days


def amend(cast: Cast, plans: Sequence[DealPlan], since: dt.date, until: dt.date, advance: Advance) -> None:
    """The amendments that take effect in [since, until): drafted by one person, applied by another."""
    contracts = {order.salesforce_opportunity_id: order for order in Order.objects.filter(state="active")}
    done = set(Amendment.objects.filter(state="applied").values_list("order_id", "kind", "effective_on"))
    for deal in plans:
        order = contracts.get(crm_id("006", deal.number))
        for change in deal.amendments:
            if order is None or not since <= change.agreed_on < until:
                continue
            if (order.pk, change.kind, change.effective_on) not in done:
                _amend(cast, order, change)
            advance(1)


def _amend(cast: Cast, order: Order, change: AmendmentPlan) -> None:
    drafted = amendments.draft(
        order.pk,
        kind=change.kind,
        effective_on=change.effective_on,
        changes=_changes(order, change),
        as_of=change.agreed_on,
        actor=cast.olivia,
        reason="Asked for by the customer",
    )
    credit.let_through(cast, order)
    if needs_approval(amendments.act_of(drafted), [drafted.pk]):
        asked = amendments.ask(
            drafted.pk, as_of=change.agreed_on, actor=cast.omar, reason="Signed addendum on file"
        )
        for step in asked.steps.order_by("position"):
            approver = cast.carla if step.code == "controller" else cast.anton
            approvals.approve(asked.pk, actor=approver, reason="Seen with the account manager")
    else:
        amendments.apply(
            drafted.pk, as_of=change.agreed_on, actor=cast.anton, reason="Signed addendum on file"
        )


def _changes(order: Order, change: AmendmentPlan) -> dict[str, Any]:
    line = None
    if change.line is not None:
        line = order.lines.order_by("position").values_list("pk", flat=True)[change.line]
    values = {name: str(value) for name, value in change.values.items()}
    if change.kind == "renew":
        return {"term_months": change.values["months"], "uplift_percent": values["uplift_percent"]}
    if change.kind == "cancel":
        return {"mode": "now"}
    return {"lines": [{"line": line, **values}]}
