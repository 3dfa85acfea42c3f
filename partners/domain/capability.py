"""What a channel can do, as data: what it meters, its windows, feeds, fees, and who pays whom and when.

A channel's behaviour is read from its sheet, never from its name, so that the next channel is a new sheet and
an adapter. Numbers are strings in JSON; `CapabilitySheet.parse` refuses a sheet that is not complete.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from partners.domain.fees import FeeRate
from partners.domain.window import Window


@dataclass(frozen=True, slots=True)
class Metering:
    """How usage goes to the channel."""

    window: Window
    freeze_grace: timedelta
    max_records: int
    max_bytes: int
    zero_records: bool


@dataclass(frozen=True, slots=True)
class Payment:
    """Who owes whom, and when money comes."""

    buyer_pays: str
    pays_after_collection: bool
    invoice_day: int
    own_dunning: bool


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How far two sides may differ before it is a break. Amounts in the document's currency."""

    line: Decimal
    price_share: Decimal
    feed_quantity: Decimal
    bank_days: int


@dataclass(frozen=True, slots=True)
class CapabilitySheet:
    """The whole sheet of one channel."""

    metering: Metering
    payment: Payment
    tolerances: Tolerances
    fees: tuple[FeeRate, ...]
    resale_supplement: Decimal
    feeds: tuple[str, ...]

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> "CapabilitySheet":
        """Read a sheet from JSON. Raises ValueError naming the part that is missing or wrong."""
        try:
            metering, payment, tolerances = data["metering"], data["payment"], data["tolerances"]
            return cls(
                metering=Metering(
                    window=Window(
                        accepts_for=timedelta(hours=int(metering["accepts_hours"])),
                        month_grace=timedelta(hours=int(metering["month_grace_hours"])),
                        warn_after=timedelta(hours=int(metering["warn_after_hours"])),
                        page_after=timedelta(hours=int(metering["page_after_hours"])),
                    ),
                    freeze_grace=timedelta(minutes=int(metering["freeze_grace_minutes"])),
                    max_records=int(metering["max_records"]),
                    max_bytes=int(metering["max_bytes"]),
                    zero_records=bool(metering["zero_records"]),
                ),
                payment=Payment(
                    buyer_pays=str(payment["buyer_pays"]),
                    pays_after_collection=bool(payment["pays_after_collection"]),
                    invoice_day=int(payment["invoice_day"]),
                    own_dunning=bool(payment["own_dunning"]),
                ),
                tolerances=Tolerances(
                    line=Decimal(tolerances["line"]),
                    price_share=Decimal(tolerances["price_share"]),
                    feed_quantity=Decimal(tolerances["feed_quantity"]),
                    bank_days=int(tolerances["bank_days"]),
                ),
                fees=tuple(_fee_rate(row) for row in data["fees"]["rates"]),
                resale_supplement=Decimal(data["fees"]["resale_supplement"]),
                feeds=tuple(data["feeds"]),
            )
        except KeyError as missing:
            raise ValueError(f"the capability sheet lacks {missing}") from None


def _fee_rate(row: Mapping[str, Any]) -> FeeRate:
    return FeeRate(
        product_type=row["product_type"],
        programme=row["programme"],
        rate=Decimal(row["rate"]),
        effective_from=date.fromisoformat(row["from"]),
        tcv_from=Decimal(row.get("tcv_from", "0")),
        tcv_to=Decimal(row["tcv_to"]) if row.get("tcv_to") else None,
    )


def _rate(product_type: str, programme: str, rate: str, low: str = "0", high: str = "") -> dict[str, str]:
    return {
        "product_type": product_type,
        "programme": programme,
        "rate": rate,
        "from": "2024-01-05",
        "tcv_from": low,
        "tcv_to": high,
    }


AWS_MARKETPLACE: dict[str, Any] = {
    "name": "AWS Marketplace",
    "meters": "integer quantity per customer, dimension and hour; first write wins",
    "metering": {
        # AWS's texts say 1, 6 and 24 hours; the strict middle one until a live product proves another.
        "accepts_hours": 6,
        "month_grace_hours": 6,
        "warn_after_hours": 1,
        "page_after_hours": 3,
        "freeze_grace_minutes": 15,
        "max_records": 25,
        "max_bytes": 1_000_000,
        # Hourly zeros make silence distinguishable from no usage (AWS seller guide).
        "zero_records": True,
    },
    "payment": {
        "buyer_pays": "the marketplace",
        "pays_after_collection": True,
        "invoice_day": 2,
        # The buyer owes AWS: our own reminders would chase the wrong debtor.
        "own_dunning": False,
    },
    "tolerances": {"line": "0.01", "price_share": "0.00005", "feed_quantity": "0.01", "bank_days": 5},
    "fees": {
        "resale_supplement": "0.005",
        "rates": [
            _rate("saas", "public", "0.03"),
            _rate("ami", "public", "0.20"),
            _rate("data", "public", "0.03"),
            _rate("saas", "private", "0.03", "0", "1000000"),
            _rate("saas", "private", "0.02", "1000000", "10000000"),
            _rate("saas", "private", "0.015", "10000000"),
            _rate("saas", "renewal", "0.015"),
            _rate("services", "private", "0.025"),
        ],
    },
    "feeds": [
        "account", "address", "agreement", "agreement_charge", "agreement_term", "billing_event",
        "daily_usage",
        "legacy_id_mapping", "offer", "offer_product", "offer_target", "product", "tax_item",
    ],
}  # fmt: skip
"""The sheet of AWS Marketplace (reference: marketplaces, 1.4, 1.7, 1.10, 4.1)."""
