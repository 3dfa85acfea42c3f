"""The metering service through boto3: two calls, typed answers, never inside a database transaction."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.db import connection

from o2c.errors import DomainError
from partners.domain.allocations import Allocation
from partners.domain.batches import WholeBatchRefused
from partners.domain.outcomes import TRANSIENT, WHOLE_BATCH


class Unreachable(DomainError):
    """The service gave no answer about the records: they may or may not be stored there. Sending again
    is safe.
    """

    status = 503
    default_code = "marketplace_unreachable"


class RegistrationRefused(DomainError):
    """The marketplace does not accept the buyer's registration token."""

    status = 422
    default_code = "registration_refused"


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """One hour of one dimension of one customer, as it goes on the wire. `key` is our own row."""

    key: int
    timestamp: datetime
    dimension: str
    quantity: int
    customer_identifier: str = ""
    aws_account_id: str = ""
    license_arn: str = ""
    allocations: tuple[Allocation, ...] = ()

    def wire(self) -> dict[str, Any]:
        """The UsageRecord of the API: account and licence where we know them, since products of June
        2026 need both.
        """
        record: dict[str, Any] = {
            "Timestamp": self.timestamp,
            "Dimension": self.dimension,
            "Quantity": self.quantity,
        }
        if self.license_arn:
            record["LicenseArn"] = self.license_arn
        if self.aws_account_id:
            record["CustomerAWSAccountId"] = self.aws_account_id
        else:
            record["CustomerIdentifier"] = self.customer_identifier
        if self.allocations:
            record["UsageAllocations"] = [_share(allocation) for allocation in self.allocations]
        return record

    @property
    def bytes(self) -> int:
        """Size in the request. Epoch seconds are shorter than the ISO text counted here."""
        return len(json.dumps(self.wire(), default=str)) + 2

    @property
    def match(self) -> tuple[datetime, str, str]:
        """What the service echoes: enough to find the record again within one request."""
        return (
            self.timestamp,
            self.dimension,
            self.license_arn or self.aws_account_id or self.customer_identifier,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service said about one of our records."""

    key: int
    status: str
    metering_record_id: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """ResolveCustomer's answer."""

    customer_identifier: str
    aws_account_id: str
    license_arn: str
    product_code: str
    agreement_id: str = field(default="")


class Metering(Protocol):
    """The two operations that the services use."""

    def batch_meter_usage(self, product_code: str, records: Sequence[UsageRecord]) -> list[Answer]: ...

    def resolve_customer(self, token: str) -> Identity: ...


def _share(allocation: Allocation) -> dict[str, Any]:
    share: dict[str, Any] = {"AllocatedUsageQuantity": allocation.quantity}
    if allocation.tags:
        share["Tags"] = [{"Key": key, "Value": value} for key, value in allocation.tags.items()]
    return share


def refuse_in_transaction() -> None:
    """A network call holds locks for as long as the other side likes, and cannot be rolled back."""
    if connection.in_atomic_block:
        raise RuntimeError("AWS is never called inside a database transaction: commit first, then call")


class BotoMetering:
    """boto3's `meteringmarketplace`. The endpoint is AWS's own unless another is given."""

    def __init__(self, *, endpoint_url: str = "", region: str = "us-east-1", stand_in: bool = False) -> None:
        # Keys only for the stand-in, which checks none; against AWS boto3 finds the role by itself.
        keys = {"aws_access_key_id": "stand-in", "aws_secret_access_key": "stand-in"} if stand_in else {}
        self._client = boto3.client(
            "meteringmarketplace",
            region_name=region,
            endpoint_url=endpoint_url or None,
            config=Config(
                connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 3, "mode": "standard"}
            ),
            **keys,
        )

    def batch_meter_usage(self, product_code: str, records: Sequence[UsageRecord]) -> list[Answer]:
        """Send one request. Raises WholeBatchRefused when a record spoils it, Unreachable when nothing
        is known.
        """
        refuse_in_transaction()
        request: dict[str, Any] = {"UsageRecords": [record.wire() for record in records]}
        if not all(record.license_arn for record in records):
            request["ProductCode"] = product_code
        try:
            response = self._client.batch_meter_usage(**request)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            message = error.response["Error"].get("Message", "")
            if code in TRANSIENT or code not in WHOLE_BATCH | {"ValidationException"}:
                raise Unreachable(
                    f"{code}: {message}", remedy="The next run sends the records again"
                ) from error
            raise WholeBatchRefused(code, message) from error
        except BotoCoreError as error:
            raise Unreachable(str(error), remedy="The next run sends the records again") from error
        return _answers(records, response)

    def resolve_customer(self, token: str) -> Identity:
        """Exchange the buyer's registration token. Raises RegistrationRefused or Unreachable."""
        refuse_in_transaction()
        try:
            answer = self._client.resolve_customer(RegistrationToken=token)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("InvalidTokenException", "ExpiredTokenException"):
                raise RegistrationRefused(
                    error.response["Error"].get("Message", code),
                    code=code,
                    remedy="Open the product in AWS Marketplace and choose 'Set up your account' again",
                ) from error
            raise Unreachable(code, remedy="Try again in a minute") from error
        except BotoCoreError as error:
            raise Unreachable(str(error), remedy="Try again in a minute") from error
        return Identity(
            customer_identifier=answer.get("CustomerIdentifier", "").strip(),
            aws_account_id=answer.get("CustomerAWSAccountId", "").strip(),
            license_arn=answer.get("LicenseArn", "").strip(),
            product_code=answer.get("ProductCode", "").strip(),
            agreement_id=answer.get("Metadata", {}).get("AgreementId", ""),
        )


def _answers(records: Sequence[UsageRecord], response: dict[str, Any]) -> list[Answer]:
    """Pair the service's echoes with our records. A record it did not mention counts as unprocessed."""
    waiting = {record.match: record.key for record in records}
    answers = []
    for result in response.get("Results", []):
        key = waiting.pop(_match(result["UsageRecord"]), None)
        if key is not None:
            answers.append(Answer(key, result["Status"], result.get("MeteringRecordId", "")))
    return answers + [Answer(key, "Unprocessed") for key in waiting.values()]


def _match(echo: dict[str, Any]) -> tuple[datetime, str, str]:
    name = echo.get("LicenseArn") or echo.get("CustomerAWSAccountId") or echo.get("CustomerIdentifier") or ""
    return (echo["Timestamp"], echo["Dimension"], name)
