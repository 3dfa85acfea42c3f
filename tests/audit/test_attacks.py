"""Fifteen ways to change what was: each is tried for real, as the superuser, and is found and named.

    make tamper-suite

Triggers are switched off where the attack needs it and on again afterwards, as somebody would who knows.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from o2c.actor import Actor, Trace, say
from o2c.audit import keys
from o2c.audit.domain.anchors import canonical
from o2c.audit.models import Block
from o2c.audit.verifier import outside
from o2c.audit.verifier.chain import read_blocks, read_layouts
from o2c.audit.verifier.hashes import leaf_hash, merkle_root
from o2c.audit.verifier.report import Report
from tests.audit.conftest import Vault, guards_off, superuser_dsn

pytestmark = pytest.mark.django_db

Raw = psycopg.Connection[Any]
Names = Callable[..., dict[str, str]]

HISTORY = "ledger_historicalexchangerate"
SEALS = (HISTORY, "audit_leaf", "audit_block", "audit_layout")


def leaf_of(raw: Raw, table: str, row_id: int) -> bytes:
    """The leaf that a row as it stands now would have."""
    layout = next(x for x in read_layouts(raw, Report()) if x.table == table)
    columns = sql.SQL(", ").join(map(sql.Identifier, layout.columns))
    row = raw.execute(
        sql.SQL("SELECT ROW({})::text FROM {} WHERE {} = %s").format(
            columns, sql.Identifier(table), sql.Identifier(layout.key)
        ),
        [row_id],
    ).fetchone()
    xid = raw.execute("SELECT xid FROM audit_leaf WHERE layout = %s AND row_id = %s", [layout.id, row_id])
    return leaf_hash(layout.digest, xid.fetchone()[0], row_id, row[0].encode())  # type: ignore[index]


def rehash_leaf(raw: Raw, table: str, row_id: int) -> None:
    leaf = leaf_of(raw, table, row_id)
    layout = next(x for x in read_layouts(raw, Report()) if x.table == table)
    raw.execute(
        "UPDATE audit_leaf SET hash = %s WHERE layout = %s AND row_id = %s", [leaf, layout.id, row_id]
    )


def rehash_chain(raw: Raw) -> None:
    """Make every block fit the leaves as they are."""
    prev, total = "0" * 64, 0
    for block in read_blocks(raw, Report()):
        leaves = raw.execute(
            "SELECT hash FROM audit_leaf WHERE epoch = %s AND xid >= %s AND xid < %s"
            " ORDER BY xid, layout, row_id",
            [block.epoch, block.from_xid, block.upto_xid],
        ).fetchall()
        total += len(leaves)
        root = merkle_root([bytes(leaf[0]) for leaf in leaves])
        new = block._replace(counted=len(leaves), total=total, root=root, prev=prev)
        prev = new.computed()
        raw.execute(
            "UPDATE audit_block SET count = %s, total = %s, root = %s, prev = %s, hash = %s WHERE n = %s",
            [new.counted, new.total, new.root, new.prev, prev, block.n],
        )


def row_ids(raw: Raw) -> list[int]:
    """History of the rates: both creations, and the change of the first."""
    return [row[0] for row in raw.execute(f"SELECT history_id FROM {HISTORY} ORDER BY 1").fetchall()]


def edit(raw: Raw, history_id: int) -> None:
    raw.execute(f"UPDATE {HISTORY} SET source = 'ours' WHERE history_id = %s", [history_id])


@pytest.fixture
def copies(vault: Vault, tmp_path: Path) -> list[Path]:
    """Anchors that may be spoilt."""
    return [Path(shutil.copytree(place, tmp_path / place.name)) for place in vault.places]


def test_nothing_is_found_where_nothing_was_done(vault: Vault, intruder: Raw) -> None:
    report = vault.verify(intruder)

    assert report.findings == []
    assert (report.blocks, report.anchors, report.pending, report.status) == (3, 3, 0, 0)
    assert report.leaves == report.rows > 100


def test_01_one_field_edited(intruder: Raw, names: Names) -> None:
    with guards_off(intruder, HISTORY):
        intruder.execute(f"UPDATE {HISTORY} SET rate = 9 WHERE history_id = %s", [row_ids(intruder)[2]])

    found = names()

    assert "rate was" not in found["edited"]  # 1.15 is nowhere else in history: only that it changed is known
    assert HISTORY in found["edited"]
    assert "live-differs" in found


def test_01_one_field_edited_back_to_what_another_version_says(intruder: Raw, names: Names) -> None:
    with guards_off(intruder, HISTORY):
        intruder.execute(
            f"UPDATE {HISTORY} SET source = 'ours' WHERE history_id = %s", [row_ids(intruder)[2]]
        )

    assert "source was 'ECB', reads 'ours'" in names()["edited"]


def test_01_a_fact_edited(intruder: Raw, names: Names) -> None:
    with guards_off(intruder, "console_exportevent"):
        intruder.execute("UPDATE console_exportevent SET rows = 1000 WHERE title = 'List 1'")

    assert set(names()) == {"edited"}


def test_02_edited_and_its_leaf_computed_anew(intruder: Raw, names: Names) -> None:
    with guards_off(intruder, *SEALS):
        intruder.execute(
            f"UPDATE {HISTORY} SET source = 'ours' WHERE history_id = %s", [row_ids(intruder)[0]]
        )
        rehash_leaf(intruder, HISTORY, row_ids(intruder)[0])

    found = names()

    assert set(found) == {"leaf-rewritten"}
    assert found["leaf-rewritten"].startswith("block 2 ")


def test_03_edited_and_the_whole_chain_hashed_anew(vault: Vault, intruder: Raw, names: Names) -> None:
    with guards_off(intruder, *SEALS):
        intruder.execute(
            f"UPDATE {HISTORY} SET source = 'ours' WHERE history_id = %s", [row_ids(intruder)[0]]
        )
        rehash_leaf(intruder, HISTORY, row_ids(intruder)[0])
        rehash_chain(intruder)

    assert set(names(places=[vault.places[0] / "none"])) == {"anchor-missing"}, "the database alone fits"
    found = names()
    assert set(found) == {"chain-rewritten"}
    assert "block 2" in found["chain-rewritten"]


def test_04_one_event_deleted(intruder: Raw, names: Names) -> None:
    with guards_off(intruder, HISTORY):
        intruder.execute(f"DELETE FROM {HISTORY} WHERE history_id = %s", [row_ids(intruder)[0]])

    found = names()

    assert str(row_ids(intruder)[0] - 1) in found["row-deleted"]


def test_04_one_event_deleted_with_its_leaf(intruder: Raw, names: Names) -> None:
    with guards_off(intruder, *SEALS):
        gone = row_ids(intruder)[0]
        layout = next(x for x in read_layouts(intruder, Report()) if x.table == HISTORY)
        intruder.execute(f"DELETE FROM {HISTORY} WHERE history_id = %s", [gone])
        intruder.execute("DELETE FROM audit_leaf WHERE layout = %s AND row_id = %s", [layout.id, gone])

    assert set(names()) == {"leaf-missing"}


def test_05_the_newest_events_deleted(intruder: Raw, names: Names) -> None:
    """With rows, leaves and block, and the live rows put back: the chain holds, and is too short."""
    with guards_off(intruder, *SEALS, "audit_anchor", "ledger_exchangerate", "console_exportevent"):
        intruder.execute(f"DELETE FROM {HISTORY} WHERE history_id = %s", [row_ids(intruder)[2]])
        intruder.execute("UPDATE ledger_exchangerate SET rate = 1.10 WHERE rate = 1.15")
        intruder.execute("DELETE FROM console_exportevent")
        intruder.execute("DELETE FROM audit_leaf WHERE xid >= (SELECT from_xid FROM audit_block WHERE n = 3)")
        intruder.execute("DELETE FROM audit_anchor WHERE block_id = 3")
        intruder.execute("DELETE FROM audit_block WHERE n = 3")

    found = names()

    assert set(found) == {"tail-cut"}
    assert "block 3" in found["tail-cut"]


def test_06_a_table_dropped_and_made_anew(intruder: Raw, names: Names) -> None:
    intruder.execute(f"CREATE TABLE made_anew (LIKE {HISTORY} INCLUDING ALL)")
    intruder.execute("SET CONSTRAINTS ALL IMMEDIATE")
    intruder.execute(f"DROP TABLE {HISTORY}")
    intruder.execute(f"ALTER TABLE made_anew RENAME TO {HISTORY}")

    found = names()

    assert found["table-recreated"] == f"{HISTORY}: none of its 3 sealed rows is left"
    assert "trigger-off" in found


def test_06_the_table_of_leaves_emptied(intruder: Raw, names: Names) -> None:
    with guards_off(intruder, *SEALS):
        intruder.execute("TRUNCATE audit_leaf")

    assert {"leaf-missing", "inserted"} <= set(names())


def forged(intruder: Raw, at: str, leaf: bool, xid: str = "pg_current_xact_id()::text::bigint") -> None:
    """A row of history that nobody's act wrote."""
    layout = next(x for x in read_layouts(intruder, Report()) if x.table == HISTORY)
    copied = ", ".join(
        f'"{c}"' for c in layout.columns if c not in {"history_id", "history_date", "history_txid"}
    )
    row = intruder.execute(
        f"INSERT INTO {HISTORY} ({copied}, history_date, history_txid)"
        f" SELECT {copied}, %s, {xid} FROM {HISTORY} WHERE history_id = %s"
        " RETURNING history_id, history_txid",
        [at, row_ids(intruder)[1]],
    ).fetchone()
    if leaf:
        intruder.execute(
            "INSERT INTO audit_leaf (epoch, xid, layout, row_id, hash) VALUES (1, %s, %s, %s, '')",
            [row[1], layout.id, row[0]],  # type: ignore[index]
        )
        rehash_leaf(intruder, HISTORY, row[0])  # type: ignore[index]


