"""Entitlements as a function of the timeline, and the difference to what exists."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from orders.domain.timeline import Span, ordered


@dataclass(frozen=True, slots=True)
class Grant:
    """A quantity that may be used on [starts_on, ends_on)."""

    starts_on: dt.date
    ends_on: dt.date | None
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class GrantDifference:
    """What must happen so that existing grants become the expected ones; keys are of existing rows."""

    create: tuple[Grant, ...]
    change: tuple[tuple[int, Grant], ...]
    revoke: tuple[int, ...]


def expected(spans: Iterable[Span]) -> tuple[Grant, ...]:
    """The grants that a line gives: neighbouring spans of equal quantity are one, a quantity of zero, or a
    pause, is none.

    A change of price alone does not touch what the customer may use.
    """
    grants: list[Grant] = []
    for span in ordered(spans):
        if span.quantity == 0 or span.paused:
            continue
        last = grants[-1] if grants else None
        if last is not None and last.ends_on == span.starts_on and last.quantity == span.quantity:
            grants[-1] = Grant(last.starts_on, span.ends_on, span.quantity)
        else:
            grants.append(Grant(span.starts_on, span.ends_on, span.quantity))
    return tuple(grants)


def difference(
    wanted: Iterable[Grant], existing: Mapping[int, Grant], revoked: Mapping[dt.date, int]
) -> GrantDifference:
    """Expected minus existing, matched by the day on which a grant starts.

    `existing` are rows that grant something or are about to, `revoked` those that no longer do, by their
    start: a grant that returns on the same day takes its old row up again. Empty when both sides agree.
    """
    by_start = {grant.starts_on: (key, grant) for key, grant in existing.items()}
    create: list[Grant] = []
    change: list[tuple[int, Grant]] = []
    for grant in wanted:
        found = by_start.pop(grant.starts_on, None)
        if found is not None:
            if found[1] != grant:
                change.append((found[0], grant))
        elif grant.starts_on in revoked:
            change.append((revoked[grant.starts_on], grant))
        else:
            create.append(grant)
    return GrantDifference(tuple(create), tuple(change), tuple(sorted(key for key, _ in by_start.values())))
