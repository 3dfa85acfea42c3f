"""A stand-in for the AWS Marketplace Metering Service that enforces the real one's rules.

The rules are those of the botocore service model and of reference: marketplaces, 1.4: 25 records and less
than 1 MB a request, the window and the month-end cut-off, whole-batch refusals, first write wins per
product, customer, dimension and hour, tag sets that add up, integers only. `FakeMetering` is the service
without a socket; `partners.aws.fake_server` speaks its protocol.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from partners.aws.fake_journal import Journal
from partners.domain.allocations import Allocation, problems
from partners.domain.carry import MAX_QUANTITY
from partners.domain.window import Verdict, Window

MAX_RECORDS = 25
MAX_BODY = 1_000_000
TOKEN_LIFETIME = timedelta(hours=4)


class ServiceError(Exception):
    """An error response. Nothing of the request was processed."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Buyer:
    """A buyer's subscription to one product, with every id the service may be asked by."""

    customer_identifier: str
    aws_account_id: str
    license_arn: str
    product_code: str
    product_id: str
    agreement_id: str
    offer_id: str
    subscribed_at: str
    unsubscribed_at: str = ""


@dataclass
class Faults:
    """How many of the next requests or records go wrong, and how."""

    throttle: int = 0
    internal_error: int = 0
    unprocessed: int = 0
    lose_response: int = 0

    def take(self, name: str) -> bool:
        left = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return bool(left > 0)