def test_07_an_event_inserted(intruder: Raw, names: Names) -> None:
    with guards_off(intruder, *SEALS):
        forged(intruder, "2026-08-01", leaf=False)

    assert set(names()) == {"inserted"}


def test_07_an_event_inserted_into_an_old_transaction(intruder: Raw, names: Names) -> None:
    with guards_off(intruder, *SEALS):
        forged(intruder, "2026-08-01", leaf=True, xid="(SELECT from_xid FROM audit_block WHERE n = 2)")

    found = names()

    assert set(found) == {"back-dated"}


def test_07_an_event_of_today_that_says_it_is_of_august(intruder: Raw, names: Names) -> None:
    with guards_off(intruder, *SEALS):
        forged(intruder, "2026-08-01", leaf=True)

    found = names()

    assert set(found) == {"back-dated"}
    assert "moment at which its transaction was not running" in found["back-dated"]


def test_08_two_events_swapped(intruder: Raw, names: Names) -> None:
    first, second, _ = row_ids(intruder)
    with guards_off(intruder, HISTORY):
        for old, new in ((first, -1), (second, first), (-1, second)):
            intruder.execute(f"UPDATE {HISTORY} SET history_id = %s WHERE history_id = %s", [new, old])

    found = names()

    assert set(found) == {"swapped"}


