"""Public price lists of language models, read as prices per token. Pure: nothing is written here.

Two formats: genai-prices (a list of providers with models, prices per million tokens) and LiteLLM's
`model_prices_and_context_window` (an object of models, prices per token). Numbers are read as decimals.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from o2c.errors import InvalidInput

MILLION = Decimal(1_000_000)
GENAI = {"input_mtok": "input", "cache_read_mtok": "cached", "output_mtok": "output"}
LITELLM = {
    "input_cost_per_token": "input",
    "cache_read_input_token_cost": "cached",
    "output_cost_per_token": "output",
}
KINDS = ("input", "cached", "output")
DIGITS = 12


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """The price of one token of `kind` (input, cached, output) of a model, in USD, from `since` on.

    `since` None: as far back as the list goes.
    """

    provider: str
    model: str
    kind: str
    unit_amount: Decimal
    since: dt.date | None = None


@dataclass(slots=True)
class PriceList:
    """What a list says that can be sold per token, and what of it cannot, each with the reason."""

    prices: list[TokenPrice] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)


def read(text: str) -> PriceList:
    """The prices in a list of either format. Raises InvalidInput when it is neither."""
    try:
        content = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"The price list is not JSON: {error}") from error
    found = PriceList()
    if isinstance(content, list) and all(isinstance(p, dict) and "models" in p for p in content):
        for provider in content:
            for model in provider["models"]:
                _genai(found, provider["id"], model)
    elif isinstance(content, dict) and any("litellm_provider" in str(entry) for entry in content.values()):
        for name, entry in content.items():
            _litellm(found, name, entry)
    else:
        raise InvalidInput(
            "The file is no price list that can be read",
            remedy="Give genai-prices' data.json or LiteLLM's model prices",
        )
    return found


def _genai(found: PriceList, provider: str, model: dict[str, Any]) -> None:
    record = f"{provider}/{model['id']}"
    stated = model["prices"]
    for entry in stated if isinstance(stated, list) else [{"prices": stated}]:
        constraint = entry.get("constraint") or {}
        if set(constraint) - {"start_date"}:
            found.left_out.append((record, "its price depends on the time of day"))
            continue
        since = dt.date.fromisoformat(constraint["start_date"]) if constraint else None
        for name, value in entry["prices"].items():
            kind = GENAI.get(name)
            if kind is None:
                found.left_out.append((record, f"{name} is not a price of text tokens"))
            elif isinstance(value, dict):
                found.left_out.append((record, f"{name} depends on the length of the request"))
            else:
                _add(found, TokenPrice(provider, str(model["id"]), kind, value / MILLION, since))


def _litellm(found: PriceList, name: str, entry: dict[str, Any]) -> None:
    provider = str(entry.get("litellm_provider", ""))
    priced = {key: value for key, value in entry.items() if "cost" in key and isinstance(value, Decimal)}
    for key in priced.keys() - LITELLM.keys():
        found.left_out.append((name, f"{key} is not a price of text tokens"))
    if any("_above_" in key and "_token" in key for key in priced):
        found.left_out.append((name, "its price depends on the length of the request"))
        return
    for key in LITELLM.keys() & priced.keys():
        _add(found, TokenPrice(provider, name, LITELLM[key], priced[key]))


def _add(found: PriceList, price: TokenPrice) -> None:
    if price.unit_amount < 0 or price.unit_amount != round(price.unit_amount, DIGITS):
        found.left_out.append(
            (f"{price.provider}/{price.model}", f"{price.unit_amount} is no price of a token")
        )
    else:
        found.prices.append(price)


def by_sku(prices: list[TokenPrice]) -> Iterator[tuple[tuple[str, str, str], list[TokenPrice]]]:
    """The prices of each (provider, model, kind), by date; of two from the same day the last stands."""
    grouped: dict[tuple[str, str, str], dict[dt.date | None, TokenPrice]] = {}
    for price in prices:
        grouped.setdefault((price.provider, price.model, price.kind), {})[price.since] = price
    for key, dated in grouped.items():
        yield key, sorted(dated.values(), key=lambda p: p.since or dt.date.min)
