"""A migrated database to copy test databases from: migrating takes most of a minute, copying one second.

The template is named after a fingerprint of everything that decides what `migrate` makes; when any of that
changes, another is built. The copy is migrated again all the same (which finds nothing to do), as Django does
with every test database.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from psycopg import sql

from o2c.runtime import home

PREFIX = "o2c_template_"
MIGRATED = "o2c_migrated_"
KEEP = 3
PARTS = (
    "migrations",
    "models",
    "models.py",
    "triggers.py",
    "guards.py",
    "numbers.py",
    "policies.py",
    "postings.py",
    "sources.py",
    "sql.py",
    "registry.py",
    "fingerprints.py",
    "duties.py",
    "segregation.py",
    "standards.py",
    "controls",
    "audit",
    "access",
    "seeds",
)


def fingerprint() -> str:
    """Of the files that declare tables, guards, roles and seeds, and of the versions they run on."""
    return _digest(lambda parts: any(part in PARTS or part.startswith("policy_") for part in parts))


def migrations_fingerprint() -> str:
    """Of the migrations alone, and of what they import."""
    return _digest(lambda parts: "migrations" in parts)


def _digest(counts: Callable[[set[str]], bool]) -> str:
    digest = hashlib.sha256(f"{sys.version_info[:2]} {settings.INSTALLED_APPS}".encode())
    files = [
        path
        for package in ("o2c", "orders", "billing", "revenue", "partners")
        for path in (home.PROJECT / package).rglob("*.py")
        if counts(set(path.relative_to(home.PROJECT).parts)) or path.parent.name == "o2c"
    ]
    for path in (home.PROJECT / "requirements-dev.lock", *sorted(files)):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def name() -> str:
    """The template for the code as it is, built when there is none yet.

    In two steps: migrations run into a database that changes only with them; what `migrate` does after them
    (guards, roles, policies) is done anew in a copy of it whenever any of that changes.
    """
    wanted, migrated = PREFIX + fingerprint(), MIGRATED + migrations_fingerprint()
    with home.lock("test-template"):
        if wanted not in _existing(PREFIX):
            if migrated not in _existing(MIGRATED):
                _build(migrated, "tests.settings_migrations_only", "template0")
            _build(wanted, "o2c.settings", migrated)
            for prefix, keep in ((PREFIX, KEEP), (MIGRATED, 1)):
                for old in _existing(prefix)[:-keep]:
                    _execute("DROP DATABASE IF EXISTS {}", old)
    return wanted


def _connect() -> psycopg.Connection[Any]:
    database = settings.DATABASES["default"]
    return psycopg.connect(
        host=database["HOST"], port=database["PORT"] or 5432, user=database["USER"],
        password=database["PASSWORD"], dbname="postgres", autocommit=True,
    )  # fmt: skip


def _execute(statement: str, *names: str) -> None:
    with _connect() as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _existing(prefix: str) -> list[str]:
    """Databases of this kind, the oldest first."""
    with _connect() as connection:
        found = connection.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
            " AND datname NOT LIKE '%%unfinished' ORDER BY oid",
            [prefix],
        )
        return [row[0] for row in found]


def _build(wanted: str, settings_module: str, source: str) -> None:
    unfinished = f"{PREFIX}unfinished"
    _execute("DROP DATABASE IF EXISTS {}", unfinished)  # of a run that was killed
    _execute("CREATE DATABASE {} TEMPLATE {}", unfinished, source)
    environment = {**os.environ, "O2C_DATABASE": unfinished, "O2C_DB_ROLE": "owner"}
    environment["DJANGO_SETTINGS_MODULE"] = settings_module
    subprocess.run(
        [sys.executable, str(Path("manage.py")), "migrate", "--no-input", "--verbosity", "0"],
        cwd=home.PROJECT, env=environment, check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    _execute("ALTER DATABASE {} RENAME TO {}", unfinished, wanted)
