"""A bill run from plan to posted, and everything that must not happen on the way."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection

from billing.models import (
    BillRun,
    BillRunFinding,
    Charge,
    Invoice,
    InvoiceLine,
    TaxRate,
    UsageDimensions,
    UsageHour,
)
from billing.services import findings, runs
from o2c.actor import acting
from o2c.errors import Conflict, InvalidInput, NotAuthorised
from o2c.ledger.models import Journal, JournalLine, LegalEntity
from o2c.outbox.models import DomainEvent
from orders.models import Customer, Order
from orders.services import amendments
from tests.factories.billing import Team, bill
from tests.factories.orders import line, make_customer, make_order

AUGUST = dt.date(2026, 9, 1)
SEPTEMBER = dt.date(2026, 10, 1)


@pytest.fixture
def order(team: Team, customer: Customer) -> Order:
    """10 seats at 40.00 and a platform at 500.00 a month in advance, onboarding 2,500.00 once."""
    return make_order(
        team.orders,
        customer,
        [line("SEATS", 10), line("PLATFORM"), line("ONBOARDING")],
        state="active",
        terms={"po_number": "PO-7"},
    )


def test_from_plan_to_posted(team: Team, order: Order) -> None:
    run = bill(team, AUGUST, upto="calculated")

    draft = Invoice.objects.get()
    assert (draft.state, draft.number, draft.po_number) == ("draft", None, "PO-7")
    assert (draft.net, draft.tax, draft.total) == (
        Decimal("3400.00"),
        Decimal("301.75"),
        Decimal("3701.75"),
    )
    assert not Charge.objects.exists()
    assert not Journal.objects.exists()

    findings.acknowledge_all(run.pk, actor=team.ops, reason="First billing")
    runs.release(run.pk, actor=team.approver)
    run = runs.post(run.pk, actor=team.ops)

    invoice = Invoice.objects.get()
    assert (invoice.state, invoice.number) == ("posted", "US-INV-2026-000001")
    assert (invoice.issue_date, invoice.due_date) == (dt.date(2026, 8, 31), dt.date(2026, 9, 30))
    assert run.state == "posted"
    assert run.totals["USD"]["expected"] == run.totals["USD"]["booked"] == "3400.00"
    assert [charge.amount for charge in Charge.objects.order_by("line__position")] == [400, 500, 2500]
    assert DomainEvent.objects.filter(
        type="billing.invoice.posted", payload={"invoice_id": invoice.pk}
    ).exists()


def test_the_journal_of_a_posted_invoice(team: Team, order: Order) -> None:
    bill(team, AUGUST)

    lines = JournalLine.objects.order_by("pk").values_list("account__code", "debit", "credit", "reference")
    first, *_ = order.lines.order_by("position")
    invoice = Invoice.objects.get()
    assert lines[0] == ("1100", Decimal("3701.75"), Decimal(0), f"billing.invoice:{invoice.pk}")
    assert lines[1] == ("2100", Decimal(0), Decimal("400.00"), f"order_line:{first.pk}")
    assert lines[4] == ("2150", Decimal(0), Decimal("301.75"), f"billing.invoice:{invoice.pk}")


def test_a_second_run_gives_nothing(team: Team, order: Order) -> None:
    bill(team, AUGUST)

    second = bill(team, AUGUST)

    assert second.state == "posted"
    assert second.totals == {}
    assert Invoice.objects.count() == 1


def test_the_next_month_bills_only_what_is_new(team: Team, order: Order) -> None:
    bill(team, AUGUST)

    bill(team, SEPTEMBER)

    invoice = Invoice.objects.get(number="US-INV-2026-000002")
    assert invoice.net == Decimal("900.00")
    assert [row.service_from for row in invoice.lines.all()] == [dt.date(2026, 9, 1)] * 2


def test_a_document_is_posted_once_however_often_it_is_asked_for(team: Team, order: Order) -> None:
    run = bill(team, AUGUST)

    again = runs.post(run.pk, actor=team.ops)

    assert again.state == "posted"
    assert Journal.objects.count() == 1


def test_who_calculated_does_not_release(team: Team, order: Order) -> None:
    from tests.factories.billing import person

    both = person("both", "billing_ops", "approver", excused=True)
    run = runs.plan(entity_id=order.entity_id, through=AUGUST, actor=both)
    runs.calculate(run.pk, actor=both)
    findings.acknowledge_all(run.pk, actor=both, reason="ok")

    with pytest.raises(Conflict, match="does not release"):
        runs.release(run.pk, actor=both)
    with (
        pytest.raises(DatabaseError, match="released_by_second_person"),
        acting(both),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "UPDATE billing_billrun SET state = 'released', released_by_id = calculated_by_id WHERE id = %s",
            [run.pk],
        )
    with pytest.raises(NotAuthorised):
        runs.release(run.pk, actor=team.cash)


def test_nothing_posts_before_it_is_released(team: Team, order: Order) -> None:
    run = bill(team, AUGUST, upto="calculated")

    with pytest.raises(Conflict, match="needs the state released"):
        runs.post(run.pk, actor=team.ops)
    with (
        pytest.raises(DatabaseError, match="declared transition"),
        acting(team.ops),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE billing_billrun SET state = 'posted' WHERE id = %s", [run.pk])


def test_open_findings_hold_the_release(team: Team, customer: Customer) -> None:
    make_order(team.orders, customer, [line("SEATS", 10)], state="active", terms={"po_number": "PO-1"})
    make_order(team.orders, customer, [line("SEATS", 1)], state="active")
    run = bill(team, AUGUST, upto="calculated")

    found = set(run.findings.values_list("code", "severity"))
    assert found == {("first_billing", "info"), ("missing_po", "warning")}
    with pytest.raises(Conflict, match="wait for acknowledgement"):
        runs.release(run.pk, actor=team.approver)
    finding = run.findings.get(code="missing_po")
    with pytest.raises(InvalidInput, match="Say why"):
        findings.acknowledge(finding.pk, actor=team.ops)
    findings.acknowledge(finding.pk, actor=team.ops, reason="Customer confirmed by mail")
    assert runs.release(run.pk, actor=team.approver).state == "released"


def test_a_missing_tax_rate_blocks_until_it_is_loaded(team: Team, entities: dict[str, LegalEntity]) -> None:
    customer = make_customer(team.orders, "Umbrella", region="WA")
    make_order(team.orders, customer, [line("SEATS", 10)], state="active")
    run = bill(team, AUGUST, upto="calculated")

    finding = BillRunFinding.objects.get(code="missing_tax_rate")
    assert finding.severity == "blocker"
    assert "saas in US-WA" in finding.message
    with pytest.raises(Conflict, match="cured, not acknowledged"):
        findings.acknowledge(finding.pk, actor=team.ops, reason="never mind")
    with pytest.raises(Conflict, match="blocks the run"):
        runs.release(run.pk, actor=team.approver)

    with acting(team.ops):
        TaxRate.objects.create(
            country="US", region="WA", category="saas", name="Sales tax", rate=Decimal("0.065"),
            effective_from=dt.date(2020, 1, 1),
        )  # fmt: skip
    runs.reopen(run.pk, actor=team.ops)
    assert not Invoice.objects.exists()
    runs.calculate(run.pk, actor=team.ops)
    runs.release(run.pk, actor=team.approver)
    runs.post(run.pk, actor=team.ops)

    assert Invoice.objects.get().tax == Decimal("26.00")


def test_a_jump_is_pointed_out(team: Team, order: Order) -> None:
    bill(team, AUGUST)
    seats = order.lines.get(position=1)
    change = {"lines": [{"line": seats.pk, "quantity": "30"}]}
    drafted = amendments.draft(
        order.pk, kind="quantity", effective_on=dt.date(2026, 9, 1), changes=change, actor=team.orders
    )
    amendments.apply(drafted.pk, actor=team.approver)

    run = bill(team, SEPTEMBER, upto="calculated")

    # 30 seats at 40.00 and the platform; August had (400.00 + 500.00) / 31 a day.
    finding = run.findings.get(code="jump")
    assert finding.amount == Decimal("829.03")
    assert finding.message == ("1,700.00 where the rates of the last billing come to 870.97 (+95 %)")


def test_a_fee_that_is_not_due_again_is_no_jump(team: Team, order: Order) -> None:
    bill(team, AUGUST)

    run = bill(team, SEPTEMBER, upto="calculated")

    assert not run.findings.filter(code__in=["jump", "first_billing"]).exists()


def test_orders_share_an_invoice_when_the_customer_wants_that(
    team: Team, entities: dict[str, LegalEntity]
) -> None:
    customer = make_customer(team.orders, "Hooli", region="NY", consolidate_invoices=True)
    for po in ("A", "A", "B"):
        make_order(team.orders, customer, [line("SEATS", 10)], state="active", terms={"po_number": po})

    bill(team, AUGUST)

    found = Invoice.objects.order_by("po_number").values_list("po_number", "net", "order_id")
    assert list(found) == [("A", Decimal("800.00"), None), ("B", Decimal("400.00"), None)]


def test_a_reduction_gives_a_credit_memo(team: Team, order: Order) -> None:
    """Everything is cancelled from 16 August after it was billed to the end of the month."""
    bill(team, AUGUST)
    today = dt.date(2026, 9, 5)
    drafted = amendments.draft(
        order.pk, kind="cancel", effective_on=dt.date(2026, 8, 16), changes={"mode": "backdated"},
        as_of=today, actor=team.orders, reason="Closed down",
    )  # fmt: skip
    amendments.apply(drafted.pk, actor=team.orders, as_of=today)

    bill(team, AUGUST)

    memo = Invoice.objects.get(kind="credit_memo")
    assert memo.number == "US-CM-2026-000001"
    # 16 of 31 days of 900.00: seats 206.45, platform 258.06
    assert memo.net == Decimal("-464.51")
    assert memo.tax == Decimal("-41.23")
    assert BillRunFinding.objects.filter(code="negative_total").exists()
    assert sum(Charge.objects.values_list("amount", flat=True)) == Decimal("2935.49")


def test_a_marketplace_invoice_is_not_ours_to_tax_or_to_collect(team: Team, customer: Customer) -> None:
    make_order(team.orders, customer, [line("SEATS", 10)], state="active", terms={"channel": "aws"})

    bill(team, AUGUST)

    invoice = Invoice.objects.get()
    assert (invoice.channel, invoice.tax, invoice.tax_treatment) == ("aws", 0, "marketplace")
    assert JournalLine.objects.filter(account__code="1105", debit=Decimal("400.00")).exists()
    assert not JournalLine.objects.filter(account__code__in=["1100", "2150"]).exists()
    assert not Invoice.objects.payable().exists()


def test_two_runs_do_not_cover_the_same_customers(team: Team, order: Order) -> None:
    first = bill(team, AUGUST, upto="planned")

    with pytest.raises(Conflict, match=first.number):
        bill(team, AUGUST, upto="planned")
    runs.cancel(first.pk, actor=team.ops, reason="Wrong date")
    assert bill(team, AUGUST, upto="planned").state == "planned"


def test_cancelling_leaves_nothing_behind(team: Team, order: Order) -> None:
    run = bill(team, AUGUST, upto="released")

    runs.cancel(run.pk, actor=team.ops, reason="Prices are wrong")

    assert not Invoice.objects.exists()
    assert not InvoiceLine.objects.exists()
    assert BillRun.objects.get().state == "cancelled"
    assert BillRun.history.filter(id=run.pk, state="cancelled").get().history_actor == "bea"


def test_the_preview_is_the_real_thing(team: Team, order: Order) -> None:
    preview = runs.preview(entity_id=order.entity_id, through=AUGUST, actor=team.ops)

    assert not BillRun.objects.exists()
    assert preview.totals["USD"]["total"] == "3701.75"
    assert preview.findings == {"first_billing": 1}
    assert bill(team, AUGUST, upto="calculated").digest == preview.digest


def test_drafts_that_were_changed_are_not_released_or_posted(team: Team, order: Order) -> None:
    run = bill(team, AUGUST, upto="released")

    with acting(team.ops), connection.cursor() as cursor:
        cursor.execute("UPDATE billing_invoiceline SET net = net + 1")
        cursor.execute("UPDATE billing_invoice SET net = net + 3, total = total + 3")

    with pytest.raises(Conflict, match="not those that were calculated"):
        runs.post(run.pk, actor=team.ops)
    assert not Journal.objects.exists()


def _retract_more_than_was_metered(team: Team, order: Order) -> None:
    """Usage below zero, which no price can turn into a charge."""
    usage = order.lines.get()
    assert usage.sku.meter is not None
    with acting(team.orders):
        UsageHour.objects.create(
            customer=order.customer,
            meter=usage.sku.meter,
            line=usage,
            dimensions=UsageDimensions.objects.create(key="{}", values={}),
            hour=dt.datetime(2026, 8, 10, tzinfo=dt.UTC),
            quantity=-5,
            event_count=1,
        )


def test_an_order_that_cannot_be_rated_blocks_the_run_and_only_itself(
    team: Team, order: Order, entities: dict[str, LegalEntity]
) -> None:
    other = make_customer(team.orders, "Broken", region="NY")
    broken = make_order(team.orders, other, [line("TOKENS")], state="active")
    _retract_more_than_was_metered(team, broken)

    run = bill(team, AUGUST, upto="calculated")

    finding = run.findings.get(code="cannot_rate")
    assert finding.customer == other
    assert broken.number in finding.message
    assert Invoice.objects.get().order == order
