"""A contract with ten years of history, 2,000 segments and 120 posted months, calculated once more.

    python -m bench.long_contract

Everything it should have charged is computed anew from its first day, and compared with every charge that
was billed: from the rows of the database to the (empty) list of what is due. Beside it stands the work that
nobody can avoid: the same rows read, and as many multiplications and roundings in the same exact arithmetic.
"""

from __future__ import annotations

import sys
import time
from fractions import Fraction

from bench.database import scratch

ROUNDS = 5


def measure(changes: int = 500) -> tuple[float, float, int]:
    """Seconds of the calculation and of the bare work, each the best of ROUNDS, and the number of charges."""
    from billing.models import Charge
    from billing.services import rating
    from o2c.actor import acting
    from o2c.money import quantize
    from orders.models import Segment
    from tests.billing.recalculation import histories
    from tests.factories.billing import billing_team, books
    from tests.factories.long_contract import END, billed
    from tests.factories.orders import make_customer

    team = billing_team()
    books(team)
    with acting(team.orders, reason="bench"):
        order, charges = billed(histories.make_world(make_customer(team.orders)), changes)
    engine = bare = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        assert rating.due([order], END) == {order: []}
        engine = min(engine, time.perf_counter() - began)
        began = time.perf_counter()
        list(Segment.objects.filter(line__order=order).values_list())
        list(Charge.objects.filter(line__order=order).values_list())
        for n in range(charges):
            quantize(Fraction(30) * (1 + n % 40) * Fraction(7, 31), "USD")
        bare = min(bare, time.perf_counter() - began)
    return engine, bare, charges


def main(arguments: list[str]) -> None:
    changes = int(arguments[0]) if arguments else 500
    with scratch("bench_long_contract"):
        engine, bare, charges = measure(changes)
    print(f"{f'ten years, {4 * changes:,} segments, {charges:,} charges':<46} {engine:7.3f} s")
    print(f"{'  the rows read, multiplied and rounded':<46} {bare:7.3f} s   ratio {engine / bare:.1f}")


if __name__ == "__main__":
    main(sys.argv[1:])
