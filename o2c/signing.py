"""The product signs whom it names to the database, so that a shell on the database cannot name anybody.

Who acts travels as settings of the transaction (`o2c.actor`). Whoever may connect may set those; without the
key of this process they cannot sign them. The database checks HMAC-SHA256 (RFC 2104) over all of them in
`o2c_known_actor`, with a copy of the key that only the owner of the tables can read.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.conf import settings

from o2c import clock

BLOCK = 64  # bytes of a block of SHA-256
FRESH_SECONDS = 300  # a signature older than this at the BEGIN of its transaction is not believed
VALID = 2  # keys: that of now, and the one before it while processes are being exchanged

INSTALL = """
CREATE SCHEMA IF NOT EXISTS o2c_private;
CREATE TABLE IF NOT EXISTS o2c_private.actor_key (
  id text PRIMARY KEY, inner_pad bytea NOT NULL, outer_pad bytea NOT NULL,
  used_since timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE OR REPLACE FUNCTION o2c_private.keep_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'A key that signed who acted stays: what it signed is told by it' USING ERRCODE = 'OC001';
END $$;
CREATE OR REPLACE TRIGGER o2c_keep_key BEFORE DELETE OR UPDATE OF id, inner_pad, outer_pad
  ON o2c_private.actor_key FOR EACH STATEMENT EXECUTE FUNCTION o2c_private.keep_key();
CREATE OR REPLACE TRIGGER o2c_keep_all BEFORE TRUNCATE
  ON o2c_private.actor_key FOR EACH STATEMENT EXECUTE FUNCTION o2c_private.keep_key();
ALTER TABLE o2c_private.actor_key ENABLE ALWAYS TRIGGER o2c_keep_key, ENABLE ALWAYS TRIGGER o2c_keep_all;
REVOKE ALL ON o2c_private.actor_key FROM o2c_app, o2c_auditor;
GRANT USAGE ON SCHEMA o2c_private TO o2c_app, o2c_auditor;
GRANT SELECT (id, used_since) ON o2c_private.actor_key TO o2c_app, o2c_auditor;
"""


@lru_cache(maxsize=4)
def _key(secret: str) -> bytes:
    return hmac.digest(secret.encode(), b"o2c: who acts", "sha256")


def _id(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:16]


def signature(values: Sequence[str]) -> str:
    """`key|issued|mac` of these settings, in their order. `issued` is in seconds of the epoch."""
    key = _key(settings.SECRET_KEY)
    issued = f"{clock.epoch_seconds():.3f}"
    message = "".join(f"{len(part.encode())}:{part}" for part in (*values, issued))
    return f"{_id(key)}|{issued}|{hmac.digest(key, message.encode(), 'sha256').hex()}"


def install(cursor: Any) -> None:
    """Give the database the key that this process signs with. Only the owner of the tables can.

    Older keys stay, and sign nothing any more: the fingerprints of the guards (`o2c.audit.fingerprints`) tell
    which were ever installed, so one that was added to sign in somebody's name and taken away is missed.
    """
    key = _key(settings.SECRET_KEY)
    pads = [bytes(byte ^ pad for byte in key.ljust(BLOCK, b"\0")) for pad in (0x36, 0x5C)]
    cursor.execute(INSTALL)
    cursor.execute(
        "INSERT INTO o2c_private.actor_key (id, inner_pad, outer_pad) VALUES (%s, %s, %s)"
        " ON CONFLICT (id) DO UPDATE SET used_since = clock_timestamp()",
        [_id(key), *pads],
    )
