"""Ingesting usage from a file, and through the API, against COPY into a table with the same unique key.

    python -m bench.ingestion [events in the file] [events through the API]

The file goes through `billing.services.files.import_file`: matched to order lines, deduplicated, stored with
both indexes, totalled by the hour, counted. The bare table has the same columns as the file, typed, and a
unique key on (source, event id). The API is compared with a bare view (`bench.bare_view`) under the same two
web workers: no middleware, no authentication, JSON read, rows copied.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import usage_data, web
from bench.database import scratch

BARE = """
DROP TABLE IF EXISTS bare_usage;
CREATE TABLE bare_usage (
    source_id smallint NOT NULL DEFAULT 1, event_id text NOT NULL, customer text NOT NULL,
    meter text NOT NULL, occurred_at timestamptz NOT NULL, quantity numeric(28,9) NOT NULL,
    model text, kind text,
    UNIQUE (source_id, event_id)
);
GRANT ALL ON bare_usage TO o2c_app
"""
COLUMNS = "event_id, customer, meter, occurred_at, quantity, model, kind"
COPY = f"COPY bare_usage ({COLUMNS}) FROM STDIN (FORMAT csv, HEADER)"

WORKERS = 2
WARM = 10
PATH = "/api/v1/usage/events"


def as_owner(statement: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")
        cursor.execute(statement)
        cursor.execute("SET ROLE o2c_app")


def copy_bare(path: Path) -> float:
    """Seconds of COPY of the file into the bare table."""
    from django.db import connection

    as_owner(BARE)
    started = time.perf_counter()
    with connection.cursor() as cursor, cursor.copy(COPY) as copy, path.open("rb") as file:
        while block := file.read(1 << 18):
            copy.write(block)
    return time.perf_counter() - started


def import_file(path: Path, actor: Any, workers: int) -> tuple[float, Any]:
    """Seconds and outcome of the product's import of the file."""
    from billing.services import files

    started = time.perf_counter()
    outcome = files.import_file(path, "bench", actor=actor, workers=workers)
    return time.perf_counter() - started, outcome


def report(what: str, seconds: float, count: int, against: float = 0) -> None:
    ratio = f"  {seconds / against:5.2f} x COPY" if against else ""
    print(f"{what:<46} {seconds:7.2f} s {count / seconds:11,.0f} events a second{ratio}", flush=True)


def measure_file(count: int, actor: Any, numbers: list[str], directory: Path) -> None:
    path = directory / "usage.csv"
    usage_data.write_csv(path, usage_data.events(numbers, count))
    bare = copy_bare(path)
    report("COPY into a table with the same unique key", bare, count)
    seconds, outcome = import_file(path, actor, WORKERS)
    assert (outcome.accepted, outcome.parked) == (count, 0), outcome
    report(f"file of {count:,} events", seconds, count, bare)
    again, outcome = import_file(path, actor, WORKERS)
    assert (outcome.duplicate, outcome.accepted) == (count, 0), outcome
    report("the same file again: nothing changes", again, count, bare)


def measure_api(count: int, numbers: list[str], database: str) -> None:
    """Batches of 1,000 through two web workers; the first few are not measured."""
    bodies = usage_data.bodies(usage_data.events(numbers, count, seed=1))
    as_owner(BARE)
    with web.served("bench.bare_view:application", database, "bench.bare_settings") as port:
        web.post_all(port, "/events", bodies[:WARM], {})
        bare = web.post_all(port, "/events", bodies[WARM:], {})
    measured = count - WARM * 1000
    report("bare view that copies batches of 1,000", bare, measured)
    headers = {"Authorization": f"Bearer {usage_data.token()}"}
    with web.served("o2c.wsgi:application", database, "o2c.settings") as port:
        web.post_all(port, PATH, bodies[:WARM], headers)
        seconds = web.post_all(port, PATH, bodies[WARM:], headers)
        report("API, batches of 1,000", seconds, measured)
        print(f"{'':<46} {bare / seconds:.2f} of the bare view")


def main(arguments: list[str]) -> None:
    in_file = int(arguments[0]) if arguments else 1_000_000
    by_api = int(arguments[1]) if len(arguments) > 1 else 200_000
    with scratch("bench_ingestion"), tempfile.TemporaryDirectory() as directory:
        actor, numbers = usage_data.lay_out()
        as_owner("ANALYZE")
        if in_file:
            measure_file(in_file, actor, numbers, Path(directory))
        if by_api:
            measure_api(by_api, numbers, "bench_ingestion")


if __name__ == "__main__":
    main(sys.argv[1:])
