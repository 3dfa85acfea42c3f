"""Is the history that this database shows the history that was sealed? For auditors.

    python verify.py --dsn postgres://o2c_auditor:…@host/o2c --key KEY.pub.pem --anchors DIR --anchors DIR
    python verify.py … --prove billing_historicalinvoice 4711 > proof.json     one record, with its proof
    python verify.py --key anchor-key.pub.pem --check-proof proof.json         the proof alone, no database

Checks, reading only: every row against its leaf; the leaves against the Merkle root of their block; the
blocks against each other; the chain against the signed anchors; history against the live tables; the guards
against what was recorded when they were installed; how long leaves have waited for the sealer. Exit status:
0 all is as it was sealed; 1 something was changed or added; 2 something that was sealed is missing; 3 sealing
lags. The lowest that applies.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from .chain import read_blocks, read_layouts, read_leaves
from .guards import check_guards
from .outside import check_anchors, check_fold, check_lag, check_triggers, read_anchors
from .proof import check_proof, prove
from .report import GAP, Report
from .rows import check_rows

SESSION = "SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'"
STALE_AFTER = 60.0


def open_database(dsn: str) -> psycopg.Connection[Any]:
    """A connection in one snapshot that can write nothing."""
    connection = psycopg.connect(dsn, autocommit=True)
    connection.execute(SESSION)
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    return connection


def verify(
    connection: psycopg.Connection[Any], *, places: list[Path], keys: list[Ed25519PublicKey],
    stale_after: float = STALE_AFTER,
) -> Report:  # fmt: skip
    """Everything that can be asked of an open, read-only snapshot."""
    report = Report()
    layouts = read_layouts(connection, report)
    blocks = read_blocks(connection, report)
    leaves = read_leaves(connection, blocks, report)
    check_rows(connection, layouts, leaves, blocks, report)
    anchors = read_anchors(places, keys, report)
    if not places:
        report.say(GAP, "anchor-missing", "No anchors: whoever owns the database can have rewritten it")
    check_anchors(connection, blocks, anchors, report)
    check_fold(connection, layouts, report)
    check_triggers(connection, layouts, report)
    check_guards(connection, anchors, report)
    check_lag(connection, blocks, stale_after, report)
    return report


def load_keys(paths: list[str]) -> list[Ed25519PublicKey]:
    keys = [load_pem_public_key(Path(path).read_bytes()) for path in paths]
    return [key for key in keys if isinstance(key, Ed25519PublicKey)]


def lines(report: Report) -> list[str]:
    """The report as people read it."""
    said = [f"{finding.severity:9} {finding.name}: {finding.text}" for finding in report.findings]
    counted = f"{report.blocks} blocks, {report.leaves} leaves, {report.rows} rows, {report.anchors} anchors"
    verdict = "as sealed" if not report.findings else f"{len(report.findings)} findings"
    return [*said, f"pending {report.pending}, oldest {report.oldest:.0f} s", f"{counted}: {verdict}"]


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="verify.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dsn", help="the database, as the auditor")
    parser.add_argument(
        "--anchors", action="append", default=[], type=Path, help="a directory of anchors; repeat"
    )
    parser.add_argument("--key", action="append", default=[], help="public key, PEM; repeat after a rotation")
    parser.add_argument("--stale-after", type=float, default=STALE_AFTER, help="seconds that a leaf may wait")
    parser.add_argument("--prove", nargs=2, metavar=("TABLE", "ID"), help="print the proof of one row")
    parser.add_argument("--check-proof", type=Path, metavar="FILE", help="check such a proof")
    options = parser.parse_args(arguments)
    keys = load_keys(options.key)
    if options.check_proof:
        wrong = check_proof(json.loads(options.check_proof.read_text()), keys)
        say(wrong or "The record is what was sealed and anchored")
        return 1 if wrong else 0
    if not options.dsn:
        parser.error("--dsn or --check-proof is needed")
    with open_database(options.dsn) as connection:
        if options.prove:
            anchors = read_anchors(options.anchors, keys, Report())
            say(json.dumps(prove(connection, *options.prove, anchors=anchors), indent=1))
            return 0
        report = verify(connection, places=options.anchors, keys=keys, stale_after=options.stale_after)
    say("\n".join(lines(report)))
    return report.status


if __name__ == "__main__":
    sys.exit(main())
