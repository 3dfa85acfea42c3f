"""The state directory of this checkout: `.o2c/` in the project, or `O2C_HOME`.

It holds what the machine must remember between two commands: the embedded database, its passwords,
ports, process records and logs. Nothing of it belongs in the repository or in a backup.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent.parent
DATABASE_ROLES = ("superuser", "owner", "app", "auditor")


def home() -> Path:
    return Path(os.environ.get("O2C_HOME") or PROJECT / ".o2c").resolve()


def make_home() -> Path:
    """Create the state directory. Others may pass through it (the database's user must), not read it."""
    path = home()
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o711)
    return path


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold an exclusive lock that the kernel releases when this process ends, however it ends."""
    with (make_home() / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def read_json(path: Path) -> dict[str, Any]:
    """The content of a small state file; empty when it does not exist or was never completed."""
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace a state file in one step, readable by its owner only."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        json.dump(content, handle, indent=1)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)


def passwords() -> dict[str, str]:
    """The generated passwords of this checkout: one per database role, and Django's secret key.

    Generated once; called under the `database` lock when they may not exist yet.
    """
    path = home() / "secrets.json"
    known: dict[str, str] = read_json(path)
    missing = [name for name in (*DATABASE_ROLES, "secret_key") if name not in known]
    if missing:
        make_home()
        known |= {name: secrets.token_urlsafe(48 if name == "secret_key" else 24) for name in missing}
        write_json(path, known)
    return known


def field_keys() -> str:
    """The key of encrypted columns of this checkout, generated once: losing it loses what it sealed."""
    path = home() / "secrets.json"
    known: dict[str, str] = read_json(path)
    if "field_keys" not in known:
        with lock("field-keys"):
            known = read_json(path)
            if "field_keys" not in known:
                key = base64.urlsafe_b64encode(secrets.token_bytes(64)).decode()
                known["field_keys"] = f"local{secrets.token_hex(3)}:{key}"
                write_json(path, known)
    return known["field_keys"]


def known_password(name: str) -> str:
    """A generated secret, or the empty string when this checkout has not generated any yet."""
    return str(read_json(home() / "secrets.json").get(name, ""))


def secret_key() -> str:
    """Django's secret key of this checkout; a throw-away one before anything was started here."""
    return known_password("secret_key") or secrets.token_urlsafe(48)
