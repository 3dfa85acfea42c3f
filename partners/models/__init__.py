"""Tables of the partners app."""

from partners.models.agreements import AgreementDimension, AgreementIdentity, AwsAgreement, Registration
from partners.models.banks import BankCredit
from partners.models.breaks import Break, ReconciliationRun
from partners.models.channels import Channel
from partners.models.feeds import BillingEvent, FeedException, FeedFile, FeedRow
from partners.models.metering import MeteringBatch, MeteringRecord, MeteringResult
from partners.models.refunds import MarketplaceRefund, RefundFile, RefundLine
from partners.models.settlements import SettlementPosting, SettlementShare

__all__ = [
    "AgreementDimension",
    "AgreementIdentity",
    "AwsAgreement",
    "BankCredit",
    "BillingEvent",
    "Break",
    "Channel",
    "FeedException",
    "FeedFile",
    "FeedRow",
    "MarketplaceRefund",
    "MeteringBatch",
    "MeteringRecord",
    "MeteringResult",
    "ReconciliationRun",
    "RefundFile",
    "RefundLine",
    "Registration",
    "SettlementPosting",
    "SettlementShare",
]
