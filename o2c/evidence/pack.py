"""A population with its sample and evidence, as files that open without us."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.apps import apps
from django.db import connection, transaction

from o2c import clock, vault
from o2c.audit.models import Block, GuardRecord
from o2c.errors import InvalidInput
from o2c.evidence.life import Event, life
from o2c.evidence.registry import Control

README = """{code}: {title}

population.csv    every item from {start} (inclusive) to {end} (exclusive), by the query in control.json
sample.csv        {drawn} of {rows} items: those with the smallest SHA-256 of "{seed}:<id>"; draw them again
items/<id>.csv    of each item of the sample: every change of it and its parts, with who, when, why, which
                  request and which approval; documents beside it
exceptions.csv    the control performed anew over the whole population: {exceptions} exceptions
                  (population, exceptions and items are of one moment, that of manifest.json)
manifest.json     who made this and when, counts, sums of every column of figures (each currency apart), the
                  head of the sealed history, the fingerprint of the guards, and SHA-256 of every file; its
                  own SHA-256 is a row of Access > Readings, which is sealed too

Times are UTC. Figures are exact decimals. sha256sum -c SHA256SUMS checks the files.
"""
AUDITOR = "o2c_auditor"  # the role that reads, as itself: it leaves no row
# A spreadsheet must not take a text for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Table:
    """The answer of a query."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def sums(self) -> dict[str, Any]:
        """The sum of every column of figures, ids and versions aside; exact, and apart for each currency."""
        currency = self.columns.index("currency") if "currency" in self.columns else None
        found: dict[str, Any] = {}
        for position, name in enumerate(self.columns):
            values = [row for row in self.rows if row[position] is not None]
            if not values or name == "id" or not all(isinstance(row[position], Decimal) for row in values):
                continue
            totals: dict[str, Decimal] = defaultdict(Decimal)
            for row in values:
                totals[row[currency] if currency is not None else ""] += row[position]
            said = {code: str(total) for code, total in sorted(totals.items())}
            found[name] = said if currency is not None else said[""]
        return found


@dataclass(frozen=True, slots=True)
class Pack:
    """What was written where."""

    place: Path
    population: int
    sample: int
    exceptions: int
    digest: str  # SHA-256 of manifest.json, which holds those of the other files


@contextmanager
def snapshot() -> Iterator[None]:
    """One moment for all that is read inside, though others work on: what is counted fits what is listed.

    Inside a transaction it is the caller's, who has the same snapshot only with REPEATABLE READ.
    """
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def ask(query: str, start: dt.date, end: dt.date) -> Table:
    """Raises InvalidInput when the dates are turned."""
    if end <= start:
        raise InvalidInput(f"The population of {start} to {end} is empty", remedy="--to is exclusive")
    with connection.cursor() as cursor:
        cursor.execute(query, {"start": start, "end": end})
        return Table([column.name for column in cursor.description or ()], cursor.fetchall())


def draw(ids: Iterable[int], count: int, seed: str) -> list[int]:
    """The sample: ids in the order of SHA-256("seed:id"), the first `count`. Anybody can draw it again.

    >>> draw(range(1, 6), 2, "42")
    [1, 4]
    """
    return sorted(set(ids), key=lambda pk: hashlib.sha256(f"{seed}:{pk}".encode()).digest())[:count]


def reperform(control: Control, start: dt.date, end: dt.date) -> Table:
    """(id, problem) of every item of the population that the control should not have let pass."""
    return ask(control.exceptions, start, end)


def pack(
    control: Control, *, start: dt.date, end: dt.date, count: int, seed: str, place: Path, by: str = AUDITOR
) -> Pack:
    """Write the pack into a new directory; `by`: who makes it, a user name.

    Raises InvalidInput when it is there, or the dates are turned.
    """
    if place.exists() and any(place.iterdir()):
        raise InvalidInput(
            f"{place} is not empty", remedy="Name another directory: a pack is never overwritten"
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{place.name}.", dir=place.parent) as unfinished, snapshot():
        made = Path(unfinished) / "pack"
        found = _write(control, start, end, count, seed, made, by)
        if place.exists():
            place.rmdir()
        made.rename(place)  # whole, or not at all
    return replace(found, place=place)


def _write(
    control: Control, start: dt.date, end: dt.date, count: int, seed: str, place: Path, by: str
) -> Pack:
    population = ask(control.population, start, end)
    exceptions = reperform(control, start, end)
    by_id = {row[0]: row for row in population.rows}
    chosen = draw(by_id, count, seed)
    (place / "items").mkdir(parents=True, exist_ok=True)
    _csv(place / "population.csv", population.columns, population.rows)
    _csv(place / "sample.csv", population.columns, [by_id[pk] for pk in chosen])
    _csv(place / "exceptions.csv", exceptions.columns, exceptions.rows)
    for pk in chosen:
        _item(place / "items", control.model, pk)
    texts = {
        "code": control.code, "title": control.title, "start": start, "end": end, "seed": seed,
        "rows": len(population.rows), "drawn": len(chosen), "exceptions": len(exceptions.rows),
    }  # fmt: skip
    (place / "README.txt").write_text(README.format(**texts))
    _json(place / "control.json", {name: getattr(control, name) for name in Control.__dataclass_fields__})
    head = Block.objects.order_by("-n").first()
    guards = GuardRecord.objects.order_by("-id").values_list("digest", flat=True).first()
    _json(
        place / "manifest.json",
        {
            **{name: str(value) for name, value in texts.items()},
            "made_at": clock.now().isoformat(),
            "made_by": by,
            "guards": guards,
            "sums": population.sums(),
            "distinct_items": len(by_id),
            "sealed_history": {"block": head.n, "hash": head.hash} if head else None,
            "files": _digests(place),
        },
    )
    _sums(place)
    digest = hashlib.sha256((place / "manifest.json").read_bytes()).hexdigest()
    return Pack(place, len(population.rows), len(chosen), len(exceptions.rows), digest)


def _item(place: Path, label: str, pk: int) -> None:
    """One item of the sample: its life, and its documents."""
    _csv(place / f"{pk}.csv", EVENT_COLUMNS, [event_row(event) for event in life(label, pk)])
    record = apps.get_model(label)._default_manager.filter(pk=pk).first()
    document = getattr(record, "document", None)
    if document is not None:
        (place / f"{pk}-{Path(document.name).name}").write_bytes(bytes(document.content))


EVENT_COLUMNS = (
    "at",
    "what",
    "kind",
    "who",
    "on_behalf_of",
    "why",
    "request",
    "transaction",
    "approval",
    "changes",
)


def event_row(event: Event) -> list[Any]:
    changes = "; ".join(map(str, event.changes))
    return [
        event.at, event.what, event.kind, event.who, event.on_behalf_of, event.why, event.request_id,
        event.transaction, event.approval, changes,
    ]  # fmt: skip


def _text(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if vault.is_sealed(value):
        return vault.shown(value)
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return "" if value is None else value


def _csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([_text(value) for value in row] for row in rows)


def _json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def _digests(place: Path) -> dict[str, str]:
    files = sorted(path for path in place.rglob("*") if path.is_file())
    return {str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _sums(place: Path) -> None:
    lines = [f"{digest}  {name}" for name, digest in _digests(place).items()]
    (place / "SHA256SUMS").write_text("\n".join(lines) + "\n")
