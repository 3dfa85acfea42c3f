"""A call that changes something is carried out once, however often it is sent.

| the key was … | answer |
|---|---|
| not sent | 400 `idempotency_key_missing` |
| never seen | the call is carried out; its answer is stored in the same transaction |
| seen with the same request | the stored answer, `meta.idempotent_replay` true |
| seen with another request | 422 `payload_changed_for_key` |
| being carried out now | 409 `request_in_flight` |

Only success is stored. A refusal has changed nothing, so the same key may be used again when its cause
is gone. Keys belong to the service account that sent them and are kept for IDEMPOTENCY_DAYS (400: longer
than a business year and its audit).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection
from rest_framework.utils.encoders import JSONEncoder

from o2c import clock
from o2c.api.models import IdempotentCall
from o2c.errors import Conflict, DomainError, InvalidInput

HEADER = "Idempotency-Key"
LONGEST_KEY = 255


class BadKey(DomainError):
    """The key is missing or can't be one."""

    status = 400
    default_code = "idempotency_key_missing"


@dataclass(frozen=True)
class Answer:
    """What the caller gets: an HTTP status, a JSON body, and whether it is a stored one."""

    status: int
    body: Any
    replayed: bool


def check_key(key: str | None) -> str:
    """The key as sent. Raises BadKey."""
    if not key:
        raise BadKey(
            f"This call changes something and needs the header {HEADER}",
            remedy="Send a random key, such as a UUID, with each new request; repeat it with a repetition.",
        )
    if len(key) > LONGEST_KEY or not key.isprintable():
        raise BadKey(
            f"The {HEADER} has at most {LONGEST_KEY} printable characters", code="idempotency_key_invalid"
        )
    return key


def fingerprint(method: str, address: str, principal: str, body: Any) -> str:
    """What makes two requests the same: SHA-256 over the canonical form, so that spaces and key order
    don't count.
    """
    canonical = json.dumps(
        [method, address, principal, body], sort_keys=True, separators=(",", ":"), cls=JSONEncoder
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def once(
    run: Callable[[], tuple[int, Any]], *, account_id: int, key: str, mark: str, request_id: str
) -> Answer:
    """Carry out `run` unless this key has been answered. Call it inside the transaction of the effect.

    `mark` is the request's fingerprint. `run` gives (status, body); the body is stored as JSON.
    """
    _claim(account_id, key)
    stored = IdempotentCall.objects.filter(account_id=account_id, key=key).first()
    if stored is not None:
        if stored.fingerprint != mark:
            raise InvalidInput(
                f"This {HEADER} was used for another request, on {stored.created_at:%Y-%m-%d %H:%M} UTC",
                record=key,
                remedy="Use a new key for a new request.",
                code="payload_changed_for_key",
            )
        return Answer(stored.status, stored.body, replayed=True)
    status, body = run()
    plain = json.loads(json.dumps(body, cls=JSONEncoder))
    IdempotentCall.objects.create(
        account_id=account_id, key=key, fingerprint=mark, status=status, body=plain, request_id=request_id
    )
    return Answer(status, plain, replayed=False)


def forget(*, as_of: dt.datetime | None = None) -> int:
    """Delete answers older than IDEMPOTENCY_DAYS; returns how many."""
    before = (as_of or clock.now()) - dt.timedelta(days=settings.IDEMPOTENCY_DAYS)
    deleted, _ = IdempotentCall.objects.filter(created_at__lt=before).delete()
    return deleted


def _claim(account_id: int, key: str) -> None:
    """Be the only request with this key until the transaction ends, or refuse at once."""
    number = int.from_bytes(hashlib.sha256(f"{account_id}:{key}".encode()).digest()[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        claimed: bool = cursor.fetchone()[0]
    if not claimed:
        raise Conflict(
            "The same request is being carried out right now",
            record=key,
            remedy="Send it again in a moment to get its answer.",
            code="request_in_flight",
        )
