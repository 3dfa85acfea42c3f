"""Stand-alone selling prices: approved entries first, the list price of the segment otherwise."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from django.db.models import Q

from billing.domain import specs
from billing.domain.following import Source, resolved
from billing.domain.prices import Of, Price
from billing.domain.types import Line, Timeline
from billing.selectors.following import Listed, list_prices
from o2c.money import quantize
from orders import models as orders
from revenue.domain.schedules import units
from revenue.domain.types import Band, Measure
from revenue.models import SspEntry


@dataclass(frozen=True, slots=True)
class Found:
    """The stand-alone price of a whole line, from SSP entry `id`."""

    id: int
    amount: Decimal


@dataclass(frozen=True)
class Prices:
    """The stand-alone prices that some orders need: list prices by id, SSP entries by SKU and currency.

    `negotiated` are the segments with an override or a discount: only they sell for something else
    than the list says. `skus` is the SKU of each line.
    """

    negotiated: frozenset[int]
    lists: Mapping[int, Price]
    entries: Mapping[tuple[int, str], Sequence[SspEntry]]
    skus: Mapping[int, int]
    currencies: Mapping[int, str]
    followed: Listed = field(default_factory=dict)

    def differ(self, timeline: Timeline) -> bool:
        """Whether any line of the timeline has another price than the list."""
        if any(line.adjustments for line in timeline.lines):
            return True
        return any(s.id in self.negotiated for line in timeline.lines for s in line.segments)

    def at_list(self, timeline: Timeline) -> Timeline:
        """The same service at list prices, without discount."""
        lines = []
        for line in timeline.lines:
            segments = [
                replace(s, price=self.lists[s.price_id], discount_percent=Decimal(0))
                if s.id in self.negotiated
                else s
                for s in line.segments
            ]
            lines.append(replace(line, segments=tuple(segments), adjustments=()))
        sources = {
            sku: Source(tuple(found))
            for (sku, currency), found in self.followed.items()
            if currency == timeline.currency
        }
        return replace(timeline, lines=tuple(resolved(lines, sources)))

    def entry(self, line: Line, service: Sequence[Band], on: dt.date) -> Found | None:
        """The approved entry in force on `on`, times the promised service of the line."""
        sku, currency = self.skus[line.id], self.currencies[line.id]
        for e in self.entries.get((sku, currency), ()):
            if e.effective_from <= on and (e.effective_to is None or on < e.effective_to):
                if e.per == SspEntry.Per.ONCE:
                    amount = sum((Fraction(s.quantity) for s in line.segments[:1]), Fraction(0))
                else:
                    months = 12 if e.per == SspEntry.Per.YEAR else 1
                    amount = units(service, dt.date.max, Measure.MONTH) / months
                worth = quantize(amount * Fraction(e.unit_amount), currency)  # rounding: SSP of the line
                return Found(e.pk, worth)
        return None


def load(order_ids: Iterable[int]) -> Prices:
    """What these orders need: three queries, a fourth for list prices when something was negotiated, a fifth
    when one of these follows another.
    """
    lines = orders.OrderLine.objects.filter(order_id__in=list(order_ids))
    rows = list(lines.values_list("id", "sku_id", "order__currency"))
    negotiated = list(
        orders.Segment.objects.filter(line__in=[row[0] for row in rows])
        .filter(Q(price_override__isnull=False) | ~Q(discount_percent=0))
        .values_list("id", "price_id")
    )
    lists = {}
    if negotiated:
        found = orders.Price.objects.filter(pk__in={price for _, price in negotiated})
        lists = {p.pk: specs.parse(p.spec, record=f"price {p.pk}") for p in found}
    codes = {price.model.sku for price in lists.values() if isinstance(price.model, Of)}
    entries: dict[tuple[int, str], list[SspEntry]] = {}
    approved = SspEntry.objects.filter(sku__in={row[1] for row in rows}, approved_by__isnull=False)
    for entry in approved.order_by("-effective_from"):
        entries.setdefault((entry.sku_id, entry.currency), []).append(entry)
    return Prices(
        negotiated=frozenset(pk for pk, _ in negotiated),
        lists=lists,
        entries=entries,
        skus={pk: sku for pk, sku, _ in rows},
        currencies={pk: currency for pk, _, currency in rows},
        followed=list_prices(codes) if codes else {},
    )
