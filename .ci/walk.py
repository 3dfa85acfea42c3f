"""The whole walk on a small demonstration company, in a database of its own that is deleted afterwards.

    python .ci/walk.py [arguments of `manage.py demo build`]

Proves what `make demo` does, through the command that it uses, in a fraction of the time. The database is a
copy of the migrated one that the tests copy theirs from, built from nothing when this code has none yet.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
from environ import Env
from psycopg import sql

PROJECT = Path(__file__).resolve().parent.parent
DATABASE = "o2c_walk"
SMALL = ("--customers", "24", "--events", "6000")


def main() -> int:
    sys.path.insert(0, str(PROJECT))
    from o2c.runtime import embedded

    embedded.ensure_if_used()
    owner = os.environ.get("DATABASE_OWNER_URL") if os.environ.get("DATABASE_URL") else embedded.url("owner")
    if not owner:
        print(
            "Set DATABASE_OWNER_URL beside DATABASE_URL: the walk needs a database of its own",
            file=sys.stderr,
        )
        return 1
    outside = dict(os.environ)
    # Databases are made and copied by the owner, as the tests do it.
    os.environ |= {"DJANGO_SETTINGS_MODULE": "o2c.settings", "O2C_DB_ROLE": "owner"}
    from tests import template

    started = time.monotonic()
    recreate(owner, template.name())
    environment = {
        **outside,
        "O2C_DATABASE": DATABASE,
        "O2C_ANCHOR_PLACES": "",
        "O2C_LOG_LEVEL": "WARNING",
    }
    for command in (
        ("migrate", "--no-input", "--verbosity", "0"),
        ("demo", "build", *(sys.argv[1:] or SMALL)),
    ):
        print(f"manage.py {' '.join(command)}", flush=True)
        done = subprocess.run(
            [sys.executable, "manage.py", *command], cwd=PROJECT, env=environment, check=False
        )
        if done.returncode:
            print(
                f"The walk failed in `manage.py {command[0]}`; its database {DATABASE} is kept",
                file=sys.stderr,
            )
            return done.returncode
    print(f"The walk took {time.monotonic() - started:.0f} s", flush=True)
    drop(owner)
    return 0


def recreate(owner: str, source: str) -> None:
    drop(owner)
    execute(owner, "CREATE DATABASE {} TEMPLATE {}", source)


def drop(owner: str) -> None:
    execute(owner, "DROP DATABASE IF EXISTS {}")


def execute(owner: str, statement: str, *names: str) -> None:
    parsed = Env.db_url_config(owner)
    with psycopg.connect(
        host=parsed["HOST"], port=parsed["PORT"] or 5432, user=parsed["USER"], password=parsed["PASSWORD"],
        dbname="postgres", autocommit=True,
    ) as connection:  # fmt: skip
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, (DATABASE, *names))))


if __name__ == "__main__":
    sys.exit(main())
