"""The sealer skips nothing, has no rival, and notices that it was restored; the verifier as a program."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection

from o2c import clock
from o2c.access.system import system_actor
from o2c.actor import Actor, Trace, acting, say
from o2c.audit import fingerprints
from o2c.audit.models import Block
from o2c.audit.services import anchoring, sealing
from o2c.audit.verification import verify_here
from o2c.errors import Conflict
from o2c.ledger.models import ExchangeRate
from o2c.runtime import embedded, health, home
from o2c.runtime.models import Heartbeat
from tests import database
from tests.audit.conftest import Vault, anchor, guards_off, rate, settle, superuser_dsn
from tests.factories.access import make_user

VERIFIER = home.PROJECT / "o2c" / "audit" / "verify.py"
WRITE = "UPDATE ledger_exchangerate SET rate = rate + 1 WHERE id = %s"


@pytest.fixture
def sealed(vault: Vault, django_db_blocker: Any) -> Iterator[Vault]:
    """The sealed database, for a test that commits: what it writes stays there for the next one."""
    with django_db_blocker.unblock():
        yield vault
        connection.close()


def seal_now() -> list[Block]:
    return sealing.seal(actor=system_actor())


def seal() -> list[Block]:
    """All that is over by now."""
    settle()
    return seal_now()


def test_a_transaction_that_commits_late_is_not_skipped(sealed: Vault) -> None:
    """Its transaction and row ids come before those of one that was over already."""
    first = ExchangeRate.objects.earliest("id").pk
    with psycopg.connect(superuser_dsn()) as slow:
        say(slow, Trace(Actor.installer()))
        slow.execute(WRITE, [first])
        with psycopg.connect(superuser_dsn()) as quick:
            say(quick, Trace(Actor.installer()))
            quick.execute("UPDATE ledger_exchangerate SET source = 'Fed' WHERE id <> %s", [first])
        assert seal_now() == [], "nothing above the oldest running transaction is touched"
        assert sealing.pending().count == 1
        slow.commit()

    assert [block.count for block in seal()] == [2]
    assert sealing.pending().count == 0


def test_two_sealers_do_not_meet(sealed: Vault) -> None:
    with psycopg.connect(superuser_dsn()) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [sealing.LEADER])
        with acting(Actor.installer(), reason="work"):
            rate(10, "1.4").save()
        assert seal_now() == []

    assert [block.count for block in seal()] == [1]


def test_a_block_ends_with_a_whole_transaction(sealed: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "LARGEST", 2)
    for day in (11, 12, 13):
        with acting(Actor.installer(), reason="work"):
            ExchangeRate.objects.bulk_create([rate(day, "1.4"), rate(day + 5, "1.4")])

    assert [block.count for block in seal()] == [4, 2]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("INSERT INTO audit_leaf (epoch, xid, layout, row_id, hash) VALUES (1, 1, 1, 1, '')", "denied"),
        ("UPDATE audit_leaf SET hash = ''", "denied"),
        ("DELETE FROM audit_leaf", "denied"),
        ("INSERT INTO audit_layout SELECT * FROM audit_layout", "denied"),
        ("UPDATE audit_block SET count = 0", "denied"),
        ("DELETE FROM audit_anchor", "denied"),
        ("CREATE OR REPLACE FUNCTION o2c_epoch() RETURNS integer LANGUAGE sql AS 'SELECT 2'", "denied|owner"),
    ],
)
def test_the_product_itself_cannot_touch_what_is_sealed(statement: str, refusal: str) -> None:
    with pytest.raises(DatabaseError, match=refusal), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"count": 7, "total": 7}, "counts 7 leaves"),
        ({"upto_xid": 2**60, "next_xid": 2**60}, "may still be running"),
        ({"from_xid": 5}, "leaves transactions out"),
        ({"n": 9}, "does not follow"),
        ({"kind": "epoch", "epoch": 2}, "begun by the owner"),
    ],
)
def test_a_block_that_does_not_continue_the_chain_is_refused(change: dict[str, Any], refusal: str) -> None:
    head = Block.objects.order_by("-n").first()
    following = {
        "n": head.n + 1 if head else 1, "epoch": 1, "kind": "seal", "from_xid": head.upto_xid if head else 0,
        "upto_xid": head.upto_xid if head else 1, "next_xid": head.next_xid if head else 1, "count": 0,
        "total": head.total if head else 0, "root": "0" * 64, "prev": head.hash if head else "0" * 64,
        "hash": "1" * 64, "sealed_at": clock.now(), "incarnation": "x",
    }  # fmt: skip
    with pytest.raises(DatabaseError, match=refusal), acting(Actor.installer(), reason="forged"):
        Block.objects.create(**{**following, **change})


def test_the_health_page_says_when_sealing_lags(sealed: Vault) -> None:
    with acting(Actor.installer(), reason="work"):
        rate(28, "1.4").save()
    late = clock.now() - dt.timedelta(seconds=90)
    Heartbeat.objects.update_or_create(component=health.SEALER, defaults={"at": late})
    with psycopg.connect(superuser_dsn()) as raw:
        with guards_off(raw, "audit_leaf"):
            raw.execute(
                "UPDATE audit_leaf SET at = at - interval '90 s'"
                " WHERE xid >= (SELECT max(upto_xid) FROM audit_block)"
            )

    finding = health.seals()
    assert not finding.well
    assert finding.detail.startswith("pending 1, oldest 9")
    with database.owner():
        fingerprints.record()
    assert verify_here(places=sealed.places, keys=[str(sealed.key)]).status == 3

    from o2c.audit.tasks import seal as task

    settle()
    assert task() == 2, "the rate, and the record of the guards"
    assert health.seals().well


def test_an_anchor_is_written_once_and_shows_when_missing(
    sealed: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    with acting(Actor.installer(), reason="work"):
        rate(29, "1.4").save()
    made = anchor()
    assert made is not None
    assert made.places == [str(place) for place in sealed.places]
    assert anchoring.anchor(actor=system_actor()) is None
    for_a_close = anchoring.anchor(actor=system_actor(), subject="close of US 2026-08")
    assert for_a_close is not None
    assert for_a_close.block_id == made.block_id
    for place in sealed.places:
        files = [path.name for path in place.glob(f"block-{made.block_id:012d}-*.json")]
        assert len(files) == 2
        assert sum("-close-of-US-2026-08.json" in name for name in files) == 1

    monkeypatch.setattr(health, "ANCHOR_SECONDS", -1)
    assert health.anchors().well, "nothing is left to anchor"
    with acting(Actor.installer(), reason="work"):
        rate(30, "1.4").save()
    seal()
    assert not health.anchors().well


def run(*arguments: Any) -> subprocess.CompletedProcess[str]:
    """The verifier as an auditor runs it: a program, with no Django in its environment."""
    return subprocess.run(
        [sys.executable, "-I", str(VERIFIER), *map(str, arguments)],
        capture_output=True, text=True, check=False, cwd="/", env={"PATH": "/usr/bin"},
    )  # fmt: skip


def test_the_program_says_what_it_found_and_proves_one_record(sealed: Vault, tmp_path: Path) -> None:
    anchor()
    connection.close()
    outside = ["--key", sealed.key, *(word for place in sealed.places for word in ("--anchors", place))]
    auditor = ["--dsn", embedded.dsn("auditor", str(connection.settings_dict["NAME"]))]

    done = run(*auditor, *outside)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pending 0, oldest 0 s" in done.stdout
    assert done.stdout.endswith("as sealed\n")

    assert run(*auditor, "--key", sealed.key).returncode == 2, "without anchors nothing is proved"

    row = ExchangeRate.history.earliest("history_id").pk
    proof = tmp_path / "proof.json"
    proof.write_text(run(*auditor, *outside, "--prove", "ledger_historicalexchangerate", row).stdout)
    assert run("--key", sealed.key, "--check-proof", proof).returncode == 0
    content = json.loads(proof.read_text())
    content["row"] = content["row"].replace("ECB", "ours")
    proof.write_text(json.dumps(content))
    forged = run("--key", sealed.key, "--check-proof", proof)
    assert (forged.returncode, forged.stdout) == (1, "The record is not what was sealed\n")


@contextmanager
def connected_to(name: str) -> Iterator[None]:
    """Django works in another database, as its owner."""
    own = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    database.step_up()
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = own
        database.step_down()


def test_a_restored_copy_is_not_sealed_until_its_epoch_begins(sealed: Vault) -> None:
    """And what the copy lost shows against the anchors for ever."""
    with connected_to(sealed.backup):
        with pytest.raises(Conflict, match="is not the one that was sealed last"):
            seal_now()
        admin = Actor.of(make_user("ada", "admin"))
        begun = sealing.begin_epoch(actor=admin, reason="Restored the backup of 21 November")
        assert (begun.n, begun.epoch, begun.kind) == (3, 2, "epoch")
        assert begun.count == 2, "ada and her role: what nobody had sealed before"
        with acting(Actor.installer(), reason="work"):
            rate(20, "1.4").save()
        sealed_now = [(block.n, block.epoch, block.count) for block in seal()]
        assert sealed_now == [(4, 2, 2)], "the rate, and the guards as the copy has them"
        connection.close()
        with psycopg.connect(superuser_dsn(sealed.backup)) as copy:
            report = sealed.verify(copy)

    assert ({f.name for f in report.findings}, report.status) == ({"old-copy"}, 2)
