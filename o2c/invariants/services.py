"""Asking the invariants, and keeping what they said."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, connection, transaction

from o2c import clock
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.invariants.models import InvariantResult, InvariantRun
from o2c.invariants.registry import Invariant, all_invariants

DUTY = "invariants.run.start"
SAMPLE_ROWS = 100
TIMEOUT_MS = 300_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one invariant said. `violations` is None when it couldn't be asked."""

    invariant: Invariant
    violations: int | None
    sample: list[dict[str, Any]]
    error: str
    seconds: Decimal

    @property
    def passed(self) -> bool:
        return self.violations == 0


def check(codes: list[str] | None = None) -> list[Outcome]:
    """Ask the invariants, write nothing. All see the same moment:
    one repeatable-read transaction when none is open.
    """
    chosen = all_invariants(codes)
    with transaction.atomic():
        _prepare()
        return [_ask(invariant) for invariant in chosen]


def run(
    *, actor: Actor, reason: str = "", codes: list[str] | None = None, trigger: str = "person"
) -> InvariantRun:
    """Ask the invariants and keep the answers. Raises NotAuthorised without the duty."""
    with acting(actor, reason=reason):
        require(actor, DUTY)
        started_at = clock.now()
        begin = time.monotonic()
        outcomes = check(codes)
        return _keep(outcomes, started_at, _seconds(begin), trigger)


def _prepare() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {TIMEOUT_MS}")


def _ask(invariant: Invariant) -> Outcome:
    """One query for the rows, a second for their number only when there are more than a sample."""
    begin = time.monotonic()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            query = invariant.query().strip().rstrip(";")
            cursor.execute(f"SELECT * FROM ({query}) AS violation LIMIT {SAMPLE_ROWS + 1}")  # noqa: S608
            names = [column.name for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            count = len(rows)
            if count > SAMPLE_ROWS:
                cursor.execute(f"SELECT count(*) FROM ({query}) AS violation")  # noqa: S608
                count = cursor.fetchone()[0]
    except DatabaseError as error:
        return Outcome(invariant, None, [], str(error).strip(), _seconds(begin))
    return Outcome(invariant, count, _plain(rows[:SAMPLE_ROWS]), "", _seconds(begin))


def _plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as JSON holds them; amounts stay exact as text."""
    import json

    plain: list[dict[str, Any]] = json.loads(json.dumps(rows, cls=DjangoJSONEncoder, default=str))
    return plain


def _seconds(begin: float) -> Decimal:
    return Decimal(f"{time.monotonic() - begin:.3f}")


def _keep(outcomes: list[Outcome], started_at: datetime, seconds: Decimal, trigger: str) -> InvariantRun:
    kept = InvariantRun.objects.create(
        started_at=started_at,
        trigger=trigger,
        checked=len(outcomes),
        failing=sum(not o.passed for o in outcomes),
        seconds=seconds,
    )
    InvariantResult.objects.bulk_create(
        InvariantResult(
            run=kept,
            code=o.invariant.code,
            description=o.invariant.description,
            violations=o.violations,
            sample=o.sample,
            error=o.error,
            seconds=o.seconds,
        )
        for o in outcomes
    )
    return kept
