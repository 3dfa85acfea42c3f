"""What an anchor says, and the bytes that are signed."""

from __future__ import annotations

import json
import re
from typing import Any

NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


def canonical(body: dict[str, Any]) -> bytes:
    """JSON with sorted keys and no spaces, as UTF-8: the same object always gives the same bytes."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def file_name(n: int, block_hash: str, subject: str) -> str:
    """Two heads of one number (a fork) make two files; so do two occasions to anchor one head."""
    occasion = f"-{NOT_IN_NAMES.sub('-', subject)}" if subject else ""
    return f"block-{n:012d}-{block_hash[:16]}{occasion}.json"
