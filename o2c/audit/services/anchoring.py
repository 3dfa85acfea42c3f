"""Anchors: the head of the chain, signed, in places that the database's administrator does not administer.

A chain that stands only in the database proves nothing against its owner, who can hash it anew. What was
signed and put away cannot be.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import connection

from o2c import clock
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.audit import keys
from o2c.audit.domain.anchors import canonical, file_name
from o2c.audit.models import Anchor, Block, GuardRecord
from o2c.audit.services import sealing

log = structlog.get_logger(__name__)


def anchor(*, actor: Actor, subject: str = "", reason: str = "") -> Anchor | None:
    """Seal what is over, sign the head and put it away. None when the head is anchored already, or there is
    none; `subject` (a close) is anchored in any case.

    Raises Conflict when there is no key. A place that cannot be written is logged and shows on the health
    page; the others are written all the same.
    """
    if connection.in_atomic_block:
        raise RuntimeError("An anchor outlives its transaction: write it when nothing can be undone any more")
    require(actor, "audit.chain.seal")
    sealing.seal(actor=actor, reason=reason)
    head = Block.objects.order_by("-n").first()
    if head is None or (not subject and Anchor.objects.filter(block=head).exists()):
        return None
    key = _key()
    body = _body(head, subject, clock.now())
    signature = key.sign(canonical(body)).hex()
    content = {"body": body, "signature": signature, "key": keys.fingerprint(key.public_key())}
    written = [
        str(place) for place in places() if _write(place / file_name(head.n, head.hash, subject), content)
    ]
    with acting(actor, reason=reason or "anchor"):
        return Anchor.objects.create(
            block=head, subject=subject, body=body, signature=signature, key=content["key"], places=written
        )


def places() -> list[Path]:
    return [Path(place) for place in settings.ANCHOR_PLACES]


def _key() -> Any:
    path = Path(settings.ANCHOR_KEY_FILE or "(O2C_ANCHOR_KEY_FILE is not set)")
    if settings.ANCHOR_KEY_FILE and not settings.PRODUCTION:
        keys.make(path)
    return keys.load(path)


def _body(head: Block, subject: str, at: dt.datetime) -> dict[str, Any]:
    """Numbers of the chain, and the fingerprint of the guards as they were recorded last; nothing of the
    business: an anchor may be shown to anybody.
    """
    guards = GuardRecord.objects.order_by("-id").values_list("digest", flat=True).first()
    return {
        "n": head.n, "epoch": head.epoch, "hash": head.hash, "total": head.total,
        "upto_xid": head.upto_xid, "sealed_at": head.body.sealed_text, "incarnation": head.incarnation,
        "subject": subject, "anchored_at": at.astimezone(dt.UTC).isoformat(), "guards": guards or "",
    }  # fmt: skip


def _write(path: Path, content: dict[str, Any]) -> bool:
    """Put a file in one place, whole or not at all. A file is never replaced: whether it is this anchor that
    stands there is what is answered.
    """
    text = json.dumps(content, indent=1, sort_keys=True) + "\n"
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            temporary.write_text(text)
            temporary.rename(path)
        stands = path.read_text() == text
    except OSError as error:
        log.error("anchor not written", place=str(path.parent), error=str(error))
        return False
    if not stands:
        log.error("another anchor has this name", path=str(path))
    return stands


def anchor_of(subject: str) -> Anchor | None:
    """The anchor that was written for something, e.g. 'revenue.closerun:12'."""
    return Anchor.objects.filter(subject=subject).select_related("block").first()
