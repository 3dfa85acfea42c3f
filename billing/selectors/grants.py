"""Grants as the allocation takes them: which lines they cover, what was drawn, how charges were cut."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.domain import grants as domain
from billing.domain.types import Charge as Charged
from billing.domain.types import Key
from billing.models import Charge, Grant, GrantEntry
from orders.models import OrderLine

Account = tuple[int, int, str]
"""(customer, entity, currency): whose grants pay whose usage."""

USE = ("drawn", "restored")


@dataclass(frozen=True, slots=True)
class UsageLine:
    """A usage line and what a grant's scope can name."""

    id: int
    order: int
    account: Account
    sku: str
    product: str
    meter: str


LINE_COLUMNS = (
    "id",
    "order_id",
    "order__customer_id",
    "order__entity_id",
    "order__currency",
    "sku__code",
    "sku__product__code",
    "sku__meter__code",
)


def usage_lines(customers: Collection[int]) -> list[UsageLine]:
    """Usage lines of every order of these customers that was ever activated. One statement."""
    rows = OrderLine.objects.filter(
        order__customer_id__in=customers, order__activated_on__isnull=False, sku__kind="usage"
    ).order_by("order_id", "position")
    return [
        UsageLine(pk, order, (customer, entity, currency), sku, product, meter or "")
        for pk, order, customer, entity, currency, sku, product, meter in rows.values_list(*LINE_COLUMNS)
    ]


def in_scope(grant: Grant, line: UsageLine) -> bool:
    """Whether the grant may pay for usage of this line at all."""
    if (grant.customer_id, grant.entity_id, grant.currency) != line.account:
        return False
    if grant.order_id is not None and grant.order_id != line.order:
        return False
    named = ((grant.scope.get(name), value) for name, value in _values(line))
    return all(not wanted or value in wanted for wanted, value in named)


def _values(line: UsageLine) -> Iterable[tuple[str, str]]:
    return (("skus", line.sku), ("products", line.product), ("meters", line.meter))


def as_domain(rows: Iterable[Grant], lines: Sequence[UsageLine]) -> list[domain.Grant]:
    """The grants, each with the lines that it may pay for."""
    return [
        domain.Grant(
            id=row.pk,
            granted=row.granted,
            left=row.remaining,
            starts_on=row.starts_on,
            ends_on=row.ends_on,
            paid=row.paid,
            priority=row.priority,
            lines=frozenset(line.id for line in lines if in_scope(row, line)),
        )
        for row in rows
    ]


def caps(rows: Iterable[Grant], charge: Charged | None) -> list[tuple[int, Fraction]]:
    """(grant, share of the charge that it may pay) for the grants that are limited to some dimensions.

    The share is that of the priced steps with these values; nothing of a price that doesn't go by dimensions.
    """
    limited = [(row.pk, row.scope["dimensions"]) for row in rows if row.scope.get("dimensions")]
    return [(pk, _share(wanted, charge)) for pk, wanted in limited]


def _share(wanted: Mapping[str, Sequence[str]], charge: Charged | None) -> Fraction:
    working = charge.working if charge is not None else None
    steps = [(step, piece.share) for piece in working.pieces for step in piece.rated.steps] if working else []
    total = matching = Fraction(0)
    for step, share in steps:
        values = dict(step.dimensions)
        total += step.amount * share
        if all(values.get(name) in among for name, among in wanted.items()):
            matching += step.amount * share
    return matching / total if total else Fraction(0)


def cost_basis(grant: Grant) -> Fraction:
    """Paid per unit of credit, exact."""
    return Fraction(grant.paid) / Fraction(grant.granted)


def key_text(line: int, segment: int, period_from: dt.date) -> str:
    """The usage charge that a draw belongs to, as one value."""
    return f"{line}/{segment}/{period_from}"


def drawn(grants: Collection[int]) -> list[domain.Drawn]:
    """Draws of these grants that were not given back whole, less what was. One statement."""
    entries = GrantEntry.objects.filter(grant__in=grants, kind__in=USE).order_by("pk")
    held: dict[int, list[Any]] = {}
    columns = ("pk", "grant_id", "line_id", "segment_id", "period_from", "part_from", "amount", "reverses_id")
    for pk, grant, line, segment, period_from, part_from, amount, reverses in entries.values_list(*columns):
        if reverses is None:
            held[pk] = [grant, key_text(line, segment, period_from), part_from, -amount]
        else:
            held[reverses][3] -= amount
    return [domain.Drawn(pk, *values) for pk, values in held.items() if values[3]]


@dataclass(slots=True)
class History:
    """What was billed of usage charges: amounts by part, and what was waived of each part."""

    parts: dict[Key, dict[dt.date, Decimal]] = field(default_factory=lambda: defaultdict(dict))
    ends: dict[Key, dict[dt.date, dt.date]] = field(default_factory=lambda: defaultdict(dict))
    unrecorded: dict[Key, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    waived: dict[Key, dict[dt.date, Decimal]] = field(default_factory=lambda: defaultdict(dict))
    covers: dict[tuple[Key, str], tuple[int, int]] = field(default_factory=dict)
    due: dict[int, dt.date] = field(default_factory=dict)
    covered_to: dict[Key, dt.date] = field(default_factory=dict)

    def recorded(self) -> Mapping[Key, Sequence[tuple[dt.date, dt.date]]]:
        """The cuts with which each charge was billed."""
        return {key: sorted(ends.items()) for key, ends in self.ends.items()}


def history(lines: Collection[int]) -> History:
    """What was billed of these usage lines, with the cuts. One statement."""
    found = History()
    rows = Charge.objects.filter(line__in=lines, kind__in=[Charge.Kind.USAGE, *Charge.COVERS]).order_by("pk")
    traces: dict[int, list[list[str]] | None] = {}
    columns = (
        "pk", "line_id", "segment_id", "kind", "period_from", "covers_to", "due_on", "revision",
        "corrects_id", "amount", "trace__parts", "trace__void_of",
    )  # fmt: skip
    for (
        pk,
        line,
        segment,
        kind,
        start,
        covers_to,
        due_on,
        revision,
        corrects,
        amount,
        cut,
        void_of,
    ) in rows.values_list(*columns):
        key: Key = (line, segment, "usage", start)
        sign = 1
        if void_of is not None:
            cut, sign = traces.get(void_of), -1
        traces[pk] = cut
        if kind != Charge.Kind.USAGE:
            found.covers[key, kind] = (revision, corrects or pk)
            if kind == Charge.Kind.WAIVER:
                _add(found.waived[key], found.ends[key], cut or [], sign)
            continue
        found.due[line] = max(found.due.get(line, due_on), due_on)
        found.covered_to[key] = covers_to
        if cut is None:
            found.unrecorded[key] += amount
        else:
            _add(found.parts[key], found.ends[key], cut, sign)
    return found


def _add(
    sums: dict[dt.date, Decimal], ends: dict[dt.date, dt.date], cut: Sequence[Sequence[str]], sign: int
) -> None:
    for start, end, amount in cut:
        first = dt.date.fromisoformat(start)
        sums[first] = sums.get(first, Decimal(0)) + sign * Decimal(amount)
        ends[first] = dt.date.fromisoformat(end)
