"""A public price list as a catalogue: a SKU per model and kind of token, with dated list prices."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from billing.importers import price_lists
from billing.importers.price_lists import KINDS, TokenPrice
from o2c.actor import Actor
from orders.models import Price, Sku
from orders.services import catalogue
from orders.services.inputs import PriceInput

PRODUCT = "LLM"
CURRENCY = "USD"
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Imported:
    """What an import did: SKUs and prices that were new, prices that were there, what was left out.

    `waiting` are those of the new prices that somebody must approve first: they are so much lower.
    """

    skus: int = 0
    prices: int = 0
    waiting: int = 0
    same: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)


def sku_code(provider: str, model: str, kind: str) -> str:
    """'openai/gpt-4o:input', in the 60 characters that a code has."""
    code = f"{provider}/{model}:{kind}"
    return code if len(code) <= 60 else f"{code[: 59 - len(kind)]}:{kind}"


def import_file(
    path: Path,
    *,
    effective_from: dt.date,
    actor: Actor,
    activator: Actor,
    only: str = "",
    progress: Progress | None = None,
    reason: str = "",
) -> Imported:
    """Bring the catalogue up to the list: `actor` drafts, `activator` makes the prices valid.

    Prices without a date hold from `effective_from`; a price that the catalogue has already is left alone, a
    changed one is a new version from `effective_from` on. `only` restricts it to models whose
    "provider/model" begins so. Twice changes nothing. What is much lower than before is asked for instead.
    Revenue treatment and GL segment are somebody else's duty. Raises InvalidInput for an unreadable file.
    """
    listed = price_lists.read(path.read_text(encoding="utf-8"))
    done = Imported(left_out=[entry for entry in listed.left_out if entry[0].startswith(only)])
    groups = [
        (key, dated)
        for key, dated in price_lists.by_sku(listed.prices)
        if f"{key[0]}/{key[1]}".startswith(only)
    ]
    reason = reason or f"Price list {path.name}"
    _save_meters(actor, reason)
    known = set(Sku.objects.values_list("code", flat=True))
    newest = _newest()
    items: list[PriceInput] = []
    taken: set[str] = set()
    for number, ((provider, model, kind), dated) in enumerate(groups, start=1):
        code = sku_code(provider, model, kind)
        if code in taken:
            done.left_out.append((f"{provider}/{model}", f"another model has the SKU {code}"))
            continue
        taken.add(code)
        if code not in known:
            catalogue.save_sku(
                code, product=PRODUCT, meter=f"llm.{kind}", name=f"{model} {kind} tokens"[:200],
                kind="usage", unit="token", actor=actor, reason=reason,
            )  # fmt: skip
            done.skus += 1
        for price in _wanted(dated, effective_from, newest.get(code, {})):
            items.append(price_input(code, price, effective_from))
        done.same += len(dated) - sum(1 for item in items if item.sku == code) if code in known else 0
        if progress is not None:
            progress(number, len(groups))
    if items:
        drafts = catalogue.draft_prices(items, actor=actor, reason=reason)
        pks = [draft.pk for draft in drafts]
        done.waiting = len(catalogue.activate_or_ask(pks, actor=activator, reason=reason))
    done.prices = len(items)
    return done


def price_input(code: str, price: TokenPrice, effective_from: dt.date) -> PriceInput:
    """The list price to draft, exact."""
    spec = {"model": "per_unit", "unit_amount": f"{price.unit_amount.normalize():f}"}
    return PriceInput(code, CURRENCY, spec, max(price.since or effective_from, effective_from))


def _save_meters(actor: Actor, reason: str) -> None:
    catalogue.save_product(PRODUCT, name="Language models", family="api", actor=actor, reason=reason)
    for kind in KINDS:
        catalogue.save_meter(
            f"llm.{kind}", name=f"Model tokens: {kind}", unit="token", aggregation="sum",
            event_type=f"llm.{kind}", value_property="quantity", actor=actor, reason=reason,
        )  # fmt: skip


def _newest() -> dict[str, dict[dt.date, str]]:
    """The prices of each SKU of a list, valid or drafted: unit amount by first day."""
    found: dict[str, dict[dt.date, str]] = {}
    rows = Price.objects.filter(state__in=["active", "draft"], currency=CURRENCY, sku__product__code=PRODUCT)
    for code, day, spec in rows.values_list("sku__code", "effective_from", "spec"):
        found.setdefault(code, {})[day] = spec.get("unit_amount", "")
    return found


def _wanted(dated: list[TokenPrice], effective_from: dt.date, known: dict[dt.date, str]) -> list[TokenPrice]:
    """The prices that the catalogue does not say already: the one in force, then each later change."""
    past = [price for price in dated if (price.since or dt.date.min) <= effective_from]
    later = [price for price in dated if price.since is not None and price.since > effective_from]
    wanted = []
    for price in [*past[-1:], *later]:
        day = max(price.since or effective_from, effective_from)
        before = [amount for start, amount in sorted(known.items()) if start <= day]
        if not before or before[-1] != f"{price.unit_amount.normalize():f}":
            wanted.append(price)
    return wanted
