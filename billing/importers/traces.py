"""Traces of language-model requests as usage events: tokens in, tokens from the cache, tokens out.

azure_llm   CSV of Azure's LLM inference traces: TIMESTAMP, ContextTokens, GeneratedTokens
mooncake    JSON lines: timestamp in milliseconds, input_length, output_length, hash_ids. Each hash stands for
            a block of 512 prompt tokens; blocks of the prompt's beginning that an earlier request had too
            were read from the cache.

An event's id is made of the file's hash, its row and the kind of token: the same file again gives the same
events, which the intake knows.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from billing.importers.event_files import sha256
from o2c.errors import InvalidInput

FORMATS = ("azure_llm", "mooncake")
BLOCK_TOKENS = 512


@dataclass(frozen=True, slots=True)
class Request:
    """One request: when it came, and its tokens. `cached` are among those of the prompt, not besides."""

    row: int
    at: dt.datetime
    prompt: int
    cached: int
    output: int


def requests(path: Path, format: str, *, starts_at: dt.datetime | None) -> Iterator[Request]:
    """The requests of a trace, moved so that the first comes at `starts_at` (None: when it really came).

    Raises InvalidInput, naming the row, for a row that cannot be read; a trace in milliseconds from its own
    beginning needs `starts_at`.
    """
    if format not in FORMATS:
        raise InvalidInput(f"{format!r} is not a trace format", remedy=f"Use {' or '.join(FORMATS)}")
    if format == "mooncake" and starts_at is None:
        raise InvalidInput("The trace has no dates", record=path.name, remedy="Say when it starts")
    reader = _azure if format == "azure_llm" else _mooncake
    row, first = 0, None
    try:
        for request in reader(path):
            row = request.row
            first = first or request.at
            moved = request.at if starts_at is None else starts_at + (request.at - first)
            yield Request(row, moved, request.prompt, request.cached, request.output)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"The row after row {row} cannot be read: {error}", record=path.name) from error


def _azure(path: Path) -> Iterator[Request]:
    with path.open(newline="", encoding="utf-8") as file:
        for row, line in enumerate(csv.DictReader(file), start=1):
            whole, _, fraction = line["TIMESTAMP"].partition(".")
            at = dt.datetime.fromisoformat(whole).replace(tzinfo=dt.UTC)
            at += dt.timedelta(microseconds=int((fraction + "000000")[:6]))
            yield Request(row, at, int(line["ContextTokens"]), 0, int(line["GeneratedTokens"]))


def _mooncake(path: Path) -> Iterator[Request]:
    epoch = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
    seen: set[int] = set()
    with path.open(encoding="utf-8") as file:
        for row, text in enumerate(file, start=1):
            line = json.loads(text)
            blocks = line["hash_ids"]
            known = 0
            while known < len(blocks) and blocks[known] in seen:
                known += 1
            seen.update(blocks)
            cached = min(known * BLOCK_TOKENS, int(line["input_length"]))
            at = epoch + dt.timedelta(milliseconds=int(line["timestamp"]))
            yield Request(row, at, int(line["input_length"]), cached, int(line["output_length"]))


def events(
    path: Path, format: str, *, customer: str, model: str, starts_at: dt.datetime | None
) -> Iterator[dict[str, object]]:
    """The usage events of a trace for the order lines of `model` ("openai/gpt-4o") of one customer."""
    stem = sha256(path)[:16]
    for request in requests(path, format, starts_at=starts_at):
        tokens = {
            "input": request.prompt - request.cached, "cached": request.cached, "output": request.output
        }  # fmt: skip
        for kind, quantity in tokens.items():
            if quantity:
                yield {
                    "id": f"{stem}-{request.row}-{kind}",
                    "customer": customer,
                    "meter": f"llm.{kind}",
                    "key": f"{model}:{kind}",
                    "time": request.at.isoformat(),
                    "quantity": str(quantity),
                }
