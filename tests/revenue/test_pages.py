"""The console of revenue: every page opens, says what it must, and its buttons do what they say."""

import io
from collections.abc import Callable
from decimal import Decimal as D

import openpyxl
import pytest
from django.core.cache import cache
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from o2c.access.models import User
from o2c.console.models import ExportEvent
from revenue.admin import pages
from revenue.models import (
    Adjustment,
    CloseRun,
    GlExport,
    Obligation,
    Recognition,
    RecognitionRun,
    RevenueContract,
)
from revenue.selectors import reports
from revenue.services import close, exports
from tests.factories.access import make_user
from tests.factories.orders import line, make_order
from tests.factories.revenue import Books, invoice, recognise, use

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]


@pytest.fixture
def signed_in(books: Books) -> SignIn:
    cache.clear()

    def sign_in(username: str, *roles: str) -> Client:
        user = User.objects.filter(username=username).first() or make_user(username, *roles)
        client = Client()
        client.force_login(user, backend="o2c.access.backends.DutyBackend")
        return client

    return sign_in


@pytest.fixture
def august(books, customer):
    lines = [line("SEATS", 10), line("TOKENS"), line("ONBOARDING", 1, discount_percent=D(50))]
    make_order(books.team, customer, lines, state="active")
    use(books, customer, "4000000", "2026-08-10")
    invoice(books, "2026-09-01")
    recognise(books, "2026-08")
    return books.period("2026-08")


@pytest.fixture
def accountant(signed_in: SignIn) -> Client:
    return signed_in("accountant")


def shown(response) -> str:
    assert response.status_code == 200, response.content[:500]
    return response.content.decode()


def test_a_contract_shows_where_it_stands(accountant, august):
    contract = RevenueContract.objects.get()

    page = shown(accountant.get(reverse("admin:revenue_revenuecontract_change", args=[contract.pk])))

    for words in ("Obligations", "Revenue by month", "Versions", "Journals", "2026-08", "1. Seats"):
        assert words in page
    # 6,050.00 over stand-alone prices of 4,800.00 and 2,500.00
    assert "3,978.08" in page
    assert "2,071.92" in page


def test_usage_is_not_what_a_schedule_has_to_post(books, august):
    from revenue.selectors import standing

    first = standing.months(RevenueContract.objects.get())[0]

    # A month of seats and the onboarding are planned; 4,000,000 tokens were charged beside them.
    assert first.charged == D("10.00")
    assert first.posted == first.planned + D("10.00")
    assert first.open == 0


MODELS: list[type[Model]] = [RevenueContract, Obligation, Recognition, RecognitionRun, Adjustment]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_lists_and_records_open(accountant, august, model):
    name = f"admin:revenue_{model._meta.model_name}"
    shown(accountant.get(reverse(f"{name}_changelist")))
    shown(accountant.get(reverse(f"{name}_change", args=[model._default_manager.earliest("pk").pk])))


@pytest.mark.parametrize("sku", ["SEATS", "TOKENS", "ONBOARDING"])
def test_every_cent_of_revenue_says_why_and_agrees_with_itself(accountant, august, sku):
    row = Recognition.objects.get(obligation__order_line__sku__code=sku)

    page = shown(accountant.get(reverse("admin:revenue_recognition_why", args=[row.pk, "amount"])))

    assert "It agrees" in page
    assert "In the ledger" in page


def test_prices_say_why(accountant, august):
    contract = RevenueContract.objects.get()
    seats = contract.obligations.get(order_line__sku__code="SEATS")

    price = shown(accountant.get(reverse("admin:revenue_obligation_why", args=[seats.pk, "allocated"])))
    total = shown(
        accountant.get(reverse("admin:revenue_revenuecontract_why", args=[contract.pk, "transaction_price"]))
    )

    assert "606-10-32-31" in price
    assert "It agrees" in price
    assert "It agrees" in total


def test_the_close_is_worked_on_its_page(books, signed_in, august):
    """Start, run, explain, sign and lock, each by its button, by two people."""
    accountant, controller = signed_in("accountant"), signed_in("controller")
    start = reverse("admin:revenue_closerun_list_act", args=["start"])
    assert accountant.post(start, {"period_id": august.pk}).status_code == 302
    run = CloseRun.objects.get()
    page = reverse("admin:revenue_closerun_change", args=[run.pk])
    assert "The tie-outs have not been run yet" in shown(accountant.get(page))

    def act(client, name, **fields):
        state = CloseRun.objects.get(pk=run.pk).state
        address = reverse("admin:revenue_closerun_act", args=[run.pk, name])
        response = client.post(address, {"seen_state": state, **fields})
        assert response.status_code == 302, response.content.decode()[-3000:]

    act(accountant, "tie_outs")
    text = shown(accountant.get(page))
    assert "1 items differ and nobody has explained them" in text
    assert "Every journal is exported once" in text
    act(accountant, "explain", code="export.complete", reason="The file follows after the lock")
    assert "Every item agrees or is explained" in shown(accountant.get(page))
    act(accountant, "prepare")
    refused = accountant.post(
        reverse("admin:revenue_closerun_act", args=[run.pk, "lock"]), {"seen_state": "prepared"}
    )
    assert refused.status_code != 302
    act(controller, "lock")

    assert books.period("2026-08").state == "closed"
    assert "Locked: nothing posts to this period any more" in shown(controller.get(page))