def test_09_only_the_actor_changed(intruder: Raw, names: Names) -> None:
    bert = intruder.execute("SELECT id FROM access_user WHERE username = 'bert'").fetchone()[0]  # type: ignore[index]
    with guards_off(intruder, HISTORY):
        intruder.execute(
            f"UPDATE {HISTORY} SET history_actor = 'bert', history_user_id = %s WHERE history_id = %s",
            [bert, row_ids(intruder)[0]],
        )

    found = names()

    assert set(found) == {"actor-changed"}
    assert "was written by 'anna', says 'bert'" in found["actor-changed"]


def test_10_a_business_row_changed_behind_its_triggers(intruder: Raw, names: Names) -> None:
    with guards_off(intruder, "ledger_exchangerate"):
        intruder.execute("UPDATE ledger_exchangerate SET rate = 9 WHERE rate = 1.20")

    found = names()

    assert set(found) == {"live-differs"}
    assert "is not what its history says" in found["live-differs"]


def test_10_a_trigger_left_off(intruder: Raw, names: Names) -> None:
    intruder.execute("SET CONSTRAINTS ALL IMMEDIATE")
    intruder.execute("ALTER TABLE ledger_exchangerate DISABLE TRIGGER o2c_history_update")

    assert names()["trigger-off"] == "ledger_exchangerate: o2c_history_update is switched off"


def test_11_a_business_row_changed_in_replica_mode(intruder: Raw, names: Names) -> None:
    """Replica mode skips no guard of ours: they are ENABLE ALWAYS. Somebody makes them ordinary first."""
    intruder.execute("SET session_replication_role = replica")
    with pytest.raises(psycopg.Error, match="No actor, no write"), intruder.transaction():
        intruder.execute("UPDATE ledger_exchangerate SET rate = 9 WHERE rate = 1.20")
    intruder.execute("SET CONSTRAINTS ALL IMMEDIATE")
    intruder.execute("ALTER TABLE ledger_exchangerate ENABLE TRIGGER o2c_history_update")
    intruder.execute("UPDATE ledger_exchangerate SET rate = 9 WHERE rate = 1.20")

    found = names()

    assert set(found) == {"live-differs", "trigger-off", "guard-differs"}
    assert found["trigger-off"].endswith("can be walked around")


def test_12_an_old_backup_put_back(vault: Vault) -> None:
    """A real copy, made after the second block."""
    with psycopg.connect(superuser_dsn(vault.backup)) as copy:
        found = {f.name: f.text for f in vault.verify(copy).findings}

    assert set(found) == {"old-copy"}
    assert "block 3" in found["old-copy"]


