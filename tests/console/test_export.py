"""Lists as workbooks."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from decimal import Decimal

import pytest
from django.urls import reverse
from openpyxl import load_workbook
from openpyxl.workbook import Workbook

from o2c.actor import Actor
from o2c.console import export
from o2c.console.export import ExportColumn
from o2c.console.models import ExportEvent
from o2c.ledger import services
from tests.console.conftest import SignIn

pytestmark = pytest.mark.django_db

URL = "/admin/ledger/exchangerate/export/"


@pytest.fixture
def rates(maker: Actor) -> None:
    services.load_rates(
        [
            ("USD", "EUR", dt.date(2026, 8, 1), Decimal("0.912300000001")),
            ("GBP", "EUR", dt.date(2026, 8, 1), Decimal("1.165400000000")),
        ],
        source="=HYPERLINK(1)",
        actor=maker,
    )


def opened(content: bytes) -> Workbook:
    return load_workbook(io.BytesIO(content))


def test_the_workbook_holds_the_filtered_list(signed_in: SignIn, rates: None) -> None:
    response = signed_in("auditor").post(f"{URL}?from_currency__exact=USD")

    rows = list(opened(response.content)["Rows"].values)
    assert rows[0] == ("Valid on", "From currency", "To currency", "Rate", "Source")
    assert rows[1][0] == dt.datetime(2026, 8, 1)
    assert rows[1][1:4] == ("USD", "EUR", 0.912300000001)
    assert len(rows) == 2


def test_text_that_begins_like_a_formula_is_defused(signed_in: SignIn, rates: None) -> None:
    response = signed_in("auditor").post(URL)

    cell = opened(response.content)["Rows"]["E2"]
    assert cell.value == "'=HYPERLINK(1)"
    assert cell.data_type == "s"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "|calc", "%x"])
def test_every_dangerous_beginning_is_defused(text: str) -> None:
    assert export.defused(text) == f"'{text}"


def test_totals_are_live_formulas_per_currency() -> None:
    class Row:
        def __init__(self, amount: str, currency: str) -> None:
            self.amount, self.currency = Decimal(amount), currency

    columns = [
        ExportColumn("Amount", "money", lambda row: row.amount),
        ExportColumn("Currency", "text", lambda row: row.currency),
    ]

    content = export.workbook("x", columns, [Row("100.10", "USD"), Row("7", "EUR"), Row("0.90", "USD")], [])

    sheet = opened(content)["Totals"]
    assert list(sheet.values)[1:] == [
        ("EUR", "=SUMIF(Rows!$B$2:$B$4,$A2,Rows!$A$2:$A$4)"),
        ("USD", "=SUMIF(Rows!$B$2:$B$4,$A3,Rows!$A$2:$A$4)"),
    ]


def test_an_amount_that_a_spreadsheet_would_round_is_written_as_text() -> None:
    columns = [ExportColumn("Amount", "money", lambda row: row)]

    content = export.workbook("x", columns, [Decimal("12345678901234567.89"), Decimal("1.5")], [])

    rows = list(opened(content)["Rows"].values)
    assert rows[1:] == [("12345678901234567.89",), (1.5,)]


def test_the_download_is_on_record_with_the_hash_of_the_file(signed_in: SignIn, rates: None) -> None:
    response = signed_in("auditor", username="audrey").post(f"{URL}?from_currency__exact=USD")

    event = ExportEvent.objects.get()
    assert event.user.username == "audrey"
    assert (event.model, event.rows, event.filters) == ("ledger.exchangerate", 1, "from_currency__exact=USD")
    assert event.sha256 == hashlib.sha256(response.content).hexdigest()
    assert event.file_name in response["Content-Disposition"]


def test_exporting_needs_its_duty(signed_in: SignIn, rates: None) -> None:
    client = signed_in("admin")

    assert client.post("/admin/access/user/export/").status_code == 403
    assert not ExportEvent.objects.exists()


def test_a_get_exports_nothing(signed_in: SignIn, rates: None) -> None:
    assert signed_in("auditor").get(URL).status_code == 405


def test_too_many_rows_are_refused_with_a_hint(
    signed_in: SignIn, rates: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "LIMIT", 1)

    response = signed_in("auditor").post(URL, follow=True)

    assert "Filter the list." in response.content.decode()
    assert not ExportEvent.objects.exists()


def test_the_read_me_sheet_says_what_the_file_is(signed_in: SignIn, rates: None) -> None:
    response = signed_in("auditor", username="audrey").post(f"{URL}?from_currency__exact=USD")

    facts = {row[0]: row[1] for row in opened(response.content)["Read me"].values}
    assert facts["Filter"] == "from_currency__exact=USD"
    assert facts["Taken by"] == "audrey"
    assert facts["Rows"] == "1"


def test_every_list_that_may_be_exported_can_be(signed_in: SignIn) -> None:
    """Columns of every registered list resolve to something that a sheet can hold."""
    from django.contrib import admin
    from django.test import RequestFactory

    from o2c.console import RecordAdmin

    request = RequestFactory().get("/")
    for model_admin in admin.site._registry.values():
        if isinstance(model_admin, RecordAdmin) and model_admin.exportable:
            assert export.columns_of(model_admin, request), model_admin


def test_the_list_page_offers_the_button_to_holders_only(signed_in: SignIn, rates: None) -> None:
    url = reverse("admin:ledger_exchangerate_changelist")

    assert "export/" in signed_in("auditor").get(url).content.decode()
