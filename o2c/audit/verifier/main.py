"""Is the history that this database shows the history that was sealed? For auditors.

    python verify.py --dsn postgres://o2c_auditor:…@host/o2c --key KEY.pub.pem --anchors DIR --anchors DIR
    python verify.py … --prove billing_historicalinvoice 4711 > proof.json     one record, with its proof
    python verify.py --key anchor-key.pub.pem --check-proof proof.json         the proof alone, no database

Checks, reading only: every row against its leaf; the leaves against the Merkle root of their block; the
blocks against each other; the chain against the signed anchors; history against the live tables; the guards
against what was recorded when they were installed; how long leaves have waited for the sealer. Exit status:
0 all is as it was sealed; 1 something was changed or added; 2 something that was sealed is missing; 3 sealing
lags: the lowest that applies. 4 it could not be checked at all, with the reason on standard error.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NoReturn

import psycopg
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from .chain import read_blocks, read_layouts, read_leaves
from .guards import check_guards
from .outside import check_anchors, check_fold, check_kept, check_lag, check_triggers, read_anchors
from .proof import check_proof, missing_parts, prove
from .report import GAP, Report
from .rows import check_rows

# Whoever owns the database chooses what a name means to whoever connects; not to this program.
SESSION = "SET search_path = pg_catalog, public, pg_temp; SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'"
STALE_AFTER = 60.0


CANNOT = 4


class CannotVerify(Exception):
    """It could not be checked; the sentence says why and what to do."""


class Parser(argparse.ArgumentParser):
    """Of bad arguments the program answers as of everything else that keeps it from checking."""

    def error(self, message: str) -> NoReturn:
        self.exit(CANNOT, f"{self.format_usage()}{self.prog}: {message}\n")


def open_database(dsn: str) -> psycopg.Connection[Any]:
    """A connection in one snapshot that can write nothing. Raises CannotVerify when there is none."""
    try:
        connection = psycopg.connect(dsn, autocommit=True)
    except psycopg.Error as error:
        said = str(error).strip().splitlines()
        raise CannotVerify(
            f"The database cannot be reached ({said[0] if said else error}): check --dsn"
        ) from error
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
    if places:
        check_kept(connection, anchors, report)
    check_fold(connection, layouts, report)
    check_triggers(connection, layouts, report)
    check_guards(connection, anchors, report)
    check_lag(connection, blocks, stale_after, report)
    return report


def load_keys(paths: list[str]) -> list[Ed25519PublicKey]:
    """Raises CannotVerify for a file that is missing or holds no such key."""
    keys = []
    for path in paths:
        try:
            key = load_pem_public_key(Path(path).read_bytes())
        except OSError as error:
            raise CannotVerify(f"The key {path} cannot be read ({error.strerror}): check --key") from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise CannotVerify(
                f"{path} is no public key in PEM: take the one that ends in .pub.pem"
            ) from error
        if not isinstance(key, Ed25519PublicKey):
            raise CannotVerify(f"{path} is a key of another kind: anchors are signed with Ed25519")
        keys.append(key)
    return keys


def load_proof(path: Path) -> dict[str, Any]:
    """Raises CannotVerify for a file that is missing or no proof."""
    try:
        proof = json.loads(path.read_text())
    except OSError as error:
        raise CannotVerify(f"The proof {path} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise CannotVerify(f"{path} is no JSON: take the file as --prove wrote it") from error
    lost = missing_parts(proof)
    if lost:
        raise CannotVerify(f"{path} is no proof, it lacks {lost}: take the file as --prove wrote it")
    return dict(proof)


def lines(report: Report) -> list[str]:
    """The report as people read it."""
    said = [f"{finding.severity:9} {finding.name}: {finding.text}" for finding in report.findings]
    counted = f"{report.blocks} blocks, {report.leaves} leaves, {report.rows} rows, {report.anchors} anchors"
    verdict = "as sealed" if not report.findings else f"{len(report.findings)} findings"
    guards = [f"guards recorded {when}" for when in report.guards]
    return [
        *said,
        *guards,
        f"pending {report.pending}, oldest {report.oldest:.0f} s",
        f"{counted}: {verdict}",
    ]


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


def main(arguments: list[str] | None = None) -> int:
    """The exit status; whatever keeps it from checking is a sentence and 4, never a traceback."""
    try:
        return _run(_options(arguments))
    except CannotVerify as error:
        sys.stderr.write(f"Could not verify: {error}\n")
    except psycopg.Error as error:
        said = str(error).strip().splitlines()
        sys.stderr.write(f"Could not verify: the database answered: {said[0] if said else error}\n")
    return CANNOT


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="verify.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dsn", help="the database, as the auditor")
    parser.add_argument(
        "--anchors", action="append", default=[], type=Path, help="a directory of anchors; repeat"
    )
    parser.add_argument(
        "--key", action="append", default=[], help="public keys, PEM; repeat after a rotation"
    )
    parser.add_argument("--stale-after", type=float, default=STALE_AFTER, help="seconds that a leaf may wait")
    parser.add_argument("--prove", nargs=2, metavar=("TABLE", "ID"), help="print the proof of one row")
    parser.add_argument("--check-proof", type=Path, metavar="FILE", help="check such a proof")
    options = parser.parse_args(arguments)
    if not options.dsn and not options.check_proof:
        parser.error("--dsn or --check-proof is needed")
    if options.prove and not options.prove[1].isdigit():
        parser.error(f"--prove wants the id of a row, a number, not {options.prove[1]!r}")
    return options


def _run(options: argparse.Namespace) -> int:
    keys = load_keys(options.key)
    if options.check_proof:
        wrong = check_proof(load_proof(options.check_proof), keys)
        say(wrong or "The record is what was sealed and anchored")
        return 1 if wrong else 0
    with open_database(options.dsn) as connection:
        if options.prove:
            anchors = read_anchors(options.anchors, keys, Report())
            try:
                proof = prove(connection, *options.prove, anchors=anchors)
            except LookupError as error:
                raise CannotVerify(str(error.args[0])) from error
            say(json.dumps(proof, indent=1))
            return 0
        report = verify(connection, places=options.anchors, keys=keys, stale_after=options.stale_after)
    say("\n".join(lines(report)))
    return report.status


if __name__ == "__main__":
    sys.exit(main())
