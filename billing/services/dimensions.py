"""Meters and dimensions of what is staged: the few distinct combinations are resolved here, once each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import connection, transaction

from billing.services.intake_sql import SEPARATOR

LONGEST_VALUE = 200
MOST_NAMES = 20

# Committed rows of billing_usagedimensions, by key. They never change and are never deleted.
_known: dict[str, int] = {}
MOST_KNOWN = 50_000


@dataclass(slots=True)
class Kinds:
    """Parallel columns: for each (meter, dimensions) as sent, the ids they mean or what is wrong."""

    meters: list[str] = field(default_factory=list)
    dims: list[str] = field(default_factory=list)
    meter_ids: list[int | None] = field(default_factory=list)
    dims_ids: list[int | None] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    sent: list[str | None] = field(default_factory=list)


Combination = tuple[str, str, int | None, str | None]


def resolve(combinations: Iterable[Combination], names: Sequence[str] = ()) -> Kinds:
    """The ids of every combination: (meter as sent, dimensions as sent, meter id, names the meter declares).

    New dimensions are stored: two statements when there are any, one when some are not remembered. With
    `names`, dimensions come as the values of a file's own columns, and `sent` says them as JSON.
    """
    rows = sorted(combinations)
    keys: dict[tuple[str, str], str | None] = {}
    for code, text, meter, declared in rows:
        allowed = frozenset(json.loads(declared or "[]"))
        keys[code, text] = None if meter is None else canonical(_as_json(text, names), allowed)
    ids = _ids({key for key in keys.values() if key is not None})
    kinds = Kinds()
    for code, text, meter, _ in rows:
        key = keys[code, text]
        kinds.meters.append(code)
        kinds.dims.append(text)
        kinds.meter_ids.append(meter)
        kinds.dims_ids.append(ids[key] if key is not None else None)
        kinds.sent.append(_as_json(text, names) if names else None)
        kinds.problems.append("" if key is not None else "unknown_meter" if meter is None else "malformed")
    return kinds


def _as_json(text: str, names: Sequence[str]) -> str:
    if not names or not text:
        return text
    values = text.split(SEPARATOR)
    return json.dumps({name: value for name, value in zip(names, values, strict=False) if value})


def canonical(text: str, allowed: frozenset[str]) -> str | None:
    """The one way to write these dimensions, or None when they cannot be read or are not all `allowed`.

    Values become text as they were written; absent and empty dimensions are left out.

    >>> canonical('{"region": "eu", "model": "m"}', frozenset({"model", "region"}))
    '{"model":"m","region":"eu"}'
    """
    if not text:
        return "{}"
    try:
        values = json.loads(text, parse_float=str, parse_int=str)
    except ValueError:
        return None
    if not isinstance(values, dict) or len(values) > MOST_NAMES or not set(values) <= allowed:
        return None
    kept: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, bool):
            value = "true" if value else "false"
        if value is None or value == "":
            continue
        if not isinstance(value, str) or len(value) > LONGEST_VALUE:
            return None
        kept[name] = value
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _ids(keys: set[str]) -> dict[str, int]:
    found = {key: _known[key] for key in keys if key in _known}
    missing = sorted(keys - found.keys())
    if missing:
        stored = _select(missing)
        new = [key for key in missing if key not in stored]
        if new:
            with connection.cursor() as cursor:
                cursor.execute(INSERT, [new, new])
            stored |= _select(new)
        found |= stored
        transaction.on_commit(lambda: _remember(stored))
    return found


INSERT = """
INSERT INTO billing_usagedimensions (key, values)
SELECT key, values::jsonb FROM unnest(%s::text[], %s::text[]) AS u(key, values)
ON CONFLICT (key) DO NOTHING
"""


def _select(keys: Sequence[str]) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT key, id FROM billing_usagedimensions WHERE key = ANY(%s)", [list(keys)])
        return dict(cursor.fetchall())


def _remember(stored: dict[str, int]) -> None:
    if len(_known) + len(stored) > MOST_KNOWN:
        _known.clear()
    _known.update(stored)


def forget() -> None:
    """Forget remembered ids: after the database was emptied (tests)."""
    _known.clear()
