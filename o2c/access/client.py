"""Where a request comes from."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest


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
