"""What auditors ask for: a record's life, populations with their samples, controls performed anew."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from billing.models import Invoice
from o2c import clock, vault
from o2c.access.models import ReadEvent
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.errors import InvalidInput, NotFound
from o2c.evidence.life import life, masked
from o2c.evidence.pack import Table, ask, draw, pack, reperform
from o2c.evidence.registry import Control, control, controls
from o2c.ledger.models import LegalEntity
from tests.approvals.conftest import ACT, draft_memo
from tests.factories.access import make_user
from tests.factories.billing import Team, billing_team, books, post_invoice
from tests.factories.orders import make_customer
from tests.factories.world import make_world

pytestmark = pytest.mark.django_db


def today() -> tuple[dt.date, dt.date]:
    return clock.today(), clock.today() + dt.timedelta(days=1)


@pytest.fixture
def team() -> Team:
    found = billing_team()
    books(found)
    return found


@pytest.fixture
def memo(team: Team) -> Invoice:
    """A credit memo of 20,000: drafted by bea, approved by abe, posted under that approval."""
    drafted = draft_memo(team, post_invoice(team, make_customer(team.orders), "100000.00"), "20000.00")
    request = approvals.submit(ACT, drafted.pk, actor=team.ops, reason="Wrong price")
    approvals.approve(request.pk, actor=team.approver, reason="Seen the contract")
    return Invoice.objects.get(pk=drafted.pk)


def test_every_control_is_performed_anew_over_a_company_that_did_everything() -> None:
    make_world()
    start, end = today()

    found = {
        c.code: (len(ask(c.population, start, end).rows), reperform(c, start, end).rows) for c in controls()
    }

    one_clerk_plays_a_whole_team = {"C-01"}
    entered_by_hand = {"C-13b", "C-14"}  # an order as if the CRM had sent it, a receipt without a statement
    nobody_bills_after_august = {"C-04"}  # as soon as 45 days are over
    exceptional = {code for code, (_, rows) in found.items() if rows} - nobody_bills_after_august
    assert exceptional == one_clerk_plays_a_whole_team | entered_by_hand
    done = {code for code, (items, _) in found.items() if items}
    assert done >= {"C-04", "C-05", "C-05b", "C-07b", "C-08", "C-09", "C-10", "C-11", "C-15", "C-16"}


def test_the_life_of_a_record_says_who_why_and_under_which_approval(team: Team, memo: Invoice) -> None:
    events = life("billing.Invoice", memo.pk)

    line = f"billing.InvoiceLine {memo.lines.get().pk}"
    assert [e.kind for e in events if e.what == line][:1] == ["created"]
    posted = next(e for e in events if any(str(c) == "state: draft -> posted" for c in e.changes))
    assert (posted.who, posted.approval) == (
        "abe",
        "AR-000001" if posted.approval == "AR-000001" else posted.approval,
    )
    assert posted.approval.startswith("AR-")
    asked = next(e for e in events if e.kind == "asked")
    decided = next(e for e in events if e.kind.startswith("approve "))
    assert (asked.who, asked.why) == ("bea", "Wrong price")
    assert (decided.who, decided.why) == ("abe", "Seen the contract")
    assert events == sorted(events, key=lambda e: e.at)

    out = StringIO()
    call_command("audit", "show", "billing.Invoice", str(memo.pk), stdout=out)
    assert "why: Wrong price" in out.getvalue()
    assert "state: draft -> posted" in out.getvalue()


def test_what_never_was_has_no_life() -> None:
    with pytest.raises(NotFound, match="never existed"):
        life("billing.Invoice", 10**9)
    with pytest.raises(NotFound, match="no model"):
        life("billing.Nothing", 1)


def test_bank_details_are_shown_by_their_last_characters(team: Team) -> None:
    entity = books(team)["US"]

    shown = [str(c) for e in life("ledger.LegalEntity", entity.pk) for c in e.changes]

    assert not [text for text in shown if entity.bank_account in text]
    assert f"bank_account: {vault.masked(entity.bank_account)}" in shown
    assert masked("name", "Acme") == "Acme"


def test_a_second_person_that_was_not_one_is_an_exception(team: Team, memo: Invoice, as_owner: Any) -> None:
    start, end = today()
    assert reperform(control("C-06"), start, end).rows == []

    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE billing_invoice DROP CONSTRAINT billing_invoice_posted_by_second_person")
        cursor.execute("ALTER TABLE billing_invoice DISABLE TRIGGER USER")
        cursor.execute("UPDATE billing_invoice SET posted_by_id = drafted_by_id WHERE id = %s", [memo.pk])
        cursor.execute("UPDATE billing_invoice SET net = net - 1, total = total - 1 WHERE id = %s", [memo.pk])

    assert [tuple(row) for row in reperform(control("C-06"), start, end).rows] == [
        (memo.pk, "posted by whoever drafted it"),
        (memo.pk, "posted by whoever wrote a line"),
    ]
    problems = {problem for _, problem in reperform(control("C-05b"), start, end).rows}
    assert problems == {"net is not the sum of its lines"}
    with pytest.raises(CommandError, match="2 exceptions in 1 items"):
        call_command("audit", "reperform", "C-06", "--from", str(start), "--to", str(end), stderr=StringIO())


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_pack_opens_without_us(memo: Invoice, tmp_path: Path) -> None:
    start, end = today()
    made = pack(control("C-05b"), start=start, end=end, count=1, seed="42", place=tmp_path / "a")

    assert (made.population, made.sample, made.exceptions) == (2, 1, 0)
    rows = read(tmp_path / "a" / "population.csv")
    assert [Decimal(row["net"]) for row in rows] == [Decimal("100000.00"), Decimal("-20000.00")]
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert {code: Decimal(total) for code, total in manifest["sums"]["net"].items()} == {
        "USD": Decimal("80000.00")
    }
    assert manifest["made_by"] == "o2c_auditor"
    assert made.digest == hashlib.sha256((made.place / "manifest.json").read_bytes()).hexdigest()
    for line in (tmp_path / "a" / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((tmp_path / "a" / name).read_bytes()).hexdigest() == digest
    chosen = read(tmp_path / "a" / "sample.csv")[0]["id"]
    assert chosen == str(draw([int(row["id"]) for row in rows], 1, "42")[0])
    assert read(tmp_path / "a" / "items" / f"{chosen}.csv")[0]["what"].startswith("billing.Invoice")

    again = pack(control("C-05b"), start=start, end=end, count=1, seed="42", place=tmp_path / "b")
    assert (again.place / "sample.csv").read_bytes() == (made.place / "sample.csv").read_bytes()
    with pytest.raises(InvalidInput, match="is not empty"):
        pack(control("C-05b"), start=start, end=end, count=1, seed="42", place=tmp_path / "a")


def test_no_text_of_a_pack_is_a_formula(tmp_path: Path) -> None:
    start, end = today()
    bold = Control(
        code="C-X", title="t", risk="r", kind="detective", enforced_by="e", model="access.Role",
        population="SELECT id, '=1+1' AS name, -5.00::numeric AS amount FROM access_role"
        " WHERE %(start)s::date < %(end)s::date LIMIT 1",
        exceptions="SELECT 1 AS id, '' AS problem WHERE %(start)s::date > %(end)s::date",
    )  # fmt: skip
    made = pack(bold, start=start, end=end, count=1, seed="1", place=tmp_path / "x")

    assert read(made.place / "population.csv")[0]["name"] == "'=1+1"
    assert read(made.place / "population.csv")[0]["amount"] == "-5.00"


def test_an_unknown_control_names_those_that_there_are() -> None:
    with pytest.raises(NotFound) as refused:
        control("C-99")
    assert "C-06" in refused.value.remedy


def test_sums_are_apart_for_each_currency() -> None:
    rows = [(1, "USD", Decimal("10.00")), (2, "EUR", Decimal("5.00")), (3, "USD", Decimal("0.50"))]
    assert Table(["id", "currency", "net"], rows).sums() == {"net": {"EUR": "5.00", "USD": "10.50"}}
    assert Table(["id", "net"], [(1, Decimal("1.00"))]).sums() == {"net": "1.00"}


def test_who_takes_a_pack_and_which_is_on_record(memo: Invoice, tmp_path: Path) -> None:
    """The files cannot be changed afterwards: what they were is a sealed row."""
    make_user("audrey", "auditor")
    start, end = today()
    call_command(
        "audit", "pack", "C-06", "--from", str(start), "--to", str(end), "--seed", "1",
        "--out", str(tmp_path / "pack"), "--by", "audrey", stdout=StringIO(),
    )  # fmt: skip
    manifest = (tmp_path / "pack" / "manifest.json").read_bytes()
    assert json.loads(manifest)["made_by"] == "audrey"
    event = ReadEvent.objects.get(kind="file")
    assert event.what.endswith(f"manifest {hashlib.sha256(manifest).hexdigest()}")


@pytest.fixture
def as_auditor(as_owner: Any) -> Iterator[None]:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SET ROLE o2c_auditor")
        yield


def test_the_auditor_makes_it_alone(memo: Invoice, as_auditor: None, tmp_path: Path) -> None:
    """With the rights of the role that reads: no password of anybody, no write."""
    start, end = today()
    made = pack(control("C-06"), start=start, end=end, count=5, seed="42", place=tmp_path / "pack")
    assert (made.population, made.place) == (1, tmp_path / "pack")
    assert (made.place / "manifest.json").is_file()
    assert [event.who for event in life("billing.Invoice", memo.pk) if event.kind.startswith("approve")] == [
        "abe"
    ]
    assert reperform(control("C-06"), start, end).rows == []


def test_a_pack_that_fails_leaves_nothing(
    memo: Invoice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("o2c.evidence.pack._item", broken)
    start, end = today()
    with pytest.raises(OSError, match="No space"):
        pack(control("C-06"), start=start, end=end, count=5, seed="42", place=tmp_path / "pack")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("keys", "seen"), [("", "•••• (sealed)"), (None, "•••• 8837")])
def test_bank_data_leaves_masked_with_and_without_the_key(
    team: Team, settings: Any, keys: str | None, seen: str
) -> None:
    us = LegalEntity.objects.get(code="US")
    with acting(Actor.installer(), reason="test set-up"):
        other = LegalEntity.objects.create(
            code="ZZ", name="Other", legal_name="Other Ltd", currency="USD", country="US",
            bank_account="4401928837",
        )  # fmt: skip
    if keys is not None:
        settings.FIELD_KEYS = keys
    said = {
        change.name: change.after
        for event in life("ledger.LegalEntity", other.pk)
        for change in event.changes
    }
    assert said["bank_account"] == seen
    assert us.bank_account not in "".join(map(str, life("ledger.LegalEntity", us.pk)))
