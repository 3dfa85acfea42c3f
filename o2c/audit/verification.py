"""The stand-alone verifier, asked from inside the product: as the auditor where that role can be reached."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import connection
from psycopg.conninfo import make_conninfo

from o2c.audit import keys as signing
from o2c.audit.verifier.main import load_keys, open_database, verify
from o2c.audit.verifier.report import Report
from o2c.errors import NotFound


def verify_here(*, places: list[Path] | None = None, keys: list[str] | None = None) -> Report:
    """Verify this installation's database over a connection of its own.

    Raises NotFound when there is no public key to check anchors with.
    """
    chosen = keys or [str(signing.public_path(Path(settings.ANCHOR_KEY_FILE)))]
    if not all(Path(path).is_file() for path in chosen):
        raise NotFound(
            f"No public key in {', '.join(chosen)}",
            remedy="Name it with --key; manage.py audit key writes it beside the private one",
        )
    found = [Path(place) for place in settings.ANCHOR_PLACES] if places is None else places
    database = connection.get_connection_params()
    wanted = {name: database.get(name) for name in ("host", "port", "dbname", "user", "password")}
    with open_database(make_conninfo(**{k: v for k, v in wanted.items() if v})) as opened:
        return verify(opened, places=found, keys=load_keys(chosen))
