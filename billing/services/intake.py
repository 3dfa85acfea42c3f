"""Storing staged usage: matched, deduplicated, totalled and counted in one transaction.

Every way in (API, file, importer, retry) fills `usage_stage` and calls `store`. What it returns and stores as
the batch obeys received = accepted + duplicate + parked.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import psycopg
from django.db import DataError, IntegrityError, connection, transaction
from psycopg.errors import UniqueViolation

from billing.services import intake_sql as sql
from billing.services.dimensions import resolve
from o2c.errors import InvalidInput, Malformed

MESSAGES = {
    "malformed": "It needs an id, a time with date, a quantity with at most nine decimals, and dimensions"
    " that the meter declares",
    "unknown_meter": "No meter has this code: define it, or correct the event",
    "unknown_customer": "No customer has this number: create it, or correct the event",
    "unmatched": "No active order line of the customer is metered by it at that time: activate the order,"
    " then retry",
    "ambiguous": "Several order lines of the customer are metered by it at that time: give the events the"
    " usage key of the line",
    "future": "It lies more than five minutes in the future: retry later, or correct the clock that sent it",
    "late": "Its day was billed and the contract asks for a review of late usage: accept or reject it",
    "conflict": "An event with this id and other content is stored: the first one counts",
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a batch comes from. `dimension_names` are those of the stage's columns d1, d2 and so on."""

    source_id: int
    channel: str
    file_name: str = ""
    file_sha256: str = ""
    part: int = 1
    request_id: str = ""
    dimension_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """One event that was parked: its place in the batch (from 1), and why."""

    n: int
    kind: str
    event_id: str

    @property
    def message(self) -> str:
        return MESSAGES[self.kind]


@dataclass(slots=True)
class Outcome:
    """What became of a batch. `problems` names the first thousand parked events."""

    batch: int
    received: int
    accepted: int
    duplicate: int
    parked: int
    problems: list[Problem] = field(default_factory=list)


def open_stage() -> None:
    """Make sure that the session has its staging tables, empty. Call it inside a transaction."""
    raw: Any = connection.connection
    if not getattr(raw, "o2c_usage_stage", False):
        _run(sql.TABLES)
        transaction.on_commit(lambda: setattr(raw, "o2c_usage_stage", True))
    _run(sql.EMPTY)


class TakeTheLongWay(Exception):
    """Not an error: the short way does not fit. The transaction is lost; begin again without it."""


NOT_THAT_SHAPE = "22023"  # json_to_recordset met something that is no list of objects
SHAPE = 'Send {"source": "...", "events": [{"id": "...", ...}, ...]}'
# The usual beginning of a body. What follows is the list of events, or the body is read the long way.
BEGINNING = re.compile(r'\s*\{\s*"source"\s*:\s*"([^"\\]{1,60})"\s*,\s*"events"\s*:\s*(?=\[)')


def stage_usual(body: str) -> str:
    """Stage `{"source": ..., "events": [...]}` with nothing else in it; answers the source.

    Raises TakeTheLongWay for anything else.
    """
    begun, end = BEGINNING.match(body), body.rstrip()
    if not begun or not end.endswith("}"):
        raise TakeTheLongWay
    raw: Any = connection.connection
    try:
        # Bound by the server: a text of this size is not to be quoted here and read as SQL there.
        psycopg.Cursor(raw).execute(sql.FROM_LIST, {"events": end[begun.end() : -1]})
    except psycopg.DataError as error:
        raise TakeTheLongWay from error
    return begun.group(1)


def stage_json(body: str) -> str:
    """Stage `{"source": ..., "events": [...], ...}`; answers the source named there, or "".

    Raises Malformed when it is no JSON, InvalidInput when it is JSON of another shape.
    """
    try:
        source, _, kind = _row(sql.FROM_JSON, {"body": body})
    except DataError as error:
        if getattr(error.__cause__, "sqlstate", "") != NOT_THAT_SHAPE:
            first = str(error).splitlines()[0]
            raise Malformed(f"The body is no JSON that we accept: {first}", remedy=SHAPE) from error
        raise InvalidInput("Each of the events must be a JSON object", remedy=SHAPE) from error
    if kind != "array":
        raise InvalidInput("The body has no list of events", remedy=SHAPE)
    return source or ""


def stage_rows(rows: Iterable[Sequence[str | None]]) -> None:
    """Stage rows of texts in the order of `intake_sql.STAGED`, by COPY."""
    with connection.cursor() as cursor, cursor.copy(COPY_ROWS) as copy:
        for row in rows:
            copy.write_row(row)


def stage_csv(block: bytes, columns: Sequence[str]) -> None:
    """Stage lines of CSV as they are; `columns` names what stands in them, in their order."""
    names = ", ".join(columns)
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY usage_stage ({names}) FROM STDIN (FORMAT csv)") as copy,
    ):
        copy.write(block)


def stage_lines(block: bytes) -> None:
    """Stage lines of JSON objects as they are."""
    _run(sql.LINES)
    with connection.cursor() as cursor, cursor.copy(COPY_LINES) as copy:
        copy.write(block)
    _run("ANALYZE usage_lines")
    _run(sql.FROM_LINES)


