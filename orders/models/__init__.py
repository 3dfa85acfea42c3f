"""Columns, constraints and declared transitions of the orders app; one file per noun."""

from orders.models.adjustments import Coupon, PriceAdjustment, Redemption
from orders.models.amendments import Amendment
from orders.models.catalogue import Meter, Price, Product, Sku
from orders.models.credit import CreditCheck, CreditLimit, CreditRelease
from orders.models.customers import Contact, Customer, TaxRegistration
from orders.models.entitlements import Entitlement, ProvisioningAttempt
from orders.models.intake import DealIntake
from orders.models.orders import Order, OrderLine, Segment
from orders.models.quotes import Quote, QuoteLine
from orders.models.schedules import MilestoneRecord
from orders.models.terms import BillingTerms

__all__ = [
    "Amendment",
    "BillingTerms",
    "Contact",
    "Coupon",
    "CreditCheck",
    "CreditLimit",
    "CreditRelease",
    "Customer",
    "DealIntake",
    "Entitlement",
    "Meter",
    "MilestoneRecord",
    "Order",
    "OrderLine",
    "Price",
    "PriceAdjustment",
    "Product",
    "ProvisioningAttempt",
    "Quote",
    "QuoteLine",
    "Redemption",
    "Segment",
    "Sku",
    "TaxRegistration",
]
