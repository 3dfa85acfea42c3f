"""The nightly comparison: every open contract is rated again and nothing is drafted.

What was billed is set against what both calculators expect now, over all billed periods and all single
events. A difference is recorded until it is gone: corrected by a bill run, or because its cause was undone.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.models import Divergence
from billing.recalculation import calculator
from billing.services import rating
from o2c import locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import DomainError
from orders.models import Order

CHUNK = 500
ZERO = Decimal(0)
Key = tuple[int, int, str, dt.date]


@dataclass(slots=True)
class Outcome:
    """How many contracts were compared, and how many of their billed periods diverge now."""

    contracts: int = 0
    diverging: int = 0
    cleared: int = 0


@dataclass(slots=True)
class _Seen:
    currency: str = ""
    billed: Decimal = ZERO
    expected: Decimal | None = None
    recalculated: Decimal | None = None
    problem: str = ""


def rerate(*, as_of: dt.date, actor: Actor, reason: str = "", chunk: int = CHUNK) -> Outcome:
    """Compare all open contracts as of a date; chunk by chunk, each its own transaction.

    Periods are compared as a run through `as_of` would: what was billed, ahead of the date or not.
    """
    orders = Order.objects.filter(activated_on__isnull=False)
    open_ = orders.filter(state=Order.State.ACTIVE) | orders.filter(
        lines__divergences__cleared_on__isnull=True, lines__divergences__isnull=False
    )
    ids = sorted(set(open_.values_list("pk", flat=True)))
    outcome = Outcome(contracts=len(ids))
    for start in range(0, len(ids), chunk):
        with acting(actor, reason=reason or "Compare billed periods with today's rating"):
            require(actor, "billing.contract.compare")
            _compare(ids[start : start + chunk], as_of, outcome)
    return outcome


def _compare(order_ids: Sequence[int], as_of: dt.date, outcome: Outcome) -> None:
    seen = _by_engine(order_ids, as_of)
    _by_sql(order_ids, as_of, seen)
    known = {
        (row.line_id, row.segment_id, row.kind, row.period_from): row
        for row in locks.rows(Divergence, _open(order_ids))
    }
    fresh = []
    for key, found in seen.items():
        row = known.pop(key, None) or Divergence(
            line_id=key[0], segment_id=key[1], kind=key[2], period_from=key[3],
            currency=found.currency, first_seen_on=as_of,
        )  # fmt: skip
        row.billed, row.expected, row.recalculated = found.billed, found.expected, found.recalculated
        row.problem, row.seen_on = found.problem[:500], as_of
        fresh.append(row)
    Divergence.objects.bulk_create([row for row in fresh if row.pk is None])
    columns = ["billed", "expected", "recalculated", "problem", "seen_on"]
    Divergence.objects.bulk_update([row for row in fresh if row.pk is not None], columns)
    gone = [row.pk for row in known.values()]
    outcome.cleared += Divergence.objects.filter(pk__in=gone).update(cleared_on=as_of)
    outcome.diverging += len(fresh)


def _open(order_ids: Iterable[int]) -> list[int]:
    rows = Divergence.objects.filter(line__order__in=order_ids, cleared_on__isnull=True)
    return list(rows.values_list("pk", flat=True))


def _by_engine(order_ids: Sequence[int], as_of: dt.date) -> dict[Key, _Seen]:
    """Corrections that a run would draft, by key; of an order that cannot be charged, all it has billed."""
    seen: dict[Key, _Seen] = defaultdict(_Seen)
    billed = rating.load_billed(order_ids)
    for pk, result in rating.due(order_ids, as_of).items():
        if isinstance(result, DomainError):
            for row in billed.get(pk, ()):
                found = seen[row.key]
                found.currency, found.problem = row.currency, str(result)
                found.billed += row.amount
            continue
        for line in result:
            if line.revision:
                key = (line.line, line.segment, str(line.kind), line.period_from)
                expected = line.expected.amount if line.expected else ZERO
                seen[key] = _Seen(line.currency, line.billed_before, expected, line.billed_before)
    return seen


def _by_sql(order_ids: Sequence[int], as_of: dt.date, seen: dict[Key, _Seen]) -> None:
    """Add the second calculator's figures. What only it finds is billed rightly in the engine's eyes."""
    diverging, unknown = calculator.diverging(order_ids, as_of)
    for line, segment, kind, period, currency, billed, expected in diverging:
        key = (line, segment, kind, period)
        row = seen[key]
        row.recalculated = expected
        if not row.currency:
            row.currency, row.billed, row.expected = currency, billed, billed
    for key, row in seen.items():
        if key[0] in unknown:
            row.recalculated = None
        if row.problem:
            row.expected = None
        elif row.recalculated is None:
            row.problem = "The second calculator does not know a clause of this line"
        elif row.expected != row.recalculated:
            row.problem = "The two calculators differ: a bill run would be blocked"
