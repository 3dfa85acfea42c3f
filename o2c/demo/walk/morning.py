"""What the people find on the morning after the closed months: offers, orders, a deal that was parked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from o2c import clock
from o2c.demo.walk import credit
from o2c.demo.walk.cast import Cast
from o2c.demo.walk.foundation import REASON
from o2c.demo.walk.selling import PRICES_FROM, crm_id
from o2c.invariants import services as invariants
from o2c.invariants.models import InvariantRun
from o2c.periods import add_months
from orders.models import Customer, Order, Quote, Sku
from orders.services import catalogue, intake, orders, quotes
from orders.services.inputs import LineInput, OrderInput, PriceInput, QuoteInput, TermsInput

VALID_DAYS = 45
UNATTRIBUTED = "TRAIN-GPU"
PARKED_DEAL = crm_id("006", 99_001)
Advance = Callable[[int], None]
STEPS = 6


def work(cast: Cast, today: dt.date, advance: Advance) -> None:
    """Lay it out, dated `today`; what is there already stays as it is."""
    buyers = list(Customer.objects.filter(currency="USD", state=Customer.State.ACTIVE).order_by("pk")[:5])
    for act in (_offers, _new_sku, _signed_orders):
        act(cast, buyers, today)
        advance(1)
    credit.on_hold(cast, buyers, today)
    advance(1)
    intake.receive(_deal(today), actor=cast.salesforce, reason="Closed won")
    advance(1)
    if not InvariantRun.objects.exists():
        invariants.run(actor=cast.carla, reason=REASON, trigger=InvariantRun.Trigger.COMMAND)
    advance(1)


def _offers(cast: Cast, buyers: list[Customer], today: dt.date) -> None:
    """Two quotes of Dana's: one waits for Anton, one is still a draft."""
    if Quote.objects.exists():
        return
    terms = TermsInput(billing_frequency="quarter", anchor="calendar")
    starts_on = add_months(today, 1)
    seats = LineInput("SEAT-ENT", Decimal(250), discount_percent=Decimal(20),
                      override_reason="Strategic account")  # fmt: skip
    lines = ((seats, LineInput("PLATFORM"), LineInput("API-IN")), (LineInput("SUPPORT"),))
    for buyer, offered in zip(buyers, lines, strict=False):
        quote = quotes.create_draft(
            QuoteInput(
                customer=buyer.pk, starts_on=starts_on, ends_on=add_months(starts_on, 12),
                valid_until=clock.today() + dt.timedelta(days=VALID_DAYS), lines=offered, terms=terms,
                title=f"{buyer.name} expansion",
            ),
            actor=cast.dana,
            reason="Asked for by the account team",
        )  # fmt: skip
        if offered is lines[0]:
            quotes.submit(quote.pk, actor=cast.dana, reason="Twenty per cent for 250 seats")


def _new_sku(cast: Cast, buyers: list[Customer], today: dt.date) -> None:
    """A product that was priced before revenue accounting said how it is earned."""
    if Sku.objects.filter(code=UNATTRIBUTED).exists():
        return
    catalogue.save_sku(
        UNATTRIBUTED, product="PLATFORM", name="Dedicated training capacity", kind="recurring", unit="node",
        actor=cast.bea, reason=REASON,
    )  # fmt: skip
    price = PriceInput(UNATTRIBUTED, "USD", {"model": "per_unit", "unit_amount": "8400.00"}, PRICES_FROM)
    drafted = catalogue.draft_prices([price], actor=cast.bea, reason=REASON)
    catalogue.activate_prices([row.pk for row in drafted], actor=cast.carla, reason=REASON)


def _signed_orders(cast: Cast, buyers: list[Customer], today: dt.date) -> None:
    """Two signed orders of Olivia's: Omar may activate one, the other not before Mara attributes its SKU."""
    starts_on = add_months(today, 1)
    wanted = (("SEAT-TEAM", 40, 99_002), (UNATTRIBUTED, 2, 99_003))
    for buyer, (sku, quantity, deal) in zip(buyers[2:], wanted, strict=False):
        if Order.objects.filter(salesforce_opportunity_id=crm_id("006", deal)).exists():
            continue
        order = orders.create_draft(
            OrderInput(
                buyer.pk, starts_on, (LineInput(sku, Decimal(quantity)),), term_months=12,
                terms=TermsInput(anchor="calendar", po_number=f"PO-{deal}"), title=f"{buyer.name} addition",
                salesforce_opportunity_id=crm_id("006", deal),
            ),
            actor=cast.olivia,
            reason="Order form received",
        )  # fmt: skip
        orders.sign(order.pk, signed_on=today, actor=cast.olivia, reason="Signed by both sides")


def _deal(today: dt.date) -> dict[str, Any]:
    """A closed-won Opportunity whose product code the catalogue does not know."""
    return {
        "Id": PARKED_DEAL, "Name": "Calder Labs 2026", "StageName": "Closed Won", "IsWon": True,
        "CloseDate": today.isoformat(), "CurrencyIsoCode": "USD", "Amount": "1500.00",
        "Contract_Start_Date__c": today.isoformat(), "Term_Months__c": 12,
        "Account": {
            "Id": crm_id("001", 99_001), "Name": "Calder Labs", "BillingStreet": "90 Harbor Street",
            "BillingCity": "Portland", "BillingStateCode": "OR", "BillingPostalCode": "97205",
            "BillingCountryCode": "US", "Legal_Entity__c": "US",
        },
        "OpportunityLineItems": {"records": [{
            "Id": crm_id("00k", 99_001), "ProductCode": "SEAT-LEGACY", "Quantity": "50", "UnitPrice": "30.00",
            "TotalPrice": "1500.00",
        }]},
    }  # fmt: skip