def stage_unreadable(lines: Sequence[str]) -> None:
    """Stage lines that are no events at all, to be parked as they are."""
    with connection.cursor() as cursor, cursor.copy("COPY usage_stage (line) FROM STDIN") as copy:
        for line in lines:
            copy.write_row([line[:2000].replace("\0", "")])


def stage_exceptions(ids: Sequence[int]) -> None:
    """Stage parked events again; their place in the batch is the id of the exception."""
    _run(sql.FROM_EXCEPTIONS, {"ids": list(ids)})


def store(
    origin: Origin,
    *,
    now: dt.datetime,
    accept_late: bool = False,
    park: bool = True,
    limit: int | None = None,
) -> Outcome:
    """Store what is staged as one batch: what is new and right; park what is wrong, count what is known.

    `now` is when it was received: events after it (by more than five minutes) are parked as future. With
    `accept_late`, a contract's wish to review late usage counts as fulfilled. Without `park`, refused events
    are only reported: they are in the queue already. Raises InvalidInput for more than `limit` events.
    """
    values = _values(origin, now, accept_late)
    received, accepted, refused = _row(sql.CAREFUL, values)
    _refuse_above(limit, received)
    problems: list[Problem] = []
    parked = 0
    if refused:
        _run(sql.REPEATS)
        problems = [Problem(*row) for row in _rows(sql.REFUSALS)]
        if park:
            parked = int(_row(sql.PARK, values | {"messages": json.dumps(MESSAGES)})[0])
        else:
            parked = int(_row("SELECT count(*) FROM usage_refused WHERE kind <> 'duplicate'")[0])
    outcome = Outcome(values["batch"], received, accepted, received - accepted - parked, parked, problems)
    counts = "%(received)s, %(accepted)s, %(duplicate)s, %(parked)s"
    _run(f"{sql.WRITE_BATCH}, {counts}", values | asdict(outcome))
    return outcome


def store_new(origin: Origin, *, now: dt.datetime, limit: int | None = None) -> Outcome:
    """Store what is staged as one batch, supposing that every event is new and right: half the work.

    Raises TakeTheLongWay when one is not.
    """
    values = _values(origin, now, accept_late=False)
    try:
        received, stored = _fast(values)
    except DataError as error:
        raise TakeTheLongWay from error
    except IntegrityError as error:
        if isinstance(error.__cause__, UniqueViolation):
            raise TakeTheLongWay from error
        raise
    _refuse_above(limit, received)
    if stored < received:
        raise TakeTheLongWay
    return Outcome(values["batch"], received, received, 0, 0)


def _values(origin: Origin, now: dt.datetime, accept_late: bool) -> dict[str, Any]:
    """The parameters of the statements, with the number of the batch."""
    rows = _rows(sql.COMBINATIONS)
    batch = rows[0][4] if rows else int(_row(f"SELECT {sql.NEXT_BATCH}")[0])  # a constant
    kinds = resolve((row[:4] for row in rows), origin.dimension_names)
    return {
        "source": origin.source_id,
        "batch": batch,
        "now": now,
        "accept_late": accept_late,
        "wanted": sorted({pk for pk in kinds.meter_ids if pk is not None}),
        "meters": kinds.meters,
        "dims": kinds.dims,
        "meter_ids": kinds.meter_ids,
        "dims_ids": kinds.dims_ids,
        "problems": kinds.problems,
        "sent": kinds.sent,
        "channel": origin.channel,
        "file_name": origin.file_name,
        "file_sha256": origin.file_sha256,
        "part": origin.part,
        "request_id": origin.request_id,
    }


def _refuse_above(limit: int | None, received: int) -> None:
    if limit is not None and received > limit:
        raise InvalidInput(
            f"{received} events are more than a batch may hold",
            remedy=f"Send at most {limit} events at once",
            code="batch_too_large",
        )


def _fast(values: dict[str, Any]) -> Sequence[int]:
    """FAST, prepared once in a session: planning costs as much as storing a few hundred events."""
    if connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]:  # another pooler owns the sessions
        return _row(sql.FAST, values)
    raw: Any = connection.connection
    if not getattr(raw, "o2c_usage_fast", False):
        numbered = {name: f"${n}" for n, name in enumerate(sql.PARAMETERS, start=1)}
        _run(f"PREPARE usage_fast ({', '.join(sql.PARAMETERS.values())}) AS {sql.FAST % numbered}")
        raw.o2c_usage_fast = True  # a prepared statement outlives a rollback
    given = ", ".join(f"%({name})s::{kind}" for name, kind in sql.PARAMETERS.items())
    return _row(f"EXECUTE usage_fast ({given})", values)


# A format in which nothing in a line has a meaning: no tab, quote or backslash.
COPY_LINES = r"COPY usage_lines (line) FROM STDIN (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01')"
COPY_ROWS = f"COPY usage_stage ({', '.join(sql.STAGED)}) FROM STDIN"


def _run(statement: str, values: Mapping[str, Any] | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def _rows(statement: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def _row(statement: str, values: Mapping[str, Any] | None = None) -> tuple[Any, ...]:
    return _rows(statement, values)[0]
