"""What trustworthy history costs: sealed writes against unsealed ones, verification, an audit pack.

    python -m bench.audit [writes] [items]

Unsealed is the product as it was made, with history but without leaves: its trigger functions lose the part
that writes them. The time of sealed writes includes the sealer's. The pack is of C-05b: all documents of a
month, with re-performance over all of them and the evidence of 25.
"""

from __future__ import annotations

import datetime as dt
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.bill_run import Figure
from bench.database import scratch

ROUNDS = 3
# Rows were written without leaves by a trigger that was replaced for it; tests switch guards off.
EXPECTED = {"anchor-missing", "sealer-stopped", "inserted", "guard-differs", "guard-touched"}
LEAF = re.compile(
    r"WITH written AS \((INSERT INTO .*?) RETURNING \*\) INSERT INTO audit_leaf .*? FROM written w;"
)
ONE = """
INSERT INTO ledger_exchangerate (from_currency, to_currency, valid_on, rate, source)
VALUES ('EUR', 'USD', date '1900-01-01' + %s, 1.1, 'bench')
"""
MANY = """
INSERT INTO ledger_exchangerate (from_currency, to_currency, valid_on, rate, source)
SELECT 'GBP', 'USD', date '1900-01-01' + n, 1.1, 'bench' FROM generate_series(%s, %s) n
"""


@contextmanager
def unsealed(table: str) -> Iterator[None]:
    """The history trigger of a table without its leaves."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef(%s::regproc)", [f"o2c_history_{table}"])
        whole = cursor.fetchone()[0]
        without, count = LEAF.subn(r"\1;", whole)
        assert count == 3, whole
        cursor.execute("SET ROLE NONE")
        cursor.execute(without)
        cursor.execute("SET ROLE o2c_app")
        yield
        cursor.execute("SET ROLE NONE")
        cursor.execute(whole)
        cursor.execute("SET ROLE o2c_app")


def one_by_one(first: int, count: int) -> None:
    """As many transactions as rows."""
    from django.db import connection

    from o2c.actor import Actor, acting

    for number in range(first, first + count):
        with acting(Actor.installer(), reason="bench"), connection.cursor() as cursor:
            cursor.execute(ONE, [number])


def at_once(first: int, count: int) -> None:
    """One statement."""
    from django.db import connection

    from o2c.actor import Actor, acting

    with acting(Actor.installer(), reason="bench"), connection.cursor() as cursor:
        cursor.execute(MANY, [first, first + count - 1])


def timed(write: Callable[[int, int], None], first: int, count: int) -> float:
    """Seconds of the writes and of sealing them."""
    from o2c.access.system import system_actor
    from o2c.audit.services import sealing

    started = time.perf_counter()
    write(first, count)
    sealing.seal(actor=system_actor())
    return time.perf_counter() - started


def compare(write: Callable[[int, int], None], count: int) -> tuple[float, float]:
    """Seconds sealed and unsealed, in turns, the best of each: noise only ever adds."""
    write(0, 10)
    first, sealed, bare = 10, [], []
    for _ in range(ROUNDS):
        sealed.append(timed(write, first, count))
        with unsealed("ledger_exchangerate"):
            bare.append(timed(write, first + count, count))
        first += 2 * count
    return min(sealed), min(bare)


def measure_pack(items: int, place: Path) -> Figure:
    """A pack of a population of `items` documents."""
    from bench.bill_run import lay_out
    from billing.services import runs
    from o2c import clock
    from o2c.evidence.pack import pack
    from o2c.evidence.registry import control

    run, team = lay_out(items, 2)
    runs.post(run.pk, actor=team.ops)
    today = clock.today()
    started = time.perf_counter()
    made = pack(
        control("C-05b"), start=today, end=today + dt.timedelta(days=1), count=25, seed="42", place=place
    )
    seconds = time.perf_counter() - started
    assert (made.population, made.exceptions) == (items, 0), made
    return Figure(f"audit pack, population of {items:,}, sample of {made.sample}", seconds, items)


def measure_verification() -> Figure:
    """The verifier over everything that was written; without anchors, which cost nothing."""
    from django.conf import settings

    from o2c.audit import keys
    from o2c.audit.verification import verify_here

    keys.make(Path(settings.ANCHOR_KEY_FILE))
    started = time.perf_counter()
    report = verify_here(places=[])
    # 'inserted': the rows that were written without leaves, to compare with.
    assert {f.name for f in report.findings} <= EXPECTED, report.findings
    return Figure("verified, row by row", time.perf_counter() - started, report.leaves)


def main(arguments: list[str]) -> None:
    writes, items = (int(value) for value in (*arguments, *("2000", "10000")[len(arguments) :]))
    with scratch("bench_audit"):
        for what, write, count in (
            ("one a transaction", one_by_one, writes),
            ("in one statement", at_once, writes * 10),
        ):
            sealed, bare = compare(write, count)
            print(Figure(f"{count:,} rows {what}, sealed", sealed, count))
            print(Figure(f"{count:,} rows {what}, unsealed", bare, count))
            print(f"sealed writes have {bare / sealed:.0%} of the throughput of unsealed ones")
        with tempfile.TemporaryDirectory() as place:
            print(measure_pack(items, Path(place)))
        print(measure_verification())


if __name__ == "__main__":
    main(sys.argv[1:])
