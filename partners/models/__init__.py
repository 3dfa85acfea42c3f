"""Tables of the partners app."""

from partners.models.agreements import AgreementDimension, AgreementIdentity, AwsAgreement, Registration
from partners.models.breaks import Break, ReconciliationRun
from partners.models.channels import Channel
from partners.models.feeds import BillingEvent, FeedException, FeedFile, FeedRow
from partners.models.metering import MeteringBatch, MeteringRecord, MeteringResult
from partners.models.settlements import SettlementPosting, SettlementShare

__all__ = [
    "AgreementDimension",
    "AgreementIdentity",
    "AwsAgreement",
    "BillingEvent",
    "Break",
    "Channel",
    "FeedException",
    "FeedFile",
    "FeedRow",
    "MeteringBatch",
    "MeteringRecord",
    "MeteringResult",
    "ReconciliationRun",
    "Registration",
    "SettlementPosting",
    "SettlementShare",
]