def test_13_two_chains(intruder: Raw, names: Names) -> None:
    """A second block 3: refused by the guard, without it by the key, and by what it follows."""
    columns = ", ".join(str(f.column) for f in Block._meta.concrete_fields if f.name != "n")
    second = f"INSERT INTO audit_block (n, {columns}) SELECT {{}}, {columns} FROM audit_block WHERE n = 3"
    with pytest.raises(psycopg.Error, match="does not follow the head"), intruder.transaction():
        intruder.execute(second.format(3))
    with guards_off(intruder, "audit_block"):
        for n, constraint in ((3, "audit_block_pkey"), (4, "audit_block_prev")):
            with pytest.raises(psycopg.errors.UniqueViolation, match=constraint), intruder.transaction():
                intruder.execute(second.format(n))

    assert names() == {}


def test_13_a_fork_was_anchored(copies: list[Path], vault: Vault, names: Names) -> None:
    """Somebody sealed a copy with the real key: two blocks of one number are signed."""
    other = json.loads(sorted(copies[0].iterdir())[2].read_text())
    other["body"]["hash"] = "f" * 64
    other["signature"] = keys.load(vault.private_key).sign(canonical(other["body"])).hex()
    for place in copies:
        (place / "block-000000000003-ffffffffffffffff.json").write_text(json.dumps(other))

    assert names(places=copies) == {"fork": "Block 3 was anchored with 2 different contents"}


def test_14_the_sealer_stopped(vault: Vault, intruder: Raw, names: Names) -> None:
    """A leaf that waits longer than the limit is found; tests/audit/test_sealing.py has the health page."""
    say(intruder, Trace(Actor.installer()))
    intruder.execute("UPDATE ledger_exchangerate SET rate = 1.21 WHERE rate = 1.20")

    report = vault.verify(intruder, stale_after=0.0)

    assert [(f.severity, f.name) for f in report.findings] == [("STALE", "sealer-stopped")]
    assert (report.status, report.pending) == (3, 1)
    assert vault.verify(intruder, stale_after=60.0).status == 0


def test_15_an_anchor_altered(copies: list[Path], names: Names) -> None:
    victim = sorted(copies[0].iterdir())[1]
    content = json.loads(victim.read_text())
    content["body"]["total"] += 1
    victim.write_text(json.dumps(content))

    assert set(names(places=copies)) == {"anchor-altered"}


def test_15_an_anchor_signed_with_another_key(copies: list[Path], names: Names, tmp_path: Path) -> None:
    keys.make(tmp_path / "mine.pem")
    mine = keys.load(tmp_path / "mine.pem")
    for place in copies:
        victim = sorted(place.iterdir())[1]
        content = json.loads(victim.read_text())
        content["signature"] = mine.sign(canonical(content["body"])).hex()
        victim.write_text(json.dumps(content))

    assert set(names(places=copies)) == {"anchor-altered", "anchor-missing"}


def test_15_an_anchor_deleted_in_one_place(copies: list[Path], names: Names) -> None:
    sorted(copies[1].iterdir())[1].unlink()

    assert "is missing from" in names(places=copies)["anchor-missing"]


@pytest.mark.parametrize("left", [0, 2])
def test_15_anchors_deleted_in_every_place(copies: list[Path], names: Names, left: int) -> None:
    """All of them, or the newest: those who wrote them remember that they did."""
    for place in copies:
        for path in sorted(place.iterdir())[left:]:
            path.unlink()

    found = names(places=copies)

    assert set(found) == {"anchor-missing"}
    assert f"{3 - left} of 3 anchors that were written stand nowhere" in found["anchor-missing"]


def test_15_anchors_are_not_written_any_more(
    copies: list[Path], names: Names, intruder: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is sealed and not anchored can be sealed anew; past an hour that is said."""
    for place in copies:
        sorted(place.iterdir())[-1].unlink()
    with guards_off(intruder, "audit_anchor"):
        intruder.execute("DELETE FROM audit_anchor WHERE block_id = (SELECT max(block_id) FROM audit_anchor)")
    assert names(places=copies) == {}
    monkeypatch.setattr(outside, "ANCHORED_WITHIN", 0.0)

    assert "1 blocks are not anchored" in names(places=copies)["anchors-stopped"]


def test_a_column_more_does_not_make_old_rows_wrong_and_one_less_is_named(
    intruder: Raw, names: Names
) -> None:
    intruder.execute("SET CONSTRAINTS ALL IMMEDIATE")
    intruder.execute(f"ALTER TABLE {HISTORY} ADD COLUMN noted text NOT NULL DEFAULT 'x'")
    assert names() == {}

    intruder.execute(f"ALTER TABLE {HISTORY} DROP COLUMN source CASCADE")
    intruder.execute("ALTER TABLE ledger_exchangerate DROP COLUMN source CASCADE")
    found = names()
    assert "had columns source" in found["columns-dropped"]
