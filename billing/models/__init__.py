"""Columns, constraints and declared transitions of the billing app; one file per noun."""

from billing.models.bill_run import BillRun, BillRunChunk, BillRunFinding
from billing.models.charge import Charge
from billing.models.delivery import DeliveryAttempt, InvoiceDelivery
from billing.models.dispute import Dispute
from billing.models.divergence import Divergence
from billing.models.dunning import DunningLevel, DunningNotice
from billing.models.grants import Grant, GrantEntry
from billing.models.invoice import Invoice, InvoiceLine
from billing.models.receipt import Application, Receipt
from billing.models.refund import Refund
from billing.models.retraction import UsageRepair, UsageRetraction
from billing.models.tax import TaxRate
from billing.models.usage import (
    UsageBatch,
    UsageDimensions,
    UsageEvent,
    UsageException,
    UsageHour,
    UsageSource,
)

__all__ = [
    "Application",
    "BillRun",
    "BillRunChunk",
    "BillRunFinding",
    "Charge",
    "DeliveryAttempt",
    "Dispute",
    "Divergence",
    "DunningLevel",
    "DunningNotice",
    "Grant",
    "GrantEntry",
    "Invoice",
    "InvoiceDelivery",
    "InvoiceLine",
    "Receipt",
    "Refund",
    "TaxRate",
    "UsageBatch",
    "UsageDimensions",
    "UsageEvent",
    "UsageException",
    "UsageHour",
    "UsageRepair",
    "UsageRetraction",
    "UsageSource",
]