def test_an_item_of_the_checklist_opens_to_its_rows_and_its_question(books, accountant, august):
    run = close.start(august.pk, actor=books.accountant)
    close.run_tie_outs(run.pk, actor=books.accountant)

    page = shown(accountant.get(reverse("admin:revenue_closerun_item", args=[run.pk, "contract.posted"])))

    assert "line 1 2026-08" in page
    assert "FROM revenue_scheduleslice" in page
    assert accountant.get(reverse("admin:revenue_closerun_item", args=[run.pk, "no.such"])).status_code == 404


def test_the_trial_balance_and_its_workbook(books, accountant, august):
    page = shown(accountant.get(reverse("admin:revenue_trial_balance"), {"period": august.pk}))
    assert "Debits equal credits, and all balances together are zero" in page

    response = accountant.get(reverse("admin:revenue_trial_balance_xlsx"), {"period": august.pk})

    book = openpyxl.load_workbook(io.BytesIO(response.content))
    sheet = book["Trial balance"]
    accounts = [sheet.cell(row, 1).value for row in range(2, sheet.max_row + 1)]
    at = accounts.index("4005") + 2
    assert sheet.cell(at, 6).value == 337.86  # 3,978.08 x 31/365
    assert sheet.cell(at, 7).value == f"=D{at}+E{at}-F{at}"
    total = accounts.index("Total") + 2
    assert sheet.cell(total, 9).value == f"=SUM(I2:I{total - 1})"
    assert book["Read me"]["B2"].value is not None
    assert ExportEvent.objects.get().file_name == "trial-balance-US-2026-08.xlsx"


def test_the_waterfall_and_its_workbook(accountant, august):
    page = shown(accountant.get(reverse("admin:revenue_waterfall")))
    assert "Recognised through 2026-08, planned after it" in page
    assert "<svg" in page

    response = accountant.get(reverse("admin:revenue_waterfall_xlsx"), {"currency": "USD"})

    sheet = openpyxl.load_workbook(io.BytesIO(response.content))["Waterfall"]
    titles = [cell.value for cell in sheet[1]]
    assert titles[:2] == ["Contracts from", "2026-08"]
    assert titles[-3:] == ["Booked", "Recognised", "Remaining"]
    assert sheet["A2"].value == "2026-08"
    assert sheet["N2"].value == "=SUM(B2:M2)"
    assert sheet["O2"].value == 2409.78
    assert sheet["P2"].value == "=N2-O2"


def test_the_balances_page_rolls(accountant, august):
    page = shown(accountant.get(reverse("admin:revenue_balances"), {"period": august.pk}))

    assert "Remaining performance obligations after US 2026-08" in page
    assert "3,640.22" in page  # 6,050.00 less 2,409.78

    for mine, ledger in zip(pages._roll(august, "1110"), reports.roll_forward(august, "1110"), strict=True):
        assert (mine.closing, mine.recognised) == (-ledger.closing, -ledger.recognised)
        assert mine.recognised == D("10.00")  # tokens: owed to us, no minus
        assert mine.ties


def test_exports_are_worked_by_buttons(books, accountant, august):
    build = reverse("admin:revenue_glexport_list_act", args=["build"])
    assert accountant.post(build, {"period_id": august.pk, "format": "netsuite"}).status_code == 302
    export = GlExport.objects.get()
    act = lambda name: reverse("admin:revenue_glexport_act", args=[export.pk, name])  # noqa: E731
    assert accountant.post(act("mark_sent"), {"seen_state": "built"}).status_code == 302
    accountant.post(
        act("acknowledge"),
        {"seen_state": "sent", "lines": export.lines, "total_debit": str(export.total_debit)},
    )

    export.refresh_from_db()
    assert export.state == "acknowledged"
    assert "Lines of the file" in shown(
        accountant.get(reverse("admin:revenue_glexport_change", args=[export.pk]))
    )


def test_home_shows_the_figures_of_revenue(books, accountant, august):
    exports.build(august.pk, actor=books.accountant)

    home = shown(accountant.get(reverse("admin:index")))
    page = shown(accountant.get(reverse("admin:figures")))  # the home page fetches them once it is shown

    for words in (
        "Revenue of the month",
        "Deferred revenue",
        "Unbilled",
        "Remaining obligations",
        "Open tie-outs",
    ):
        assert words in page
    assert "Ledger exports to send" in home


def test_the_money_strip_ends_in_revenue(accountant, august, customer):
    contract = RevenueContract.objects.get()

    page = shown(accountant.get(reverse("admin:revenue_revenuecontract_change", args=[contract.pk])))

    assert "2,419.78" in page  # schedule of August and 10.00 of usage


def test_a_person_without_the_duty_sees_nothing(signed_in, august):
    outsider = signed_in("desk", "deal_desk")

    assert outsider.get(reverse("admin:revenue_trial_balance")).status_code == 403
    assert outsider.get(reverse("admin:revenue_closerun_changelist")).status_code == 403


def test_pages_open_before_anything_was_posted(accountant):
    for name in ("trial_balance", "waterfall", "balances"):
        shown(accountant.get(reverse(f"admin:revenue_{name}")))
    shown(accountant.get(reverse("admin:revenue_closerun_changelist")))
    shown(accountant.get(reverse("admin:index")))
