"""One text for one value, so that a digest stands for what was approved and for nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from o2c.errors import InvalidInput


def canonical(value: Any) -> str:
    """`value` as JSON with sorted keys and no space; exact numbers and dates as text.

    >>> canonical({"b": 1, "a": [Decimal("10.50"), None]})
    '{"a":["10.50",null],"b":1}'

    Raises InvalidInput for a float: it has no one text.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Any) -> str:
    """SHA-256 of the canonical text, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        raise InvalidInput(f"{value!r} is a float: an approval holds exact values only")
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, str | int | bool) or value is None:
        return value
    if isinstance(value, Sequence):
        return [_plain(part) for part in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested values by their path: {"a": {"b": 1}, "c": [2]} → {"a.b": 1, "c.0": 2}."""
    if isinstance(value, Mapping):
        parts: Any = value.items()
    elif isinstance(value, list | tuple):
        parts = enumerate(value)
    else:
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, part in parts:
        found |= flat(part, f"{prefix}.{key}" if prefix else str(key))
    return found


def differences(before: Any, after: Any) -> list[dict[str, Any]]:
    """What differs, by path: [{"path": "amount", "before": "10.00", "after": "10.01"}], sorted."""
    old, new = flat(before), flat(after)
    return [
        {"path": path, "before": old.get(path), "after": new.get(path)}
        for path in sorted(set(old) | set(new))
        if old.get(path) != new.get(path)
    ]
