"""The catalogue: meters, products, SKUs with list prices in three currencies, and their SSP."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

CURRENCIES = {"USD": Decimal(1), "EUR": Decimal("0.92"), "GBP": Decimal("0.79")}
"""List prices of a currency are the dollar prices times this, stated per SKU below in dollars."""

METERS: tuple[tuple[str, str, str, list[str]], ...] = (
    ("tokens.input", "Input tokens", "token", []),
    ("tokens.cached", "Cached input tokens", "token", []),
    ("tokens.output", "Output tokens", "token", []),
    ("tokens.routed", "Tokens of routed models", "token", ["model", "token_kind"]),
    ("requests", "API requests", "request", []),
    ("embeddings", "Embedded tokens", "token", []),
    ("images", "Generated images", "image", []),
    ("gpu.hours", "Dedicated GPU hours", "hour", []),
)

PRODUCTS = (
    ("API", "Lumen API", "api"),
    ("WORKSPACE", "Lumen Workspace", "seats"),
    ("PLATFORM", "Lumen Platform", "platform"),
    ("SERVICES", "Professional services", "services"),
)
# What giving the service costs, in percent of the list price.
COST_PERCENT = {
    "API": Decimal(35),
    "WORKSPACE": Decimal(20),
    "PLATFORM": Decimal(15),
    "SERVICES": Decimal(45),
}


@dataclass(frozen=True)
class SkuPlan:
    """A SKU and its dollar price model; numbers are decimal strings, scaled for the other currencies."""

    code: str
    name: str
    product: str
    kind: str
    unit: str
    spec: dict[str, Any]
    treatment: str
    segment: str
    meter: str = ""
    period: str = "month"


def per_unit(amount: str) -> dict[str, Any]:
    return {"model": "per_unit", "unit_amount": amount}


def flat(amount: str) -> dict[str, Any]:
    return {"model": "flat", "amount": amount}


def tiers(model: str, *rows: tuple[str | None, str, str]) -> dict[str, Any]:
    """`rows` are (up to, unit amount, flat amount)."""
    return {
        "model": model,
        "tiers": [{"up_to": upto, "unit_amount": unit, "flat_amount": fee} for upto, unit, fee in rows],
    }


def prepaid(amount: str, credit: str, **grant: str) -> dict[str, Any]:
    """`amount` is paid for `credit` of usage."""
    return {"model": "prepaid", "amount": amount, "credit": credit, "grant": grant}


def _cell(model: str, kind: str, amount: str) -> dict[str, Any]:
    return {"match": {"model": model, "token_kind": kind}, "price": per_unit(amount)}


MATRIX = {
    "model": "matrix",
    "dimensions": ["model", "token_kind"],
    "cells": [
        _cell("lumen-large", "input", "0.000003"),
        _cell("lumen-large", "output", "0.000015"),
        _cell("lumen-small", "input", "0.00000025"),
        _cell("lumen-small", "output", "0.00000125"),
    ],
}

SKUS = (
    SkuPlan("API-IN", "API input tokens", "API", "usage", "token", per_unit("0.000003"), "usage", "API",
            "tokens.input"),
    SkuPlan("API-CACHED", "API cached input tokens", "API", "usage", "token", per_unit("0.0000003"), "usage",
            "API", "tokens.cached"),
    SkuPlan("API-OUT", "API output tokens", "API", "usage", "token", per_unit("0.000015"), "usage", "API",
            "tokens.output"),
    SkuPlan("API-ROUTED", "Routed models, by model and token kind", "API", "usage", "token", MATRIX, "usage",
            "API", "tokens.routed"),
    SkuPlan("API-REQ", "API requests, graduated", "API", "usage", "request",
            tiers("graduated", ("100000", "0.002", "0"), ("1000000", "0.0015", "0"), (None, "0.001", "0")),
            "usage", "API", "requests"),
    SkuPlan("EMB", "Embeddings, volume price", "API", "usage", "token",
            tiers("volume", ("50000000", "0.00000013", "0"), ("500000000", "0.0000001", "0"),
                  (None, "0.00000007", "0")), "usage", "API", "embeddings"),
    SkuPlan("IMG", "Images, packs of 100", "API", "usage", "image",
            {"model": "package", "size": "100", "amount": "2.95", "free_units": "0"}, "usage", "API",
            "images"),
    SkuPlan("GPU", "Dedicated GPU capacity", "API", "usage", "hour", per_unit("2.49"), "usage", "API",
            "gpu.hours"),
    SkuPlan("SEAT-TEAM", "Workspace Team seat", "WORKSPACE", "recurring", "seat", per_unit("30.00"),
            "ratable_daily", "WORKSPACE"),
    SkuPlan("SEAT-ENT", "Workspace Enterprise seat", "WORKSPACE", "recurring", "seat",
            tiers("graduated", ("100", "60.00", "0"), ("500", "52.00", "0"), (None, "45.00", "0")),
            "ratable_daily", "WORKSPACE"),
    SkuPlan("PLATFORM", "Platform subscription", "PLATFORM", "recurring", "subscription", flat("2500.00"),
            "ratable_daily", "PLATFORM"),
    SkuPlan("SUPPORT", "Premium support", "PLATFORM", "recurring", "subscription", flat("900.00"),
            "ratable_daily", "PLATFORM"),
    SkuPlan("COMMIT-S", "Prepaid API credit 10,000", "API", "prepaid", "commitment",
            prepaid("9500.00", "10000.00", expires_after_months="12"), "prepaid_drawdown", "API"),
    SkuPlan("COMMIT-L", "Prepaid API credit 120,000", "API", "prepaid", "commitment",
            prepaid("108000.00", "120000.00", expires_after_months="12", rollover_percent="20",
                    rollover_months="3"), "prepaid_drawdown", "API"),
    SkuPlan("ONBOARD", "Onboarding package", "SERVICES", "one_time", "package", flat("15000.00"),
            "point_in_time", "SERVICES"),
    SkuPlan("WORKSHOP", "Engineering workshop", "SERVICES", "one_time", "day", per_unit("1800.00"),
            "point_in_time", "SERVICES"),
)  # fmt: skip

MONETARY = {"amount", "unit_amount", "flat_amount", "credit"}


def scaled(spec: Any, factor: Decimal) -> Any:
    """The price model with every amount of money times `factor`; thresholds and sizes stay."""
    if isinstance(spec, dict):
        return {
            key: _trim(Decimal(value) * factor) if key in MONETARY else scaled(value, factor)
            for key, value in spec.items()
        }
    if isinstance(spec, list):
        return [scaled(item, factor) for item in spec]
    return spec


def _trim(value: Decimal) -> str:
    """Twelve decimals at most, written without exponent."""
    return f"{value.quantize(Decimal('1E-12')).normalize():f}"
