"""Usage from files, block by block, each block one transaction; importing a file again changes nothing."""

from __future__ import annotations

import datetime as dt
import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psycopg
from django.db import connection, transaction

from billing.importers import event_files
from billing.models import UsageBatch
from billing.services import intake, metering
from billing.services.intake import Origin, Outcome, Problem
from o2c import clock
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import InvalidInput

Progress = Callable[[int, int], None]
ROWS = 50_000
Row = Sequence[str | None]


@dataclass(slots=True)
class Imported:
    """What became of a file, summed over its parts; with the first problems."""

    file_name: str
    file_sha256: str
    parts: int = 0
    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    parked: int = 0
    problems: list[Problem] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.parts += 1
        self.received += outcome.received
        self.accepted += outcome.accepted
        self.duplicate += outcome.duplicate
        self.parked += outcome.parked
        self.problems = (self.problems + outcome.problems)[:100]


def import_file(
    path: Path,
    source_code: str,
    *,
    format: str = "",
    actor: Actor,
    as_of: dt.datetime | None = None,
    customer: str = "",
    meter: str = "",
    workers: int = 1,
    progress: Progress | None = None,
    reason: str = "",
) -> Imported:
    """Store a CSV or JSONL file of events; `progress` is told bytes stored and bytes in all.

    `customer` and `meter` stand for columns that a CSV does not have. Blocks are stored by `workers`
    database connections at once. A crash leaves whole blocks stored; the next import of the file goes through
    all of it and stores the rest. Raises InvalidInput when the format or the header cannot be read.
    """
    kind = format or path.suffix.lstrip(".").lower()
    if kind not in ("csv", "jsonl"):
        raise InvalidInput(f"{kind!r} is not a format of usage files", remedy="Use csv or jsonl")
    done = Imported(path.name, event_files.sha256(path))
    source_id = metering.source(source_code, actor=actor).pk
    total, stored = path.stat().st_size, 0
    with path.open("rb") as file:
        stage = _csv_stage(file, path, customer, meter) if kind == "csv" else _Stage(intake.stage_lines)

        def store(numbered: tuple[int, bytes]) -> tuple[int, Outcome]:
            part, block = numbered
            origin = Origin(
                source_id,
                UsageBatch.Channel.FILE,
                file_name=path.name,
                file_sha256=done.file_sha256,
                part=part,
                dimension_names=stage.dimensions,
            )
            all_new = not done.duplicate and not done.parked
            outcome = _store(origin, lambda: stage.fill(block), actor, as_of, reason, all_new=all_new)
            return len(block), outcome

        parts = enumerate(event_files.blocks(file, quoted=kind == "csv"), start=1)
        for size, outcome in _in_order(store, parts, workers):
            done.add(outcome)
            stored += size
            if progress is not None:
                progress(min(stored, total), total)
    return done


def _in_order(
    store: Callable[[tuple[int, bytes]], tuple[int, Outcome]],
    parts: Iterable[tuple[int, bytes]],
    workers: int,
) -> Iterator[tuple[int, Outcome]]:
    """The outcome of every part, in order; with several workers, as many parts at once and one waiting."""
    if workers <= 1:
        yield from map(store, parts)
        return

    def in_thread(numbered: tuple[int, bytes]) -> tuple[int, Outcome]:
        try:
            return store(numbered)
        finally:
            connection.close()  # a thread's connection is its own; nobody else would close it

    with ThreadPoolExecutor(workers) as pool:
        running: deque[Future[tuple[int, Outcome]]] = deque()
        for part in parts:
            running.append(pool.submit(in_thread, part))
            if len(running) > workers:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


@dataclass(frozen=True, slots=True)
class _Stage:
    """How one block is staged."""

    fill: Callable[[bytes], None]
    dimensions: tuple[str, ...] = ()


def _csv_stage(file: io.BufferedReader, path: Path, customer: str, meter: str) -> _Stage:
    given = {name: value for name, value in (("customer", customer), ("meter", meter)) if value}
    line = file.readline().decode("utf-8-sig")
    header = event_files.read_header(line, record=path.name, given=tuple(given))
    width = len(header.columns)

    def fill(block: bytes) -> None:
        block = event_files.with_columns(block, tuple(given.values()))
        try:
            with transaction.atomic():
                intake.stage_csv(block, header.columns)
        except psycopg.DataError:  # some line has too few or too many values: find out which
            good, bad = event_files.split_readable(block, width)
            intake.stage_csv(good, header.columns)
            intake.stage_unreadable(bad)

    return _Stage(fill, header.dimensions)


def import_rows(
    rows: Iterable[Row],
    source_code: str,
    *,
    file_name: str,
    file_sha256: str,
    actor: Actor,
    as_of: dt.datetime | None = None,
    progress: Callable[[int], None] | None = None,
    reason: str = "",
) -> Imported:
    """Store events that an importer made from a foreign file: rows in the order of `intake_sql.STAGED`."""
    done = Imported(file_name, file_sha256)
    source_id = metering.source(source_code, actor=actor).pk
    for part, chunk in enumerate(_chunks(rows, ROWS), start=1):
        origin = Origin(
            source_id, UsageBatch.Channel.FILE, file_name=file_name, file_sha256=file_sha256, part=part
        )
        fill = partial(intake.stage_rows, chunk)
        done.add(_store(origin, fill, actor, as_of, reason, all_new=not done.duplicate))
        if progress is not None:
            progress(done.received)
    return done


def _store(
    origin: Origin,
    fill: Callable[[], None],
    actor: Actor,
    as_of: dt.datetime | None,
    reason: str,
    *,
    all_new: bool,
) -> Outcome:
    now = as_of or clock.now()
    why = reason or f"Import of {origin.file_name}"
    require(actor, metering.INGEST, record=origin.file_name)
    if all_new:
        try:
            with acting(actor, reason=why):
                intake.open_stage()
                fill()
                return intake.store_new(origin, now=now)
        except intake.TakeTheLongWay:
            pass
    with acting(actor, reason=why):
        intake.open_stage()
        fill()
        return intake.store(origin, now=now)


def _chunks(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) >= size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
