"""The file for the general ledger: every journal once, totals that agree, text that is no formula."""

import csv
import io
from decimal import Decimal as D

import pytest
from django.db import DatabaseError, connection

from o2c.actor import acting
from o2c.documents.models import Document
from o2c.errors import Conflict, InvalidInput, NotAuthorised
from o2c.ledger.models import Journal
from revenue.models import GlExport, GlExportJournal, GlExportLine
from revenue.services import exports
from revenue.services.export_formats import text
from tests.factories.orders import line, make_order
from tests.factories.revenue import invoice, recognise, use

pytestmark = pytest.mark.django_db


@pytest.fixture
def august(books, customer):
    make_order(books.team, customer, [line("SEATS", 10), line("TOKENS"), line("ONBOARDING")], state="active")
    use(books, customer, "4000000", "2026-08-10")
    invoice(books, "2026-09-01")
    recognise(books, "2026-08")
    return books.period("2026-08")


def read(export):
    content = bytes(Document.objects.get(pk=export.document_id).content)
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_the_netsuite_file_holds_every_journal_of_the_period(books, august):
    export = exports.build(august.pk, actor=books.accountant)

    rows = read(export)
    assert export.external_id == "US-2026-08-01"
    assert (len(rows), export.journals) == (export.lines, Journal.objects.filter(period=august).count())
    assert sum(D(r["Debit"] or "0") for r in rows) == export.total_debit
    assert sum(D(r["Credit"] or "0") for r in rows) == export.total_credit == export.total_debit
    revenue = [r for r in rows if r["Account"] == "4005"]
    assert [(r["Credit"], r["Class"], r["Posting Period"], r["Date"]) for r in revenue] == [
        ("407.67", "100", "2026-08", "08/31/2026")
    ]


def test_every_entry_of_the_file_balances(books, august):
    export = exports.build(august.pk, actor=books.accountant)

    groups: dict[str, D] = {}
    for row in read(export):
        groups.setdefault(row["External ID"], D(0))
        groups[row["External ID"]] += D(row["Debit"] or "0") - D(row["Credit"] or "0")
    assert set(groups.values()) == {D(0)}
    assert GlExportLine.objects.filter(export=export).count() == export.lines


def test_a_journal_is_exported_once(books, customer, august):
    exports.build(august.pk, actor=books.accountant)
    with pytest.raises(Conflict, match="Every journal of the period is exported"):
        exports.build(august.pk, actor=books.accountant)

    use(books, customer, "4000000", "2026-08-12")
    recognise(books, "2026-08")
    second = exports.build(august.pk, actor=books.accountant)

    assert (second.external_id, second.journals, second.total_debit) == ("US-2026-08-02", 1, D("10.00"))
    assert GlExportJournal.objects.count() == Journal.objects.filter(period=august).count()


def test_the_database_holds_that_a_journal_is_in_one_batch(books, august):
    export = exports.build(august.pk, actor=books.accountant)
    journal = Journal.objects.filter(period=august).earliest("pk")

    with pytest.raises(DatabaseError, match="unique"), acting(books.accountant, reason="test"):
        GlExportJournal.objects.create(export=export, journal=journal)


def test_a_file_never_changes(books, august):
    export = exports.build(august.pk, actor=books.accountant)

    with pytest.raises(DatabaseError), acting(books.accountant, reason="test"):
        GlExport.objects.filter(pk=export.pk).update(total_debit=1, total_credit=1)
    with pytest.raises(DatabaseError), acting(books.accountant, reason="test"), connection.cursor() as cursor:
        cursor.execute("UPDATE revenue_glexportline SET debit = 1 WHERE export_id = %s", [export.pk])


def test_the_ledger_takes_it_whole_or_not_at_all(books, august):
    export = exports.build(august.pk, actor=books.accountant)
    exports.mark_sent(export.pk, actor=books.accountant)

    with pytest.raises(Conflict, match="The ledger took 3 lines"):
        exports.acknowledge(
            export.pk, lines=3, total_debit=export.total_debit, actor=books.accountant
        )  # fmt: skip
    done = exports.acknowledge(
        export.pk,
        lines=export.lines,
        total_debit=export.total_debit,
        gl_reference="NS-1",
        actor=books.accountant,
    )

    assert (done.state, done.gl_reference) == ("acknowledged", "NS-1")


def test_a_rejected_file_is_sent_again_unchanged(books, august):
    export = exports.build(august.pk, actor=books.accountant)
    exports.mark_sent(export.pk, actor=books.accountant)
    with pytest.raises(InvalidInput, match="what the ledger answered"):
        exports.reject(export.pk, actor=books.accountant, reason="")
    exports.reject(export.pk, actor=books.accountant, reason="Account 4005 is inactive")

    again = exports.mark_sent(export.pk, actor=books.accountant)

    assert (again.state, again.sha256) == ("sent", export.sha256)


def test_the_oracle_file_follows_the_template_by_position(books, august):
    export = exports.build(august.pk, actor=books.accountant, format="oracle")

    content = bytes(Document.objects.get(pk=export.document_id).content).decode()
    rows = list(csv.reader(io.StringIO(content)))
    assert {r[0] for r in rows} == {"NEW"}
    assert {r[2] for r in rows} == {"2026/08/31"}
    assert {r[7] for r in rows} == {"A"}
    entered = [(r[38], r[39]) for r in rows]
    assert all((debit == "") != (credit == "") for debit, credit in entered)
    assert sum(D(debit or "0") for debit, _ in entered) == sum(D(credit or "0") for _, credit in entered)
    assert {(r[8], r[42]) for r in rows} == {("US", "US-2026-08-01")}


@pytest.mark.parametrize("payload", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_text_that_a_spreadsheet_would_run_is_defused(payload):
    assert text(payload) == "'" + payload


def test_an_unknown_format_is_refused(books, august):
    with pytest.raises(InvalidInput, match="not a format"):
        exports.build(august.pk, actor=books.accountant, format="sap")


def test_who_may_export(books, august):
    with pytest.raises(NotAuthorised):
        exports.build(august.pk, actor=books.controller)