@dataclass
class FakeMetering:
    """The service's rules over what it remembers; with a journal file, several processes are one service."""

    now: Callable[[], datetime]
    window: Window = field(default_factory=lambda: Window(accepts_for=timedelta(hours=24)))
    journal: Path | None = None
    dimensions: dict[str, set[str]] = field(default_factory=dict)
    buyers: list[Buyer] = field(default_factory=list)
    tokens: dict[str, tuple[Buyer, datetime]] = field(default_factory=dict)
    usage: dict[tuple[str, str, str, str], dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, int]] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        self.memory = Journal(self.journal, self._apply)
        with self.memory.exclusive():
            pass

    @property
    def held(self) -> list[dict[str, Any]]:
        """What was metered, by whichever process."""
        with self.memory.exclusive():
            return list(self.usage.values())

    def _apply(self, entry: dict[str, Any]) -> None:
        kind = entry.pop("kind")
        if kind == "product":
            self.dimensions[entry["code"]] = set(entry["dimensions"])
        elif kind == "buyer":
            buyer = Buyer(**entry)
            self.buyers = [held for held in self.buyers if held.license_arn != buyer.license_arn] + [buyer]
        elif kind == "token":
            buyer = next(held for held in self.buyers if held.license_arn == entry["license_arn"])
            self.tokens[entry["token"]] = (buyer, datetime.fromisoformat(entry["expires"]))
        else:
            key = (entry["product_code"], entry["account"], entry["dimension"], entry["hour"])
            self.usage[key] = entry

    # What a seller or a buyer does in the console of the marketplace.

    def add_product(self, code: str, dimensions: set[str]) -> None:
        with self.memory.exclusive():
            self.memory.write({"kind": "product", "code": code, "dimensions": sorted(dimensions)})

    def subscribe(self, buyer: Buyer) -> str:
        """The buyer accepts an offer; returns the registration token that their browser carries to us."""
        with self.memory.exclusive():
            self.memory.write({"kind": "buyer", **_fields(buyer)})
            token = hashlib.sha256(f"{buyer.license_arn}{self.now().isoformat()}".encode()).hexdigest()
            expires = (self.now() + TOKEN_LIFETIME).isoformat()
            self.memory.write(
                {"kind": "token", "token": token, "license_arn": buyer.license_arn, "expires": expires}
            )
            return token

    # The API.

    def resolve_customer(self, request: dict[str, Any]) -> dict[str, Any]:
        with self.memory.exclusive():
            found = self.tokens.get(request.get("RegistrationToken", ""))
            if found is None:
                raise ServiceError("InvalidTokenException", "Registration token is invalid.")
            buyer, expires = found
            if self.now() >= expires:
                raise ServiceError("ExpiredTokenException", "The submitted registration token has expired.")
            return {
                "CustomerIdentifier": buyer.customer_identifier,
                "ProductCode": buyer.product_code,
                "CustomerAWSAccountId": buyer.aws_account_id,
                "LicenseArn": buyer.license_arn,
                "Metadata": {"AgreementId": buyer.agreement_id},
            }

    def batch_meter_usage(self, request: dict[str, Any], body_bytes: int = 0) -> dict[str, Any]:
        with self.memory.exclusive():
            records = request.get("UsageRecords") or []
            self.requests.append((request.get("ProductCode", ""), len(records)))
            if self.faults.take("throttle"):
                raise ServiceError("ThrottlingException", "Rate exceeded")
            if self.faults.take("internal_error"):
                raise ServiceError("InternalServiceErrorException", "Please try again", 500)
            self._check_shape(records, body_bytes)
            resolved = [self._resolve(record, request.get("ProductCode", "")) for record in records]
            if len({product for product, _buyer in resolved}) > 1:
                raise ServiceError("InvalidProductCodeException", "A request is for one product only.")
            for record, (product, _buyer) in zip(records, resolved, strict=True):
                self._check_record(record, product)
            results, unprocessed = [], []
            for record, (product, buyer) in zip(records, resolved, strict=True):
                if self.faults.take("unprocessed"):
                    unprocessed.append(record)
                else:
                    results.append(self._meter(record, product, buyer))
            return {"Results": results, "UnprocessedRecords": unprocessed}

    def _check_shape(self, records: list[dict[str, Any]], body_bytes: int) -> None:
        if body_bytes >= MAX_BODY:
            raise ServiceError("ValidationException", "The request must be less than 1 MB.")
        if len(records) > MAX_RECORDS:
            raise ServiceError(
                "ValidationException",
                f"Value at 'usageRecords' failed to satisfy constraint: length {len(records)} exceeds 25.",
            )
        for record in records:
            quantity = record.get("Quantity", 0)
            if (
                not isinstance(quantity, int)
                or isinstance(quantity, bool)
                or not 0 <= quantity <= MAX_QUANTITY
            ):
                raise ServiceError(
                    "ValidationException", f"Quantity {quantity!r} is not in 0..{MAX_QUANTITY}."
                )

    def _resolve(self, record: dict[str, Any], product_code: str) -> tuple[str, Buyer | None]:
        """The product and the buyer a record names: by licence if it has one, else by product and
        customer.
        """
        licence = record.get("LicenseArn", "")
        account = record.get("CustomerAWSAccountId", "")
        identifier = record.get("CustomerIdentifier", "")
        if not account and not identifier:
            raise ServiceError("InvalidCustomerIdentifierException", "A record names no customer.")
        if licence:
            held = [buyer for buyer in self.buyers if buyer.license_arn == licence]
            if not held:
                raise ServiceError("InvalidLicenseException", f"License {licence} is not valid.")
            buyer = held[0]
            matches = buyer.aws_account_id == account or buyer.customer_identifier == identifier
            return buyer.product_code, buyer if matches else None
        if product_code not in self.dimensions:
            raise ServiceError("InvalidProductCodeException", f"Product code {product_code!r} is not valid.")
        for buyer in self.buyers:
            same = (account and buyer.aws_account_id == account) or (
                identifier and buyer.customer_identifier == identifier
            )
            if buyer.product_code == product_code and same:
                return product_code, buyer
        return product_code, None

    def _check_record(self, record: dict[str, Any], product_code: str) -> None:
        """What refuses the whole batch because of one record."""
        timestamp = _time(record["Timestamp"])
        if self.window.verdict(timestamp, self.now()) is not Verdict.SENDABLE:
            raise ServiceError(
                "TimestampOutOfBoundsException",
                f"Timestamp {timestamp.isoformat()} is out of bounds; no record processed.",
            )
        if record["Dimension"] not in self.dimensions.get(product_code, set()):
            raise ServiceError(
                "InvalidUsageDimensionException", f"Dimension {record['Dimension']!r} is not valid."
            )
        shares = [
            Allocation(
                share.get("AllocatedUsageQuantity", 0),
                {tag["Key"]: tag["Value"] for tag in share.get("Tags", [])},
            )
            for share in record.get("UsageAllocations", [])
        ]
        wrong = problems(record.get("Quantity", 0), shares)
        if wrong:
            raise ServiceError("InvalidUsageAllocationsException", "; ".join(wrong))

    def _meter(self, record: dict[str, Any], product_code: str, buyer: Buyer | None) -> dict[str, Any]:
        timestamp = _time(record["Timestamp"])
        if buyer is None or not _subscribed(buyer, timestamp):
            return {"UsageRecord": record, "Status": "CustomerNotSubscribed"}
        hour = timestamp.replace(minute=0, second=0, microsecond=0).isoformat()
        scope = buyer.license_arn if record.get("LicenseArn") else product_code
        key = (scope, buyer.aws_account_id, record["Dimension"], hour)
        quantity = record.get("Quantity", 0)
        held = self.usage.get(key)
        if held is None:
            record_id = hashlib.sha256("|".join(key).encode()).hexdigest()[:36]
            held = {
                "product_code": scope, "account": buyer.aws_account_id, "dimension": record["Dimension"],
                "hour": hour,
                "quantity": quantity, "record_id": record_id, "agreement_id": buyer.agreement_id,
                "product_id": buyer.product_id, "offer_id": buyer.offer_id,
            }  # fmt: skip
            self.memory.write({"kind": "usage", **held})
        same = held["quantity"] == quantity
        return {
            "UsageRecord": record,
            "MeteringRecordId": held["record_id"],
            "Status": "Success" if same else "DuplicateRecord",
        }


def _fields(buyer: Buyer) -> dict[str, str]:
    return {name: getattr(buyer, name) for name in Buyer.__dataclass_fields__}


def _subscribed(buyer: Buyer, timestamp: datetime) -> bool:
    if datetime.fromisoformat(buyer.subscribed_at) > timestamp:
        return False
    return not buyer.unsubscribed_at or timestamp < datetime.fromisoformat(buyer.unsubscribed_at)


def _time(value: object) -> datetime:
    """A timestamp of the JSON protocol: seconds since the epoch."""
    return datetime.fromtimestamp(int(Decimal(str(value))), UTC)
