"""Promised service as it is stored with a version: [from, to, quantity] as text, exact."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

from revenue.domain.types import Band
from revenue.domain.versions import Promise


def bands_as_json(service: Sequence[Band]) -> list[list[str]]:
    return [[str(b.start), str(b.end), f"{b.quantity.normalize():f}"] for b in service]


def bands_from_json(stored: Sequence[Sequence[str]]) -> tuple[Band, ...]:
    day = dt.date.fromisoformat
    return tuple(Band(day(start), day(end), Decimal(quantity)) for start, end, quantity in stored)


def promise_from_json(line: int, stated: Decimal, ssp: Decimal, stored: Sequence[Sequence[str]]) -> Promise:
    return Promise(line, stated, ssp, bands_from_json(stored))
