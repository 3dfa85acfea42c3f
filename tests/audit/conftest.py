"""A database in which a few people worked, sealed and anchored; and connections to break into it."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from o2c.access.models import User
from o2c.access.system import system_actor
from o2c.actor import Actor, acting
from o2c.audit import fingerprints, keys
from o2c.audit.models import Anchor
from o2c.audit.services import anchoring
from o2c.audit.verifier.main import load_keys, verify
from o2c.audit.verifier.report import Report
from o2c.console.models import ExportEvent
from o2c.ledger.models import ExchangeRate
from o2c.runtime import embedded, roles
from tests import database


def superuser_dsn(name: str = "") -> str:
    """The superuser, where the embedded server is used; else the owner, who can do nearly as much."""
    name = name or str(connection.settings_dict["NAME"])
    if embedded.used():
        return embedded.dsn("superuser", name)
    return os.environ["DATABASE_OWNER_URL"].rsplit("/", 1)[0] + f"/{name}"


def rate(day: int, value: str) -> ExchangeRate:
    on = dt.date(2026, 8, day)
    return ExchangeRate(from_currency="EUR", to_currency="USD", valid_on=on, rate=value, source="ECB")


@dataclass
class Vault:
    """The sealed database: where its anchors are, and how to ask whether it is what was sealed."""

    places: list[Path]
    private_key: Path
    backup: str  # a database: the copy that was made after the second block

    @property
    def key(self) -> Path:
        return keys.public_path(self.private_key)

    def verify(self, raw: psycopg.Connection[Any], **wanted: Any) -> Report:
        return verify(raw, **{"places": self.places, "keys": load_keys([str(self.key)]), **wanted})


@pytest.fixture(scope="module")
def vault(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Vault]:
    """Three transactions by two people, in three anchored blocks."""
    home = tmp_path_factory.mktemp("outside")
    patched = pytest.MonkeyPatch()
    patched.setattr(settings, "ANCHOR_KEY_FILE", str(home / "key.pem"), raising=False)
    patched.setattr(settings, "ANCHOR_PLACES", [str(home / "one"), str(home / "two")], raising=False)
    with django_db_blocker.unblock():
        backup = f"{connection.settings_dict['NAME']}_backup"
        try:
            work_and_seal(backup)
            yield Vault([home / "one", home / "two"], home / "key.pem", backup)
        finally:
            database.empty()
        with psycopg.connect(superuser_dsn("postgres"), autocommit=True) as server:
            server.execute(f'DROP DATABASE IF EXISTS "{backup}"')
    patched.undo()


def back_up(name: str) -> None:
    """Copy the database as it is now."""
    connection.close()
    with psycopg.connect(superuser_dsn("postgres"), autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}"')
        template = connection.settings_dict["NAME"]
        # Threads of live servers that tests before this one had leave connections.
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [template]
        )
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" OWNER {roles.OWNER}')


def settle() -> None:
    """Wait until every transaction of the server that is older than this is over: only then is all sealed.

    Tests that run beside these ones have theirs open on the same server.
    """
    with psycopg.connect(superuser_dsn("postgres"), autocommit=True) as server:
        [now] = server.execute("SELECT pg_current_xact_id()").fetchone() or ()
        deadline = time.monotonic() + 300
        while server.execute(
            "SELECT pg_snapshot_xmin(pg_current_snapshot()) <= %s::text::xid8", [str(now)]
        ).fetchone() == (True,):
            assert time.monotonic() < deadline, "a transaction is open for five minutes"
            time.sleep(0.05)


def anchor() -> Anchor | None:
    """All that is over, sealed and anchored."""
    settle()
    return anchoring.anchor(actor=system_actor())


def work_and_seal(backup: str) -> None:
    with database.owner():  # as `migrate` does: the set-up of the tests switched guards off and on
        fingerprints.record()
    with acting(Actor.installer(), reason="set-up"):
        anna = User.objects.create_user(username="anna")
        bert = User.objects.create_user(username="bert")
    anchor()
    with acting(Actor.of(anna), reason="August rates"):
        ExchangeRate.objects.bulk_create([rate(1, "1.10"), rate(2, "1.20")])
    anchor()
    back_up(backup)
    with acting(Actor.of(bert), reason="Typing error"):
        ExchangeRate.objects.filter(rate="1.10").update(rate="1.15")
        for number in (1, 2):
            ExportEvent.objects.create(
                user=bert,
                model="x.y",
                title=f"List {number}",
                rows=number,
                file_name="l.xlsx",
                sha256="0" * 64,
            )
    anchor()


@contextmanager
def guards_off(raw: psycopg.Connection[Any], *tables: str) -> Iterator[None]:
    """Switch the guards of tables off, and leave them as they were."""
    raw.execute("SET CONSTRAINTS ALL IMMEDIATE")
    was = raw.execute(
        "SELECT tgrelid::regclass::text, tgname, tgenabled::text FROM pg_trigger"
        " WHERE tgrelid = ANY(%s::text[]::regclass[]) AND NOT tgisinternal AND tgenabled <> 'D'",
        [list(tables)],
    ).fetchall()
    for table in tables:
        raw.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    yield
    for table, name, state in was:
        raw.execute(f'ALTER TABLE {table} ENABLE {"ALWAYS" if state == "A" else ""} TRIGGER "{name}"')


@pytest.fixture
def intruder(vault: Vault) -> Iterator[psycopg.Connection[Any]]:
    """The superuser in a transaction: whatever is broken is put right afterwards."""
    with psycopg.connect(superuser_dsn()) as raw:
        raw.execute("SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'")
        yield raw
        raw.rollback()


@pytest.fixture
def names(vault: Vault, intruder: psycopg.Connection[Any]) -> Callable[..., dict[str, str]]:
    """What the verifier finds, by name; the last of each name's texts. Nearly all that is tried touches a
    guard, which is found as well: `touched=True` tells of it.
    """

    def ask(*, touched: bool = False, **wanted: Any) -> dict[str, str]:
        found = {f.name: f.text for f in vault.verify(intruder, **wanted).findings}
        return found if touched else {name: text for name, text in found.items() if name != "guard-touched"}

    return ask
