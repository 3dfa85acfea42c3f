"""The company, the catalogue, the customer and the signed deals of a scenario, made by the services.

Codes get a tag of their own, so that a scenario never meets a row of the real company: no SKU, number series
or price list of anybody else is locked or changed while it runs.
"""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from typing import Any

from billing.models import TaxRate
from billing.services import dimensions
from o2c.actor import acting
from o2c.errors import InvalidInput
from o2c.ledger import services as books
from o2c.ledger.models import LegalEntity
from o2c.periods import Period, add_months
from o2c.scenarios.agreeing import agreed, decided
from o2c.scenarios.cast import REASON, Cast
from o2c.scenarios.language import Commitment, Deal, LineBlock, ListPrice, Scenario, SkuBlock
from orders.models import Customer, Order, OrderLine, Price
from orders.services import catalogue, credit, customers, orders
from orders.services.inputs import (
    CustomerInput,
    LineInput,
    OrderInput,
    PriceInput,
    SegmentInput,
    TermsInput,
)

TREATMENT = {
    "recurring": "ratable_daily",
    "usage": "usage",
    "one_time": "point_in_time",
    "prepaid": "prepaid_drawdown",
}
MONTHS_AHEAD = 14
"""Books are open for so long after the last day of the file: recognition needs the month after."""


@dataclass(slots=True)
class Stage:
    """What a running scenario knows: its people, its company, and rows by the names of the file."""

    scenario: Scenario
    cast: Cast
    tag: str
    entity: LegalEntity
    customer: Customer
    first_day: dt.date
    contracts: dict[str, Order] = field(default_factory=dict)
    own: frozenset[str] = frozenset()

    def code(self, sku: str) -> str:
        """The code of a SKU in the database: of the file's catalogue, or of the company's."""
        return f"{sku}~{self.tag}" if sku in self.own else sku

    def spoken(self, code: str) -> str:
        """A SKU's code as the file writes it."""
        return code.removesuffix(f"~{self.tag}")

    def usage_key(self, deal: str, label: str) -> str:
        """What usage events of a line carry: its name, with the deal's where there are several."""
        return label if len(self.scenario.contracts) == 1 else f"{deal}/{label}"

    def order(self, name: str) -> Order:
        """The order of the deal with this name; the only one, when the name is left out."""
        if name in self.contracts:
            return self.contracts[name]
        if not name and len(self.contracts) == 1:
            return next(iter(self.contracts.values()))
        said = f"There is no deal {name!r}" if name else "There are several deals"
        raise InvalidInput(said, remedy=f"Say which with `deal:`; there are {', '.join(self.contracts)}")

    def line(self, deal: str, label: str) -> OrderLine:
        """The line of a deal by its name or SKU."""
        order = self.order(deal)
        rows = list(OrderLine.objects.filter(order=order).select_related("sku").order_by("position"))
        found = [row for row in rows if row.usage_key == self.usage_key(deal, label)]
        found = found or [row for row in rows if self.spoken(row.sku.code) == label]
        if len(found) != 1:
            many = "Several lines of the deal are" if found else "No line of the deal is"
            names = ", ".join(row.usage_key.rpartition("/")[2] for row in rows)
            raise InvalidInput(f"{many} called {label!r}", remedy=f"Lines are called {names}")
        return found[0]


def days_of(scenario: Scenario) -> tuple[dt.date, dt.date]:
    """The first and the last day that a file names."""
    days = [happening.on for happening in scenario.happenings]
    for deal in scenario.contracts:
        days.append(deal.start)
        if deal.until is not None:
            days.append(deal.until)
        if deal.months is not None:
            days.append(add_months(deal.start, deal.months))
    renewed = sum(happening.renew.months for happening in scenario.happenings if happening.renew)
    return min(days), add_months(max(days), renewed)


