"""A real trace at a real price list: every request of a customer rated at the listed price per token."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from billing.importers import traces
from billing.services import metering, price_lists
from o2c.demo.walk.cast import Cast
from o2c.errors import InvalidInput
from orders.models import Customer, Order, Sku
from orders.salesforce.ids import eighteen
from orders.services import catalogue, customers, orders
from orders.services.inputs import CustomerInput, LineInput, OrderInput, TermsInput

MODEL = "openai/gpt-4o"
FIRST_REQUEST = dt.timedelta(days=3, hours=15)
"""After the contract's first day: a Tuesday afternoon in August 2026."""
PRICES_FROM = dt.date(2026, 1, 1)
SOURCE = "trace"
CUSTOMER_ID = eighteen("0015f0000099999")
DEAL_ID = eighteen("0065f0000099999")
REASON = "A real trace at listed prices"
CHUNK = 10_000


@dataclass(frozen=True)
class Trace:
    """The files that `make demo USAGE=… PRICES=…` names."""

    usage: Path
    prices: Path

    @classmethod
    def of(cls, usage: Path | None, prices: Path | None) -> Trace | None:
        """None without files. Raises InvalidInput when only one is named, or one is not there."""
        if usage is None and prices is None:
            return None
        if usage is None or prices is None:
            raise InvalidInput("A trace is billed with a price list", remedy="Give both USAGE=… and PRICES=…")
        for path in (usage, prices):
            if not path.is_file():
                raise InvalidInput(f"There is no file {path}")
        return cls(usage, prices)

    @property
    def format(self) -> str:
        return "mooncake" if self.usage.suffix == ".jsonl" else "azure_llm"

    def sold_from(self) -> dt.date | None:
        """The first day of its customer's active contract; None while there is none."""
        sold = Order.objects.filter(salesforce_opportunity_id=DEAL_ID, state="active").first()
        return sold.starts_on if sold else None

    def buyer(self) -> int | None:
        """Its customer; None before it was sold."""
        return Customer.objects.filter(salesforce_id=CUSTOMER_ID).values_list("pk", flat=True).first()

    def sell(self, cast: Cast, starts_on: dt.date) -> int:
        """The price list, a customer, and an active order for the tokens of MODEL at listed prices.

        Answers the customer. A contract that is active already stays as it is.
        """
        price_lists.import_file(
            self.prices, effective_from=PRICES_FROM, actor=cast.bea, activator=cast.carla, reason=REASON
        )
        skus = list(
            Sku.objects.filter(code__in=[f"{MODEL}:{kind}" for kind in ("input", "cached", "output")])
        )
        for sku in skus:
            catalogue.attribute_sku(
                sku.code, revenue_treatment="usage", gl_segment="API", actor=cast.mara, reason=REASON
            )
        customer = customers.upsert(
            CustomerInput(
                name="Trace of requests", legal_name="Trace of Requests Inc.", entity="US", currency="USD",
                country="US", region="WA", bill_to_line1="1 Inference Way", bill_to_city="Seattle",
                bill_to_region="WA", bill_to_postal_code="98101", billing_email="ap@trace.example",
                salesforce_id=CUSTOMER_ID,
            ),
            actor=cast.salesforce,
            reason=REASON,
        )  # fmt: skip
        if self.sold_from():
            return customer.pk
        lines = tuple(LineInput(sku.code, usage_key=sku.code, timing="arrears") for sku in skus)
        order = orders.create_draft(
            OrderInput(
                customer.pk, starts_on, lines, term_months=12, terms=TermsInput(anchor="calendar"),
                title=REASON, salesforce_opportunity_id=DEAL_ID,
            ),
            actor=cast.olivia,
            reason=REASON,
        )  # fmt: skip
        orders.sign(order.pk, signed_on=starts_on, actor=cast.olivia, reason=REASON)
        orders.activate(order.pk, as_of=starts_on, actor=cast.omar, reason=REASON)
        return customer.pk

    def meter(self, cast: Cast, advance: Callable[[int], None]) -> None:
        """Every request as usage events, moved to the first days of the contract."""
        order = Order.objects.select_related("customer").get(salesforce_opportunity_id=DEAL_ID)
        first = dt.datetime.combine(order.starts_on, dt.time(), dt.UTC) + FIRST_REQUEST
        found = traces.events(
            self.usage, self.format, customer=order.customer.number, model=MODEL, starts_at=first
        )
        metering.source(SOURCE, actor=cast.metering, description="Trace of requests")
        while events := list(islice(found, CHUNK)):
            metering.ingest_events(SOURCE, events, actor=cast.metering)
            advance(len(events))
