"""Posting in chunks: interrupted anywhere, run twice at once, counted, and immutable afterwards."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from billing import events, postings
from billing.models import BillRun, Charge, Invoice, InvoiceLine
from billing.services import findings, runs
from o2c import numbering
from o2c.actor import acting
from o2c.errors import ClosedPeriod
from o2c.ledger.models import Journal, LegalEntity
from orders.models import Customer
from tests.factories.billing import Team, bill, billing_team, books
from tests.factories.orders import line, make_customer, make_order

AUGUST = dt.date(2026, 9, 1)


def orders_for(team: Team, customer: Customer, count: int) -> None:
    for _ in range(count):
        make_order(team.orders, customer, [line("SEATS", 10)], state="active", terms={"po_number": "PO"})


class Killed(BaseException):
    """A worker that dies: nothing catches it."""


def after(calls: int, act: Callable[..., object]) -> Callable[..., object]:
    """`act`, which dies at its n-th call."""
    made = 0

    def dying(*args: object, **kwargs: object) -> object:
        nonlocal made
        made += 1
        if made == calls:
            raise Killed
        return act(*args, **kwargs)

    return dying


@pytest.mark.parametrize("place", ["journals", "events", "numbers"])
def test_a_run_goes_on_where_its_worker_died(
    team: Team, customer: Customer, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    orders_for(team, customer, 5)
    run = bill(team, AUGUST, upto="released")

    target, name = {
        "journals": (postings, "post_documents"),
        "events": (events, "documents_posted"),
        "numbers": (numbering, "take"),
    }[place]
    with monkeypatch.context() as patch:
        patch.setattr(target, name, after(2, getattr(target, name)))
        with pytest.raises(Killed):
            runs.post(run.pk, actor=team.ops, chunk=2)

    assert BillRun.objects.get().state == "posting"
    assert Invoice.objects.filter(state="posted").count() == 2
    assert Journal.objects.count() == 2

    runs.post(run.pk, actor=team.ops, chunk=2)

    numbers = list(Invoice.objects.order_by("number").values_list("number", flat=True))
    assert numbers == [f"US-INV-2026-{n:06d}" for n in range(1, 6)]
    assert Journal.objects.count() == 5
    assert Charge.objects.count() == 5
    assert BillRun.objects.get().state == "posted"


def test_a_run_into_a_month_without_open_books_posts_nothing(team: Team, customer: Customer) -> None:
    orders_for(team, customer, 1)
    run = bill(team, AUGUST, upto="released", issue_on=dt.date(2027, 2, 1))

    with pytest.raises(ClosedPeriod, match="2027-02-01"):
        runs.post(run.pk, actor=team.ops)

    assert not Invoice.objects.exclude(number=None).exists()
    assert not Charge.objects.exists()


def test_the_number_of_queries_does_not_grow_with_the_invoices(
    team: Team, entities: dict[str, LegalEntity]
) -> None:
    def queries(count: int, region: str) -> tuple[int, int]:
        buyer = make_customer(team.orders, f"Buyer {count}", region=region)
        orders_for(team, buyer, count)
        run = runs.plan(entity_id=entities["US"].pk, through=AUGUST, customer_ids=[buyer.pk], actor=team.ops)
        with CaptureQueriesContext(connection) as calculating:
            runs.calculate(run.pk, actor=team.ops)
        findings.acknowledge_all(run.pk, actor=team.ops, reason="ok")
        runs.release(run.pk, actor=team.approver)
        with CaptureQueriesContext(connection) as posting_queries:
            runs.post(run.pk, actor=team.ops)
        return len(calculating), len(posting_queries)

    few = queries(10, "NY")
    many = queries(100, "NY")

    assert many == few


def test_a_posted_document_never_changes(
    team: Team, customer: Customer, as_owner: Callable[[], AbstractContextManager[None]]
) -> None:
    orders_for(team, customer, 1)
    bill(team, AUGUST)
    invoice = Invoice.objects.get()

    def refused(act: Callable[[], object], why: str) -> None:
        with pytest.raises(DatabaseError, match=why), acting(team.ops):
            act()

    refused(lambda: Invoice.objects.update(total=Decimal("1"), net=Decimal("1"), tax=0), "immutable")
    refused(lambda: Invoice.objects.update(bill_to={}), "immutable")
    refused(lambda: Invoice.objects.update(number="US-INV-2026-999999"), "immutable")
    refused(lambda: Invoice.objects.update(due_date=dt.date(2030, 1, 1)), "immutable")
    refused(lambda: InvoiceLine.objects.update(net=Decimal("1")), "only while its billing_invoice is draft")
    refused(
        lambda: InvoiceLine.objects.create(
            invoice=invoice, position=9, kind="manual", description="x", net=0
        ),
        "only while its billing_invoice is draft",
    )
    invoice.po_number = "changed"
    refused(invoice.save, "immutable")
    for statement in (
        "UPDATE billing_invoice SET state = 'draft'",
        "DELETE FROM billing_invoice",
        "UPDATE billing_invoiceline SET tax = 0",
        "DELETE FROM billing_invoiceline",
    ):
        with (
            pytest.raises(DatabaseError),
            acting(team.ops),
            as_owner(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


def test_a_charge_is_billed_once_whatever_asks(team: Team, customer: Customer) -> None:
    """The two guards of the database, with the engine out of the way."""
    orders_for(team, customer, 1)
    bill(team, AUGUST)
    charge = Charge.objects.get()

    copy = {
        name: getattr(charge, name)
        for name in (
            "line_id", "segment_id", "kind", "period_from", "period_to", "service_from", "service_to",
            "covers_from", "covers_to", "due_on", "quantity", "amount", "currency",
        )
    }  # fmt: skip
    with pytest.raises(DatabaseError, match="billing_charge_once"), acting(team.ops):
        Charge.objects.create(**copy)
    copy["period_from"] = dt.date(2026, 8, 10)
    copy["service_from"] = copy["covers_from"] = dt.date(2026, 8, 10)
    with pytest.raises(DatabaseError, match="billing_charge_no_day_twice"), acting(team.ops):
        Charge.objects.create(**copy)


def test_every_change_of_a_posted_document_is_in_history(team: Team, customer: Customer) -> None:
    orders_for(team, customer, 1)
    bill(team, AUGUST)

    history = Invoice.history.filter(id=Invoice.objects.get().pk).order_by("history_id")

    assert list(history.values_list("history_type", "state", "history_actor")) == [
        ("+", "draft", "bea"),
        ("~", "posted", "bea"),
    ]


@pytest.mark.django_db(transaction=True)
def test_numbers_have_no_gap_when_two_runs_post_at_once() -> None:
    team = billing_team()
    entity = books(team)["US"]
    run_ids = []
    for n in range(2):
        buyer = make_customer(team.orders, f"Buyer {n}", region="NY")
        orders_for(team, buyer, 6)
        run = runs.plan(entity_id=entity.pk, through=AUGUST, customer_ids=[buyer.pk], actor=team.ops)
        runs.calculate(run.pk, actor=team.ops)
        findings.acknowledge_all(run.pk, actor=team.ops, reason="ok")
        run_ids.append(runs.release(run.pk, actor=team.approver).pk)
    problems: list[BaseException] = []

    def work(run_id: int) -> None:
        try:
            runs.post(run_id, actor=team.ops, chunk=2)
        except BaseException as error:
            problems.append(error)
        finally:
            connection.close()

    # Each run is posted by two workers at once; they take turns chunk by chunk.
    threads = [threading.Thread(target=work, args=(run_id,)) for run_id in (*run_ids, *run_ids)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []
    numbers = sorted(Invoice.objects.values_list("number", flat=True))
    assert numbers == [f"US-INV-2026-{n:06d}" for n in range(1, 13)]
    assert Journal.objects.filter(rule="invoice.posted").count() == 12
    assert set(BillRun.objects.values_list("state", flat=True)) == {"posted"}
