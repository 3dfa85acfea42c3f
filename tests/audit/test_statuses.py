"""What a program answers that could not do its work: a sentence and a status of its own."""

from __future__ import annotations

import datetime as dt
import json
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from o2c.actor import Actor, Trace, say
from o2c.audit import keys
from o2c.audit.verifier.main import main
from o2c.evidence.pack import ask, pack, snapshot
from o2c.evidence.registry import Control
from tests.audit.conftest import Vault, superuser_dsn

CANNOT = 4


@pytest.fixture
def key(tmp_path: Path) -> str:
    keys.make(tmp_path / "key.pem")
    return str(keys.public_path(tmp_path / "key.pem"))


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The sentence of a verifier that could not verify."""
    assert main(list(arguments)) == CANNOT
    return capsys.readouterr().err


def test_a_database_that_is_not_there(capsys: pytest.CaptureFixture[str], key: str) -> None:
    text = said(capsys, "--dsn", "postgres://127.0.0.1:1/nothing", "--key", key)
    assert text.startswith("Could not verify: The database cannot be reached")
    assert "check --dsn" in text


def test_a_key_that_is_not_there_or_none(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    missing, other = str(tmp_path / "none.pem"), tmp_path / "other.pem"
    other.write_text("no key")
    assert "cannot be read (No such file or directory): check --key" in said(
        capsys, "--dsn", "x", "--key", missing
    )
    assert "is no public key in PEM" in said(capsys, "--dsn", "x", "--key", str(other))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        ("{", "is no JSON"),
        ("{}", "is no proof, it lacks table"),
        ("[]", "is no proof, it lacks table"),
        (
            json.dumps(
                {"table": "t", "key": "k", "columns": [], "row_id": 1, "transaction": 1, "row": "",
                 "path": [], "blocks": [], "anchor": {}}
            ),
            "it lacks its blocks",
        ),
    ],
)  # fmt: skip
def test_a_proof_that_is_none(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, key: str, content: str | None, says: str
) -> None:
    path = tmp_path / "proof.json"
    if content is not None:
        path.write_text(content)
    assert says in said(capsys, "--check-proof", str(path), "--key", key)


def test_arguments_that_make_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--nonsense"], ["--dsn", "x", "--prove", "t", "eleven"]):
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == CANNOT
    assert "a number, not 'eleven'" in capsys.readouterr().err


@pytest.mark.django_db
def test_a_row_that_was_never_sealed(capsys: pytest.CaptureFixture[str], vault: Vault) -> None:
    text = said(
        capsys, "--dsn", superuser_dsn(), "--key", str(vault.key), "--prove", "audit_nothing", "7"
    )  # fmt: skip
    assert text == "Could not verify: audit_nothing 7 was never sealed\n"


@pytest.mark.django_db
def test_a_database_that_is_another(capsys: pytest.CaptureFixture[str], key: str) -> None:
    assert "relation" in said(capsys, "--dsn", superuser_dsn("postgres"), "--key", key)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["reperform", "C-99", "--from", "2026-08-01", "--to", "2026-09-01"], "There is no control 'C-99'"),
        (["reperform", "C-06", "--from", "2026-09-01", "--to", "2026-08-01"], "is empty"),
        (["show", "Nope", "1"], "There is no model 'Nope'"),
        (["show", "billing.Invoice", "999999"], "billing.Invoice 999999 never existed"),
        (["epoch", "--actor", "nobody", "--reason", "x"], "There is no user 'nobody'"),
        (["verify", "--key", "/nowhere/key.pem"], "No public key in /nowhere/key.pem"),
        (
            ["pack", "C-06", "--from", "2026-08-01", "--to", "2026-09-01", "--seed", "1", "--out", "/nowhere",
             "--by", "nobody"],
            "Say with --by who takes the pack",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_a_sentence_and_no_exception_found(arguments: list[str], says: str) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("audit", *arguments, stdout=StringIO(), stderr=StringIO())
    assert says in str(refused.value)
    assert refused.value.returncode == CANNOT


@pytest.mark.django_db
def test_a_key_that_is_none_stops_the_command_too(tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_text("no key")
    with pytest.raises(CommandError, match="is no public key in PEM") as refused:
        call_command("audit", "verify", "--key", str(other))
    assert refused.value.returncode == CANNOT


FOUND = "SELECT id, username FROM access_user WHERE %(start)s::date < %(end)s::date ORDER BY id"


@pytest.mark.django_db(transaction=True)
def test_a_pack_is_of_one_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody adds an item between the reading of the population and that of the exceptions."""
    control = Control(
        code="C-X", title="t", risk="r", kind="detective", enforced_by="e", model="access.User",
        population=FOUND, exceptions=FOUND.replace("username", "'' AS problem"),
    )  # fmt: skip
    day = dt.date(2026, 8, 1)

    def busy(query: str, start: dt.date, end: dt.date) -> Any:
        answer = ask(query, start, end)
        with psycopg.connect(superuser_dsn()) as other:
            say(other, Trace(Actor.installer()))
            other.execute(
                "INSERT INTO access_user (password, is_superuser, username, first_name, last_name, email,"
                " is_staff, is_active, date_joined, kind, display_name, purpose)"
                " SELECT '!', false, 'late-' || count(*), '', '', '', false, true, now(), 'human', '', ''"
                " FROM access_user"
            )
        return answer

    monkeypatch.setattr("o2c.evidence.pack.ask", busy)
    made = pack(control, start=day, end=day + dt.timedelta(days=1), count=0, seed="1", place=tmp_path / "p")
    assert made.population == made.exceptions


@pytest.mark.django_db(transaction=True)
def test_a_snapshot_writes_nothing() -> None:
    with snapshot(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')"
        )
        assert cursor.fetchone() == ("repeatable read", "on")
