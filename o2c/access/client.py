"""Where a request comes from."""

from __future__ import annotations

import hashlib
import ipaddress
from contextvars import ContextVar

from django.conf import settings
from django.http import HttpRequest

SIGNED_IN_AT = "o2c_signed_in_at"  # in the session, ISO 8601 in UTC

# Of the request that is being answered: where its session came from. Nothing outside a request.
signed_in_request: ContextVar[HttpRequest | None] = ContextVar("o2c_signed_in_request", default=None)


def signed_in() -> dict[str, str]:
    """Address, a fingerprint of the session (never its key) and the time of the sign-in, as evidence."""
    request = signed_in_request.get()
    if request is None:
        return {}
    key = getattr(request.session, "session_key", None) or ""
    return {
        "address": address(request) or "",
        "session": hashlib.sha256(key.encode()).hexdigest()[:16] if key else "",
        "signed_in_at": request.session.get(SIGNED_IN_AT, ""),
    }


def address(request: HttpRequest) -> str | None:
    """The client's address: the peer's, or behind O2C_PROXY_COUNT proxies of ours what the outermost one saw.

    Each proxy appends to X-Forwarded-For, so the entry to believe is counted from the right; what stands
    left of it was written by the caller and may be anything.
    """
    proxies: int = settings.AXES_IPWARE_PROXY_COUNT or 0
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    seen = hops[-proxies] if 0 < proxies <= len(hops) else request.META.get("REMOTE_ADDR", "")
    try:
        return str(ipaddress.ip_address(seen))
    except ValueError:
        return None
