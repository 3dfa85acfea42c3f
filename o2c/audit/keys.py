"""The key that signs anchors: Ed25519, in a file outside the database."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from o2c.errors import Conflict


def load(path: Path) -> Ed25519PrivateKey:
    """The private key in a PEM file. Raises Conflict when there is none, or it is of another kind."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise Conflict(
            f"No key to sign anchors with: {error}",
            record=str(path),
            remedy="Make one with manage.py audit key and name its file in O2C_ANCHOR_KEY_FILE",
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Conflict("Anchors are signed with an Ed25519 key", record=str(path))
    return key


def make(path: Path) -> Path:
    """Make a key and, beside it, its public half for the verifier; returns the public half's path.

    A key that is there stays: anchors signed with it are verified with its public half.
    """
    public = public_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        try:
            os.link(temporary, path)  # whoever comes second finds the first one's key
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    public.write_bytes(
        load(path)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return public


def public_path(path: Path) -> Path:
    return path.with_suffix(".pub.pem")


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the 32 bytes of the public key."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()
