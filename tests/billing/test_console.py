"""The pages of billing: they open, explain their numbers, and their buttons do what the services do."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing.admin import explain
from billing.admin.forms import ReceiptForm
from billing.models import (
    Application,
    BillRun,
    BillRunFinding,
    Dispute,
    DunningLevel,
    Invoice,
    InvoiceDelivery,
    InvoiceLine,
    Receipt,
    TaxRate,
)
from billing.services import collections, delivery, disputes, documents, receipts
from o2c import clock
from o2c.access.models import User
from o2c.access.system import system_actor
from o2c.console.registry import Anchor, Chart, Kpi, Queue, StripStage, registry
from o2c.runtime.models import Job
from orders.models import Customer, Order
from tests.factories.billing import Team, bill, post_invoice, receive
from tests.factories.orders import line, make_customer, make_order

pytestmark = pytest.mark.django_db
TODAY = dt.date(2026, 10, 20)
TIMES = "\N{MULTIPLICATION SIGN}"
ON = dt.date(2026, 9, 10)
D = Decimal


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    monkeypatch.setattr(clock, "today", lambda tz="UTC": TODAY)


def signed_in(username: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=username), backend="o2c.access.backends.DutyBackend")
    return client


def entry(kind: type, code: str) -> Any:
    found = registry.get(kind, code)
    assert found is not None
    return found


@pytest.fixture
def order(team: Team, customer: Customer) -> Order:
    return make_order(
        team.orders, customer, [line("SEATS", 10), line("TOKENS")], state="active", terms={"po_number": "PO"}
    )


@pytest.fixture
def populated(team: Team, customer: Customer, order: Order) -> dict[Any, Any]:
    """One of everything: a posted run, a part payment, a dispute, a reminder, a delivery that failed."""
    run = bill(team, dt.date(2026, 9, 1))
    bill(team, dt.date(2026, 10, 1), upto="calculated")
    invoice = Invoice.objects.get(run=run)
    documents.render(invoice.pk, actor=system_actor())
    receipt = receive(team, customer, "100.00", reference=invoice.number or "")
    receipts.apply(receipt.pk, [(invoice.pk, D("60.00"))], applied_on=ON, actor=team.cash)
    disputes.open_dispute(
        invoice.pk, reason_code="price", opened_on=ON, amount=D("5.00"), actor=team.cash, description="Why?"
    )
    collections.save_plan(actor=team.cash)
    collections.remind(as_of=TODAY, actor=team.cash)
    delivery.queue([invoice.pk], actor=system_actor())
    models = (
        Application,
        BillRun,
        BillRunFinding,
        Dispute,
        DunningLevel,
        Invoice,
        InvoiceDelivery,
        InvoiceLine,
        Receipt,
        TaxRate,
    )
    return {model: model._default_manager.order_by("pk").first() for model in models}


def test_every_list_and_record_opens(populated: dict[Any, Any]) -> None:
    client = signed_in("bea")
    for model, row in populated.items():
        name = model._meta.model_name
        for url in (
            reverse(f"admin:billing_{name}_changelist"),
            reverse(f"admin:billing_{name}_change", args=(row.pk,)),
        ):
            response = client.get(url)
            assert response.status_code == 200, f"{url}: {response.status_code}"
    for model in admin.site._registry:
        if model._meta.app_label == "billing":
            url = reverse(f"admin:billing_{model._meta.model_name}_changelist")
            assert client.get(url).status_code == 200, url


def test_lists_ask_the_same_number_of_questions_for_ten_rows_and_for_one(
    team: Team, customer: Customer
) -> None:
    client = signed_in("bea")

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert client.get(reverse("admin:billing_invoice_changelist")).status_code == 200
        return len(found)

    post_invoice(team, customer, "1.00")
    queries()
    one = queries()
    for _ in range(10):
        post_invoice(team, customer, "1.00")

    assert queries() == one


def test_the_run_page_shows_its_control_totals_and_findings(populated: dict[Any, Any]) -> None:
    calculated = BillRun.objects.get(state="calculated")

    page = (
        signed_in("abe").get(reverse("admin:billing_billrun_change", args=(calculated.pk,))).content.decode()
    )

    for expected in ("Control totals", "Findings by kind", "435.50", "Documents", "Release"):
        assert expected in page, expected


def test_a_second_person_releases_by_button_and_the_first_is_told_why_not(team: Team, order: Order) -> None:
    run = bill(team, dt.date(2026, 9, 1), upto="calculated")
    url = reverse("admin:billing_billrun_act", args=(run.pk, "release"))

    signed_in("bea").post(url, {"reason": "me"})
    assert BillRun.objects.get(pk=run.pk).state == "calculated"
    response = signed_in("abe").post(url, {"reason": "Totals agree"})

    assert response.status_code in (200, 204, 302), response.content[:500]
    released = BillRun.objects.get(pk=run.pk)
    assert (released.state, released.released_by and released.released_by.username) == ("released", "abe")
    row = BillRun.history.filter(id=run.pk).first()
    assert (row.history_actor, row.history_change_reason) == ("abe", "Totals agree")


def test_planning_calculating_and_posting_by_button_are_jobs(
    team: Team, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    from o2c.runtime import jobs

    monkeypatch.setattr(jobs, "send", lambda job_id: None)
    client = signed_in("bea")

    client.post(
        reverse("admin:billing_billrun_list_act", args=("plan",)),
        {"entity_id": order.entity_id, "through": "2026-08-31", "currency": "", "reason": "August"},
    )
    run = BillRun.objects.get()
    assert (run.through, run.issue_on, run.state) == (
        dt.date(2026, 9, 1),
        dt.date(2026, 8, 31),
        "planned",
    )
    client.post(reverse("admin:billing_billrun_act", args=(run.pk, "calculate")), {})
    job = Job.objects.get()
    assert (job.kind, job.state) == ("billing.run.calculate", "queued")

    jobs.run(job.pk)

    run.refresh_from_db()
    job.refresh_from_db()
    assert (run.state, job.state, job.counts["invoices"]) == ("calculated", "succeeded", 1)
    assert run.calculated_by is not None
    assert run.calculated_by.username == "bea"


def test_a_receipt_is_recorded_and_applied_by_button(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")
    client = signed_in("cal")

    client.post(
        reverse("admin:billing_receipt_list_act", args=("record",)),
        {
            "entity_id": customer.entity_id,
            "customer": customer.number,
            "amount": "60.00",
            "currency": "USD",
            "received_on": "2026-09-10",
            "method": "wire",
            "reference": "part",
        },
    )
    receipt = Receipt.objects.get()
    act = reverse("admin:billing_receipt_act", args=(receipt.pk, "apply"))
    assert str(invoice.number) in client.get(act).content.decode()
    client.post(act, {"applied_on": "2026-09-10", f"invoice_{invoice.pk}": "60.00"})

    invoice.refresh_from_db()
    assert invoice.open_amount == D("48.88")
    client.post(
        reverse("admin:billing_receipt_act", args=(receipt.pk, "unapply")),
        {"application_id": Application.objects.get().pk, "on": "2026-09-11", "reason": "Wrong invoice"},
    )
    invoice.refresh_from_db()
    assert invoice.open_amount == D("108.88")


def test_a_line_is_credited_by_button_and_posted_by_another(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00", "50.00")
    row = invoice.lines.get(position=2)

    signed_in("bea").post(
        reverse("admin:billing_invoice_act", args=(invoice.pk, "credit")),
        {
            "reason_code": "price_correction",
            "issue_date": "2026-09-10",
            f"line_{row.pk}": "20.00",
            "reason": "Agreed",
        },
    )
    memo = Invoice.objects.get(kind="credit_memo")
    assert (memo.net, memo.state) == (D("-20.00"), "draft")
    signed_in("abe").post(reverse("admin:billing_invoice_act", args=(memo.pk, "post")), {"reason": "ok"})
    memo.refresh_from_db()
    assert memo.state == "posted"


def test_every_number_of_an_invoice_opens_to_its_working(populated: dict[Any, Any]) -> None:
    client = signed_in("bea")
    invoice = Invoice.objects.get(state="posted")
    row = invoice.lines.get()

    total = client.get(reverse("admin:billing_invoice_why", args=(invoice.pk, "total"))).content.decode()
    net = client.get(explain.why_line(row)).content.decode()

    assert "435.50" in total
    assert f"10 {TIMES} 40 = 400, rounded 400.00" in net
    working = explain.line_net(row)
    assert working.recomputed == working.amount == D("400.00")


def test_a_changed_contract_shows_in_the_recomputation(team: Team, order: Order) -> None:
    from orders.services import amendments

    bill(team, dt.date(2026, 9, 1))
    row = InvoiceLine.objects.get()
    drafted = amendments.draft(
        order.pk,
        kind="cancel",
        effective_on=dt.date(2026, 8, 16),
        changes={"mode": "backdated"},
        as_of=dt.date(2026, 9, 5),
        actor=team.orders,
        reason="Closed",
    )
    amendments.apply(drafted.pk, actor=team.orders, as_of=dt.date(2026, 9, 5))

    assert explain.line_net(row).recomputed == D("193.55")  # 400.00 x 15/31


def test_queues_figures_charts_and_strip_answer(populated: dict[Any, Any], customer: Customer) -> None:
    user = User.objects.get(username="cal")
    for queue in registry.all(Queue):
        if queue.code.startswith("billing."):
            rows = list(queue.rows(user)[:5])
            if callable(queue.why):
                assert all(queue.why(row) for row in rows)
    counted = {
        code: entry(Queue, code).rows(user).count()
        for code in (
            "billing.run.release",
            "billing.receipts.unapplied",
            "billing.overdue",
            "billing.disputes",
        )
    }
    assert counted == {
        "billing.run.release": 1,
        "billing.receipts.unapplied": 1,
        "billing.overdue": 1,
        "billing.disputes": 1,
    }
    shown = {kpi.code: kpi.value().text for kpi in registry.all(Kpi) if kpi.code.startswith("billing.")}
    assert shown["billing.overdue"] == "375.50 USD"
    assert shown["billing.unapplied"] == "40.00 USD"
    assert "days in " in shown["billing.dso"]
    for chart in registry.all(Chart):
        if chart.code.startswith("billing."):
            assert chart.data().labels
    (order_id,) = Order.objects.values_list("pk", flat=True)
    for anchor in (Anchor("order", (order_id,)), Anchor("customer", (customer.pk,))):
        (billed,) = entry(StripStage, "invoice").amounts(anchor)
        (paid,) = entry(StripStage, "cash").amounts(anchor)
        assert (billed.amount, paid.amount) == (D("435.50"), D("60.00"))


def test_home_opens_for_every_persona(populated: dict[Any, Any]) -> None:
    for username in ("bea", "abe", "connie", "cal"):
        assert signed_in(username).get("/admin/").status_code == 200


def test_an_auditor_reads_and_changes_nothing(populated: dict[Any, Any]) -> None:
    from tests.factories.access import make_user

    make_user("ada", "auditor")
    client = signed_in("ada")
    invoice = Invoice.objects.get(state="posted")
    assert client.get(reverse("admin:billing_invoice_change", args=(invoice.pk,))).status_code == 200
    client.post(reverse("admin:billing_invoice_act", args=(invoice.pk, "void")), {"reason": "x"})
    invoice.refresh_from_db()
    assert invoice.state == "posted"


def test_the_report_pages_tie_and_open_a_statement(populated: dict[Any, Any], customer: Customer) -> None:
    client = signed_in("cal")

    aged = client.get(reverse("admin:billing_ageing")).content.decode()
    overdue = client.get(reverse("admin:billing_overdue") + "?entity=US").content.decode()
    statement = client.get(
        reverse("admin:billing_statement", args=(customer.pk, customer.entity_id, "USD"))
        + "?as_of=2026-10-20"
    )

    assert "Ageing equals account 1100 in every currency" in aged
    assert "375.50" in aged
    assert "Second reminder" in overdue
    assert "330.50" in overdue  # 375.50 less 5.00 in dispute and 40.00 on account
    assert statement["Content-Type"] == "application/pdf"
    assert client.get(reverse("admin:billing_ageing") + "?as_of=yesterday").status_code == 404


def test_money_of_an_unknown_payer_needs_no_customer(team: Team, customer: Customer) -> None:
    fields = {
        "entity_id": customer.entity_id, "customer": "", "amount": "12.50", "currency": "USD",
        "received_on": "2026-08-20", "method": Receipt.Method.WIRE,
    }  # fmt: skip
    make_customer(team.orders, "Another")

    form = ReceiptForm(fields)

    assert form.is_valid(), form.errors
    assert form.cleaned_data["customer"] is None
