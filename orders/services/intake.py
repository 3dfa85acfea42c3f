"""Deals from the CRM: kept word for word, then turned into a draft order, or parked with every reason.

received = accepted + parked + dismissed: nothing that arrives is lost, and nothing becomes two orders.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from o2c import locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import DomainError, InvalidInput
from orders.domain.deals import Deal, DealErrors, DealLine
from orders.models import Customer, DealIntake, Order
from orders.salesforce import mapping
from orders.services import customers
from orders.services import orders as order_services
from orders.services.common import move
from orders.services.inputs import CustomerInput, LineInput, OrderInput, TermsInput
from orders.services.pricing import unit_override


def receive(payload: Mapping[str, Any], *, actor: Actor, reason: str = "") -> DealIntake:
    """Take a deal in. The same payload twice is the same intake.

    Answers the intake: accepted with its draft order, or parked with its errors. Raises InvalidInput only
    when the payload does not even say which deal it is.
    """
    with acting(actor, reason=reason):
        require(actor, "orders.intake.process")
        plain = json.loads(json.dumps(payload, cls=DjangoJSONEncoder))
        canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        errors = DealErrors()
        external_id = mapping.Reader(plain if isinstance(plain, dict) else {}, "", errors).identifier("Id")
        if errors:
            raise InvalidInput(
                "The payload names no Opportunity",
                fields={e["field"]: [e["message"]] for e in errors.found},
            )
        intake, created = DealIntake.objects.get_or_create(
            source="salesforce",
            external_id=external_id,
            payload_hash=hashlib.sha256(canonical.encode()).hexdigest(),
            defaults={"payload": plain, "mapper": mapping.VERSION},
        )
        if created:
            _process(locks.row(DealIntake, intake.pk), actor, reason)
            intake.refresh_from_db()
        return intake


def process(pk: int, *, actor: Actor, reason: str = "") -> DealIntake:
    """Try a parked deal again, after its cause was removed. Raises InvalidInput when it is still not
    acceptable.
    """
    with acting(actor, reason=reason):
        intake = locks.row(DealIntake, pk)
        require(actor, "orders.intake.process", record=str(intake))
        if intake.state == DealIntake.State.PARKED:
            _process(intake, actor, reason)
        else:
            move([intake], "accept")  # raises Conflict: it is not parked
        return intake


def dismiss(pk: int, *, actor: Actor, reason: str = "") -> DealIntake:
    """Put a parked deal aside for good, with the reason."""
    with acting(actor, reason=reason):
        intake = locks.row(DealIntake, pk)
        require(actor, "orders.intake.dismiss", record=str(intake))
        if not reason.strip():
            raise InvalidInput("Dismissing a deal needs a reason", record=str(intake))
        move([intake], "dismiss")
        return intake


def _process(intake: DealIntake, actor: Actor, reason: str) -> None:
    deal, errors = mapping.deal_of(intake.payload)
    if deal is not None:
        try:
            with transaction.atomic():
                order = _order(deal, actor, reason)
        except DomainError as error:
            _explain(error, deal, errors)
        else:
            intake.errors = []
            intake.save(update_fields=["errors"])
            move([intake], "accept", order=order)
            return
    if intake.state == DealIntake.State.PARKED:
        intake.errors = errors.found
        intake.save(update_fields=["errors"])
    else:
        move([intake], "park", errors=errors.found)


def _order(deal: Deal, actor: Actor, reason: str) -> Order:
    """Customer and draft order of a deal. Raises DomainError for what our side does not accept."""
    known = Order.objects.filter(salesforce_opportunity_id=deal.source_id).first()
    if known is not None:
        raise InvalidInput(
            f"The deal is {known.number} already, and has changed in the CRM since",
            record=known.number,
            remedy="Compare both; change the draft, or amend the active order",
            code="duplicate_business_key",
            fields={"Id": [f"is {known.number} already"]},
        )
    customer = _customer(deal, actor, reason)
    if customer.currency != deal.currency:
        raise InvalidInput(
            f"The deal is in {deal.currency}, the customer {customer} pays in {customer.currency}",
            fields={"CurrencyIsoCode": [f"is {deal.currency}, and {customer} pays in {customer.currency}"]},
        )
    terms = TermsInput(
        po_number=deal.po_number or None,
        payment_terms_days=deal.payment_terms_days,
        billing_frequency=deal.billing_frequency or None,
    )
    data = OrderInput(
        customer=customer.pk,
        starts_on=deal.starts_on,
        ends_on=deal.ends_on,
        term_months=deal.term_months,
        lines=tuple(_line(line, deal) for line in deal.lines),
        terms=terms,
        title=deal.title,
        signed_total=deal.signed_total,
        salesforce_opportunity_id=deal.source_id,
    )
    return order_services.create_draft(data, actor=actor, reason=reason)


def _customer(deal: Deal, actor: Actor, reason: str) -> Customer:
    """The customer of the deal. A known one keeps what the deal does not say."""
    told = deal.customer
    line1, city, region, postal_code, country = told.bill_to
    data = CustomerInput(
        name=told.name,
        salesforce_id=told.source_id,
        entity=told.entity or None,
        currency=told.currency or None,
        country=told.country or None,
        region=told.region or None,
        tax_id=told.tax_id or None,
        billing_email=told.billing_email or None,
        bill_to_line1=line1 or None,
        bill_to_city=city or None,
        bill_to_region=region or None,
        bill_to_postal_code=postal_code or None,
        bill_to_country=country or None,
    )
    return customers.upsert(data, actor=actor, reason=reason)


def _line(line: DealLine, deal: Deal) -> LineInput:
    override = None
    if line.unit_price is not None:
        try:
            day = line.starts_on or deal.starts_on
            override = unit_override(line.sku, deal.currency, day, line.unit_price)
        except InvalidInput as error:
            fields = {f"{line.path}UnitPrice": [error.message]}
            raise InvalidInput(error.message, fields=fields, code=error.code) from error
    return LineInput(
        sku=line.sku,
        quantity=line.quantity,
        price_override=override,
        discount_percent=line.discount_percent,
        starts_on=line.starts_on,
        ends_on=line.ends_on,
        description=line.description,
        source_line_id=line.source_id,
    )


# Where a problem of our side stands in the CRM's payload.
PLACES = {
    "starts_on": "Contract_Start_Date__c",
    "ends_on": "Contract_End_Date__c",
    "term_months": "Term_Months__c",
    "billing_frequency": "Billing_Frequency__c",
    "payment_terms_days": "Payment_Terms__c",
    "entity": "Account.Legal_Entity__c",
    "currency": "CurrencyIsoCode",
    "country": "Account.BillingCountryCode",
    "bill_to_country": "Account.BillingCountryCode",
    "tax_id": "Account.Tax_Id__c",
    "billing_email": "Account.Billing_Email__c",
    "name": "Account.Name",
}
LINE_PLACES = {
    "sku": ("ProductCode", "unmapped_product"),
    "quantity": ("Quantity", "invalid"),
    "price": ("UnitPrice", "no_list_price"),
    "price_override.unit_amount": ("UnitPrice", "invalid"),
    "price_override.amount": ("UnitPrice", "invalid"),
    "discount_percent": ("Discount", "invalid"),
    "starts_on": ("ServiceDate", "invalid"),
    "ends_on": ("End_Date__c", "invalid"),
}


def _explain(error: DomainError, deal: Deal, errors: DealErrors) -> None:
    """Our refusal in terms of the CRM's fields."""
    fields = error.fields if isinstance(error, InvalidInput) else {}
    if not fields:
        errors.add("", str(error), error.code)
    for path, messages in fields.items():
        head, _, tail = path.partition("].")
        place, code = PLACES.get(path, path), error.code
        if head.startswith("lines[") and tail:
            name, code = LINE_PLACES.get(tail, (tail, "invalid"))
            place = f"{deal.lines[int(head.removeprefix('lines['))].path}{name}"
        for message in messages:
            errors.add(place, message, code)
