"""The provisioning service as we call it. One call, one answer; never raises for what the service does.

    PUT /v1/entitlements/{reference}
    Idempotency-Key: entitlement-12-r3
    {"action": "grant", "customer": "C-000001", "sku": "SEATS", "quantity": "25", "starts_on": "2026-08-01",
     "ends_on": null, "order": "O-000007", "revision": 3}

    200 {"id": "ent_…", "state": "granted" | "revoked"}

The same key always gets the same answer, so a call whose answer was lost is simply made again.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any, Literal

import httpx

Outcome = Literal["ok", "transient", "permanent"]
PASSING = frozenset({408, 409, 423, 425, 429})  # 409: a call with the same key is still being worked on
LONGEST_TEXT = 500

# httpx says every call at INFO; ours are all in ProvisioningAttempt.
logging.getLogger("httpx").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Call:
    """What to tell the service. `reference` is ours and stays; `key` names this revision of it."""

    entitlement: int
    revision: int
    attempt: int
    reference: str
    key: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `status` is None when nothing did; `retry_after` is in seconds, when the service named
    it.
    """

    outcome: Outcome
    status: int | None
    body: dict[str, Any] | None
    error: str
    external_ref: str
    retry_after: int | None
    duration_ms: int


class Client:
    """A connection pool to the service; safe to use from several threads."""

    def __init__(self, base_url: str, *, timeout: float = 5.0, token: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=base_url, timeout=timeout, headers=headers)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(self, call: Call) -> Answer:
        """Make the call and say how it went."""
        began = time.monotonic()
        try:
            response = self._http.put(
                f"/v1/entitlements/{call.reference}", json=call.body, headers={"Idempotency-Key": call.key}
            )
        except httpx.HTTPError as error:
            text = f"{type(error).__name__}: {error}"[:LONGEST_TEXT]
            return Answer("transient", None, None, text, "", None, _since(began))
        return _read(response, _since(began))


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)


def _read(response: httpx.Response, duration: int) -> Answer:
    body = _json(response)
    status = response.status_code
    if response.is_success:
        reference = str((body or {}).get("id", ""))
        if reference:
            return Answer("ok", status, body, "", reference, None, duration)
        return Answer("transient", status, body, "The service answered without an id", "", None, duration)
    text = str((body or {}).get("error") or response.text)[:LONGEST_TEXT] or f"HTTP {status}"
    outcome: Outcome = "transient" if status in PASSING or status >= 500 else "permanent"
    return Answer(outcome, status, body, text, "", _retry_after(response), duration)


def _json(response: httpx.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _retry_after(response: httpx.Response) -> int | None:
    text = response.headers.get("Retry-After", "")
    return min(int(text), 3600) if text.isdigit() else None
