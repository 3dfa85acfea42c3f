"""Files of usage events: CSV with a header, or one JSON object a line; cut into blocks of whole lines."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from billing.services.intake_sql import DIMENSION_COLUMNS
from o2c.errors import InvalidInput

BLOCK = 8 * 1024 * 1024  # about 90,000 events
NAMES = {
    "event_id": "event_id",
    "id": "event_id",
    "customer": "customer",
    "meter": "meter",
    "type": "meter",
    "usage_key": "usage_key",
    "key": "usage_key",
    "occurred_at": "occurred",
    "time": "occurred",
    "timestamp": "occurred",
    "quantity": "quantity",
    "value": "quantity",
    "dimensions": "dims_json",
    "subject": "subject",
}
NEEDED = ("event_id", "customer", "meter", "occurred", "quantity")


@dataclass(frozen=True, slots=True)
class Header:
    """What stands in the columns of a CSV: the staging column of each, the names of its own dimensions."""

    columns: tuple[str, ...]
    dimensions: tuple[str, ...]


def sha256(path: Path) -> str:
    """The hash of the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_header(line: str, *, record: str, given: tuple[str, ...] = ()) -> Header:
    """The header of a CSV. Columns that are not known are dimensions; `given` columns come from options.

    Raises InvalidInput, naming the file, for a missing or doubled column or more dimensions than fit.
    """
    names = [name.strip() for name in next(csv.reader([line]))]
    columns: list[str] = list(given)
    dimensions: list[str] = []
    for name in names:
        known = NAMES.get(name.lower())
        if known is None:
            dimensions.append(name)
            if len(dimensions) > len(DIMENSION_COLUMNS):
                raise InvalidInput(
                    f"More than {len(DIMENSION_COLUMNS)} columns are no known ones: {', '.join(dimensions)}",
                    record=record,
                )
            known = DIMENSION_COLUMNS[len(dimensions) - 1]
        columns.append(known)
    missing = [name for name in NEEDED if name not in columns]
    if missing or len(set(columns)) < len(columns):
        what = f"has no column for {', '.join(missing)}" if missing else "has two columns for the same thing"
        raise InvalidInput(
            f"The header {what}",
            record=record,
            remedy=f"Known columns are {', '.join(NAMES)}; others are dimensions",
        )
    return Header(tuple(columns), tuple(dimensions))


def blocks(file: io.BufferedIOBase, size: int = BLOCK, *, quoted: bool = True) -> Iterator[bytes]:
    """The rest of the file in blocks that end with a line; with `quoted`, never inside of quotes."""
    left = b""
    while data := file.read(size):
        data = left + data
        end = _last_line_end(data, quoted)
        left = data[end:]
        if end:
            yield data[:end]
    if left:
        yield left if left.endswith(b"\n") else left + b"\n"


def _last_line_end(data: bytes, quoted: bool) -> int:
    end = data.rfind(b"\n") + 1
    if not quoted or not end:
        return end
    quotes = data.count(b'"', 0, end)
    while quotes % 2 and end:  # the line end lies inside of a quoted value
        earlier = data.rfind(b"\n", 0, end - 1) + 1
        quotes -= data.count(b'"', earlier, end)
        end = earlier
    return end


def with_columns(block: bytes, values: tuple[str, ...]) -> bytes:
    """The block with the same first columns in front of every line: one pass, no parsing.

    Only for blocks without line ends inside of quotes.
    """
    if not values:
        return block
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(values)
    prefix = out.getvalue().encode() + b","
    body = block[:-1] if block.endswith(b"\n") else block
    return prefix + body.replace(b"\n", b"\n" + prefix) + b"\n"


def split_readable(block: bytes, width: int) -> tuple[bytes, list[str]]:
    """Lines of a CSV block that have `width` values, and those that have not: after COPY refused it."""
    good, bad = io.StringIO(), []
    writer = csv.writer(good, lineterminator="\n")
    for row in csv.reader(io.StringIO(block.decode(errors="replace"))):
        if len(row) == width:
            writer.writerow(row)
        elif row:
            bad.append(",".join(row))
    return good.getvalue().encode(), bad
