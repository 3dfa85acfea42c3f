"""Prices by formula of another SKU's, looked up: batch at half the price of online.

What is followed is the price that holds on each day, in this order: another price that was agreed with the
customer for that SKU, the line of the same contract that sells it, the price list. Discounts and coupons are
not followed: they belong to their lines.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from billing.domain.prices import Followed, Following, Of, Price, Ramp, Unreadable
from billing.domain.timelines import runs
from billing.domain.types import Kind, Line
from o2c.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Source:
    """Where prices of a SKU come from beside the contract: the list, and what is agreed with the customer.

    `agreed` is in the order of scopes, the narrowest last. The `origin` of both is the line that follows.
    """

    listed: tuple[Followed, ...] = ()
    agreed: tuple[Followed, ...] = ()


def resolved(lines: Sequence[Line], sources: Mapping[str, Source]) -> list[Line]:
    """The lines with every price that follows another one looked up. `sources` are by SKU.

    A price that can't be looked up fails when it is applied and says why.
    """
    if not any(isinstance(segment.price.model, Of) for line in lines for segment in line.segments):
        return list(lines)
    return [_line(line, lines, sources) for line in lines]


def followed_skus(lines: Iterable[Line]) -> set[str]:
    """The SKUs whose prices are followed."""
    models = (segment.price.model for line in lines for segment in line.segments)
    return {model.sku for model in models if isinstance(model, Of)}


def _line(line: Line, lines: Sequence[Line], sources: Mapping[str, Source]) -> Line:
    segments = []
    for segment in line.segments:
        model = segment.price.model
        if isinstance(model, Of):
            price = _price(line, model, lines, sources.get(model.sku, Source()))
            segment = replace(segment, price=price)
        segments.append(segment)
    return replace(line, segments=tuple(segments))


def _price(line: Line, of: Of, lines: Sequence[Line], source: Source) -> Price:
    sold = [one for one in lines if one.label == of.sku and one.id != line.id]
    if of.sku == line.label:
        return _refused(of, "is its own")
    if len(sold) > 1:
        return _refused(of, "is sold by several lines of the contract")
    if sold and sold[0].kind is not Kind.USAGE:
        return _refused(of, "is not metered")
    first = min((run.starts_on for run in runs(line)), default=dt.date.min)
    on_line: list[Followed] = []
    if sold:
        stretches = runs(sold[0])
        on_line = [
            Followed(run.starts_on, run.ends_on, run.first.price, stretches[0].starts_on) for run in stretches
        ]
    own = [replace(one, origin=first) for one in (*source.listed, *source.agreed)]
    listed, agreed = own[: len(source.listed)], own[len(source.listed) :]
    return Price(Following(of.sku, of.factor, layered([*listed, *on_line, *agreed], of)))


def layered(found: Sequence[Followed], of: Of) -> tuple[Followed, ...]:
    """Which price holds when: of several on a day the last one. Equal neighbours are one."""
    days = sorted({day for one in found for day in (one.starts_on, one.ends_on or dt.date.max)})
    merged: list[Followed] = []
    for start, end in pairwise(days):
        covering = [one for one in found if one.starts_on <= start and end <= (one.ends_on or dt.date.max)]
        if not covering:
            continue
        top = replace(covering[-1], starts_on=start, ends_on=None if end == dt.date.max else end)
        if isinstance(top.price.model, Of | Following):
            top = replace(top, price=_refused(of, "follows another price itself"))
        last = merged[-1] if merged else None
        if last is not None and last.ends_on == start and _same(last, top):
            merged[-1] = replace(last, ends_on=top.ends_on)
        else:
            merged.append(top)
    return tuple(merged)


def _same(a: Followed, b: Followed) -> bool:
    return a.price == b.price and (a.origin == b.origin or not isinstance(a.price.model, Ramp))


def _refused(of: Of, why: str) -> Price:
    return Price(
        Unreadable(
            InvalidInput(
                f"The price follows that of {of.sku}, which {why}",
                code="ambiguous_rate",
                remedy="Give the line a price of its own",
            )
        )
    )
