"""Which credit pays which usage: a pure function of grants, of what was drawn, and of what usage comes to.

The order of consumption, for every part of a usage charge: the grants that cover its line and all of its
days, and have something left, by

1. priority, the lower number first;
2. expiry, the earliest first, without expiry last;
3. cost basis (paid per unit of credit), the lowest first, so promotional before paid;
4. age: the earliest start, then the oldest grant.

Money comes after credit. A correction goes backwards: what was paid in money is credited first, then the
grants are restored, the last one drawn first. Restorations of all corrections come before all new draws, and
parts draw by their days, then by line: the order in which they are given is irrelevant.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from o2c.money import quantize

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Grant:
    """Credit of `granted` bought for `paid`, of which `left` remains, on [starts_on, ends_on).

    `lines` are the usage lines that it may pay for.
    """

    id: int
    granted: Decimal
    left: Decimal
    starts_on: dt.date
    ends_on: dt.date | None = None
    paid: Decimal = ZERO
    priority: int = 100
    lines: frozenset[int] = frozenset()

    @property
    def cost_basis(self) -> Fraction:
        """Paid per unit of credit: 9,000.00 for 10,000.00 is 9/10, promotional is 0."""
        return Fraction(self.paid) / Fraction(self.granted) if self.granted else Fraction(0)

    def covers(self, part: Part) -> bool:
        """Whether it may pay for this part: its line, and every day of it."""
        within = self.starts_on <= part.starts and (self.ends_on is None or part.ends <= self.ends_on)
        return part.line in self.lines and within


def first(grant: Grant) -> tuple[int, dt.date, Fraction, dt.date, int]:
    """What is consumed first: the sort key that the module's rule states."""
    return (grant.priority, grant.ends_on or dt.date.max, grant.cost_basis, grant.starts_on, grant.id)


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of days of one usage charge: what it was billed at `before`, and what it comes to `now`.

    `key` names the charge; parts of it differ by `starts`. `caps` are (grant, the most that it may hold of
    this part), for grants that pay only some of the usage in it.
    """

    key: Hashable
    line: int
    starts: dt.date
    ends: dt.date
    before: Decimal
    now: Decimal
    caps: tuple[tuple[int, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """What an earlier draw still holds: its amount less what was restored of it. `id` grows with time."""

    id: int
    grant: int
    key: Hashable
    starts: dt.date
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Allocation:
    """Drawn (positive) from a grant for a part, or restored (negative) to it; `reverses` names the draw."""

    grant: int
    key: Hashable
    line: int
    starts: dt.date
    ends: dt.date
    amount: Decimal
    reverses: int | None = None


def allocate(grants: Iterable[Grant], parts: Iterable[Part], drawn: Sequence[Drawn] = ()) -> list[Allocation]:
    """What to draw for parts that grew, and to restore for parts that shrank below what was drawn for them.

    Grants A (600.00, priority 1) and B (600.00): a part of 1,000.00 takes 600.00 of A and 400.00 of B. When
    it is corrected to 500.00, B gets 400.00 back and A 100.00.
    """
    held: dict[tuple[Hashable, dt.date], list[Drawn]] = defaultdict(list)
    for one in sorted(drawn, key=lambda d: d.id, reverse=True):
        held[one.key, one.starts].append(one)
    ordered = sorted(parts, key=lambda p: (p.starts, p.ends, p.line, str(p.key)))
    by_rule = sorted(grants, key=first)
    left = {grant.id: grant.left for grant in by_rule}
    found: list[Allocation] = []
    for part in ordered:
        for back in _restored(part, held.get((part.key, part.starts), ())):
            left[back.grant] = left.get(back.grant, ZERO) - back.amount
            found.append(back)
    holds: dict[tuple[int, Hashable, dt.date], Decimal] = defaultdict(Decimal)
    for one in (*drawn, *(Drawn(0, a.grant, a.key, a.starts, a.amount) for a in found)):
        holds[one.grant, one.key, one.starts] += one.amount
    for part in ordered:
        found += _taken(part, by_rule, left, holds)
    return found


def _restored(part: Part, held: Sequence[Drawn]) -> Iterable[Allocation]:
    """The last draw first, as far as the part no longer needs what was drawn for it."""
    surplus = sum((one.amount for one in held), ZERO) - max(part.now, ZERO)
    for one in held:
        back = min(surplus, one.amount)
        if back <= 0:
            return
        surplus -= back
        yield Allocation(one.grant, part.key, part.line, part.starts, part.ends, -back, one.id)


def _taken(
    part: Part,
    by_rule: Sequence[Grant],
    left: dict[int, Decimal],
    holds: Mapping[tuple[int, Hashable, dt.date], Decimal],
) -> Iterable[Allocation]:
    """For what the part grew by; what was billed in money before stays in money."""
    wanted = part.now - max(part.before, ZERO)
    caps = dict(part.caps)
    for grant in by_rule:
        if wanted <= 0:
            return
        take = min(wanted, left[grant.id])
        if grant.id in caps:
            take = min(take, caps[grant.id] - holds.get((grant.id, part.key, part.starts), ZERO))
        if take > 0 and grant.covers(part):
            left[grant.id] -= take
            wanted -= take
            yield Allocation(grant.id, part.key, part.line, part.starts, part.ends, take)


@dataclass(frozen=True, slots=True)
class Ending:
    """What becomes of the rest of a grant at its end: carried over to a new grant, or gone."""

    rolled_over: Decimal
    expired: Decimal


def ending(left: Decimal, percent: Decimal, limit: Decimal | None, currency: str) -> Ending:
    """Roll over `percent` of what is left, at most `limit`; the rest expires.

    800.00 left, half of it carried over, at most 300.00: 300.00 and 500.00.
    """
    carried = quantize(Fraction(left) * Fraction(percent) / 100, currency)  # rounding: once, at the end
    if limit is not None:
        carried = min(carried, limit)
    return Ending(carried, left - carried)


def worth(granted: Decimal, paid: Decimal, used: Decimal, currency: str) -> Decimal:
    """What was paid for the first `used` units of credit, cumulative: the whole price once all is used.

    9,000.00 for 10,000.00: 1,000.00 used are worth 900.00.
    """
    if not granted:
        return ZERO
    # rounding: cumulative, so that every prefix ties
    return quantize(Fraction(paid) * Fraction(used) / Fraction(granted), currency)


def net(allocations: Iterable[Allocation]) -> Mapping[Hashable, Decimal]:
    """Drawn less restored, by charge."""
    sums: dict[Hashable, Decimal] = defaultdict(Decimal)
    for one in allocations:
        sums[one.key] += one.amount
    return sums