def build(scenario: Scenario, cast: Cast, *, months: int = 0) -> Stage:
    """The stage with everything on it, the deals signed and active.

    Books are open from the first day of the file to well after its last one, and for `months` at least.
    """
    dimensions.forget()
    first, last = days_of(scenario)
    tag = secrets.token_hex(3)
    company = scenario.company
    entity = _entity(tag, company.currency, company.country, company.tax_percent, cast)
    books.open_periods(
        entity,
        Period(first.replace(day=1), add_months(max(last, add_months(first, months)), MONTHS_AHEAD)),
        actor=cast.controller,
        reason=REASON,
    )
    customer = buyer(scenario, entity, scenario.customer.name, cast)
    stage = Stage(scenario, cast, tag, entity, customer, first)
    stage.own = frozenset(block.sku for block in scenario.catalogue)
    _catalogue(stage)
    for deal in scenario.contracts:
        _sign(stage, deal)
    return stage


def buyer(scenario: Scenario, entity: LegalEntity, name: str, cast: Cast) -> Customer:
    """A customer of the scenario's company, on the terms of the file, whose credit is not checked."""
    terms = scenario.customer
    customer = customers.upsert(
        CustomerInput(
            name=name,
            entity=entity.code,
            currency=entity.currency,
            country=terms.country or entity.country,
            payment_terms_days=terms.payment_terms_days,
            consolidate_invoices=terms.consolidate_invoices,
            bill_to_line1="1 Scenario Street",
            bill_to_city="Scenario",
            billing_email="customer@scenario.example",
        ),
        actor=cast.crm,
        reason=REASON,
    )
    decided(cast, credit.ask_change(customer.pk, amount=None, actor=cast.credit, reason=REASON))
    return customer


def _entity(tag: str, currency: str, country: str, tax_percent: Decimal, cast: Cast) -> LegalEntity:
    entity = books.save_entity(
        f"S{tag}",
        name="Scenario",
        legal_name="Scenario Company",
        currency=currency,
        country=country,
        line1="1 Main Street",
        city="Scenario",
        postal_code="00000",
        email="ar@scenario.example",
        bank_name="Bank",
        bank_account="000000",
        actor=cast.controller,
        reason=REASON,
    )
    with acting(cast.biller, reason=REASON):
        TaxRate.objects.create(
            country=country,
            category=_tax_category(tag),
            name="Tax",
            rate=tax_percent / 100,
            effective_from=dt.date(1990, 1, 1),
            source=REASON,
        )
    return entity


def _tax_category(tag: str) -> str:
    return f"scenario-{tag}"


def _catalogue(stage: Stage) -> None:
    cast = stage.cast
    if not stage.scenario.catalogue:
        return
    catalogue.save_product(f"P~{stage.tag}", name="Scenario", actor=cast.catalogue, reason=REASON)
    for block in stage.scenario.catalogue:
        _sku(stage, block)
    items = [
        price_input(stage, block.sku, one, stage.first_day)
        for block in stage.scenario.catalogue
        for one in (block.prices or (ListPrice(price=block.price, per=block.per),))
    ]
    activate_prices(stage, items)


def price_input(stage: Stage, sku: str, one: ListPrice, first_day: dt.date) -> PriceInput:
    return PriceInput(
        stage.code(sku), stage.entity.currency, spec(stage, one.price), one.start or first_day, period=one.per
    )


def activate_prices(stage: Stage, items: list[PriceInput]) -> None:
    """List prices, drafted by one person, made valid by another, approved by a third where that is asked."""
    drafts = catalogue.draft_prices(items, actor=stage.cast.catalogue, reason=REASON)
    by_day = sorted(drafts, key=lambda price: price.effective_from)
    for _, same_day in groupby(by_day, key=lambda price: price.effective_from):
        pks = [price.pk for price in same_day]
        for asked in catalogue.activate_or_ask(pks, actor=stage.cast.controller, reason=REASON):
            decided(stage.cast, asked)


def _sku(stage: Stage, block: SkuBlock) -> None:
    cast, code = stage.cast, stage.code(block.sku)
    if block.kind == "usage":
        catalogue.save_meter(
            code,
            name=block.sku,
            unit=block.unit,
            aggregation=block.meter.aggregation,
            event_type=code,
            value_property="quantity",
            dimensions=list(block.meter.dimensions),
            filters={name: list(values) for name, values in (block.meter.filters or {}).items()},
            actor=cast.catalogue,
            reason=REASON,
        )
    catalogue.save_sku(
        code,
        product=f"P~{stage.tag}",
        meter=code if block.kind == "usage" else "",
        name=block.name or block.sku,
        kind=block.kind,
        unit=block.unit,
        tax_category=_tax_category(stage.tag),
        provisioned=False,
        actor=cast.catalogue,
        reason=REASON,
    )
    catalogue.attribute_sku(
        code,
        revenue_treatment=block.revenue or TREATMENT[block.kind],
        gl_segment="100",
        actor=cast.attribution,
        reason=REASON,
    )


