"""Reading rows that the channel appends and corrects: valid time and knowledge time.

Per key and valid_from the newest update_date wins (a correction rewrites the past), deleted rows drop out,
and the current value is the newest valid_from (reference: marketplaces, 1.7, rules 1 to 3).
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Version:
    """One feed row's place in both times. `payload` is whatever the caller wants back."""

    key: Hashable
    valid_from: datetime
    update_date: datetime
    payload: object = None
    deleted: bool = False


def timeline(
    versions: Iterable[Version], *, known_at: datetime | None = None
) -> dict[Hashable, list[Version]]:
    """Per key, its effective versions ordered by valid_from, as known at `known_at` (None: everything
    known).
    """
    newest: dict[tuple[Hashable, datetime], Version] = {}
    for version in versions:
        if known_at is not None and version.update_date > known_at:
            continue
        slot = (version.key, version.valid_from)
        held = newest.get(slot)
        if held is None or version.update_date >= held.update_date:
            newest[slot] = version
    result: dict[Hashable, list[Version]] = {}
    for version in sorted(newest.values(), key=lambda item: item.valid_from):
        if not version.deleted:
            result.setdefault(version.key, []).append(version)
    return result


def current(versions: Iterable[Version], *, known_at: datetime | None = None) -> dict[Hashable, Version]:
    """Per key, the version with the newest valid_from."""
    return {key: rows[-1] for key, rows in timeline(versions, known_at=known_at).items()}


def as_of(
    versions: Iterable[Version], moment: datetime, *, known_at: datetime | None = None
) -> dict[Hashable, Version]:
    """Per key, the version valid at `moment`. The first version extends backwards, since events can
    precede it.
    """
    result = {}
    for key, rows in timeline(versions, known_at=known_at).items():
        valid = [row for row in rows if row.valid_from <= moment]
        result[key] = valid[-1] if valid else rows[0]
    return result
