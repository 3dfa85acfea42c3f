"""What a document copies of the parties when it is drafted, so that it stands alone for ever."""

from __future__ import annotations

from typing import Any

from o2c.ledger.models import LegalEntity
from o2c.vault import sealed
from orders.models import Customer


def seller(entity: LegalEntity) -> dict[str, Any]:
    """Legal data and bank details of our company."""
    return {
        "code": entity.code,
        "name": entity.name,
        "legal_name": entity.legal_name,
        "line1": entity.line1,
        "line2": entity.line2,
        "city": entity.city,
        "region": entity.region,
        "postal_code": entity.postal_code,
        "country": entity.country,
        "tax_id": entity.tax_id,
        "registration": entity.registration,
        "email": entity.email,
        "bank_name": entity.bank_name,
        "bank_account": sealed(entity.bank_account),
        "bank_routing": sealed(entity.bank_routing),
        "swift": entity.swift,
    }


def buyer(customer: Customer, tax_id: str) -> dict[str, Any]:
    """Name, bill-to address and tax number of the customer."""
    return {
        "number": customer.number,
        "legal_name": customer.legal_name,
        "name": customer.bill_to_name or customer.legal_name,
        "line1": customer.bill_to_line1,
        "line2": customer.bill_to_line2,
        "city": customer.bill_to_city,
        "region": customer.bill_to_region,
        "postal_code": customer.bill_to_postal_code,
        "country": customer.bill_to_country or customer.country,
        "tax_id": tax_id,
        "email": customer.billing_email,
    }