def _sign(stage: Stage, deal: Deal) -> None:
    cast = stage.cast
    draft = orders.create_draft(order_input(stage, deal), actor=cast.seller, reason=REASON)
    orders.sign(draft.pk, signed_on=deal.start, actor=cast.seller, reason=REASON)
    said: dict[str, Any] = {"as_of": deal.start, "actor": cast.activator, "reason": REASON}
    agreed(
        cast,
        "orders.order.activate",
        draft.pk,
        lambda: orders.ask_activate(draft.pk, **said),
        lambda: orders.activate(draft.pk, **said),
    )
    stage.contracts[deal.name] = Order.objects.get(pk=draft.pk)


def order_input(stage: Stage, deal: Deal) -> OrderInput:
    """The draft order of a deal."""
    return OrderInput(
        customer=stage.customer.pk,
        starts_on=deal.start,
        ends_on=deal.until,
        term_months=deal.months,
        lines=tuple(_line(stage, deal, line) for line in deal.lines),
        title=deal.name,
        consolidation_key=deal.consolidation_key,
        terms=TermsInput(
            time_zone=deal.time_zone,
            billing_frequency=deal.frequency,
            anchor=deal.anchor,
            proration=deal.proration,
            anchor_on=deal.anchor_on,
            counted_day=deal.counted_day,
            remainder=deal.remainder,
            po_number=deal.po_number,
            payment_terms_days=deal.payment_terms_days,
            late_usage_policy=deal.late_usage,
            late_waive_below=deal.late_waive_below,
            commitments=[_commitment(stage, one) for one in deal.commitments],
            invoice_thresholds=[f"{amount:f}" for amount in deal.thresholds],
        ),
    )


def _commitment(stage: Stage, one: Commitment) -> dict[str, Any]:
    clause: dict[str, Any] = {"amount": f"{one.amount:f}", "per": one.per}
    if one.skus:
        clause["skus"] = [stage.code(sku) for sku in one.skus]
    if one.overage_factor != 1:
        clause["overage_factor"] = f"{one.overage_factor:f}"
    return clause


def spec(stage: Stage, price: Any) -> Any:
    """A price as the database keeps it: the SKUs and meters that it names have our own codes."""
    if isinstance(price, dict) and price.get("model") == "of":
        return {**price, "sku": stage.code(price["sku"])}
    scope = price.get("grant", {}).get("scope") if isinstance(price, dict) else None
    if not scope:
        return price
    own = {
        name: [stage.code(code) for code in codes] if name in ("skus", "meters") else codes
        for name, codes in scope.items()
    }
    return {**price, "grant": {**price["grant"], "scope": own}}


def _line(stage: Stage, deal: Deal, line: LineBlock) -> LineInput:
    return LineInput(
        sku=stage.code(line.sku),
        quantity=line.quantity,
        price_override=spec(stage, line.price),
        discount_percent=line.discount_percent,
        override_reason="Agreed" if line.price or line.discount_percent else "",
        starts_on=line.start,
        ends_on=line.until,
        segments=tuple(
            SegmentInput(
                starts_on=step.start,
                ends_on=step.until,
                quantity=step.quantity,
                price_override=spec(stage, step.price),
                discount_percent=step.discount_percent,
            )
            for step in line.steps
        ),
        timing=line.timing or None,
        schedule=tuple(line.schedule),
        frequency=line.frequency,
        usage_key=stage.usage_key(deal.name, line.label),
    )


def list_price(stage: Stage, sku: str, day: dt.date) -> Price:
    """The list price that is valid on a day. Raises InvalidInput when there is none."""
    rows: Any = Price.objects.filter(
        sku__code=stage.code(sku), currency=stage.entity.currency, state="active", effective_from__lte=day
    )
    found = [row for row in rows if row.effective_to is None or row.effective_to > day]
    if not found:
        raise InvalidInput(f"{sku} has no list price on {day}")
    return found[0]
