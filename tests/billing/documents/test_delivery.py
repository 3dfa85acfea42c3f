"""Documents by e-mail: once, logged, retried, and never twice."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection

from billing.models import DeliveryAttempt, Invoice, InvoiceDelivery
from billing.services import delivery
from o2c import clock, outbox
from o2c.access.system import system_actor
from o2c.actor import acting
from o2c.errors import Conflict
from orders.models import Customer
from tests.factories.billing import Team, bill, billing_team, books, post_invoice
from tests.factories.orders import line, make_customer, make_order


class Refusing(EmailBackend):
    """A mail server that is down."""

    def send_messages(self, messages: Any) -> int:
        raise ConnectionRefusedError("mail server is down")


REFUSING = f"{__name__}.Refusing"


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is queued is sent by the test, not by a task."""
    from billing.tasks import send_documents

    monkeypatch.setattr(send_documents, "delay", lambda: None)


def queued(invoice: Invoice) -> InvoiceDelivery:
    delivery.queue([invoice.pk], actor=system_actor())
    return InvoiceDelivery.objects.get(invoice=invoice)


def test_what_is_posted_is_queued_by_the_event_and_sent_with_its_pdf(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00", po="PO-9")
    outbox.drain()

    assert delivery.send_due(actor=system_actor()) == (1, 0)

    (message,) = mail.outbox
    assert message.to == ["ap@globex.example"]
    assert message.reply_to == ["ar@acme.example"]
    assert message.subject == "Invoice US-INV-2026-000001 from Acme AI Inc. (PO PO-9)"
    assert "USD\xa0108.88, due on September 30, 2026" in message.body
    ((name, content, media_type),) = message.attachments
    assert (name, media_type) == ("US-INV-2026-000001.pdf", "application/pdf")
    assert content.startswith(b"%PDF")
    row = InvoiceDelivery.objects.get()
    assert (row.state, row.attempts, row.sent_at is not None) == ("sent", 1, True)
    assert list(row.log.values_list("outcome", flat=True)) == ["sent"]
    assert Invoice.objects.get(pk=invoice.pk).document is not None


def test_asking_again_sends_nothing(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")
    row = queued(invoice)
    delivery.send(row.pk, actor=system_actor())

    assert delivery.queue([invoice.pk], actor=system_actor()) == 0
    with pytest.raises(Conflict):
        delivery.send(row.pk, actor=system_actor())
    assert delivery.send_due(actor=system_actor()) == (0, 0)
    assert len(mail.outbox) == 1


def test_a_refusal_is_on_record_and_tried_again(team: Team, customer: Customer, settings: Any) -> None:
    row = queued(post_invoice(team, customer, "100.00"))
    settings.EMAIL_BACKEND = REFUSING

    assert delivery.send_due(actor=system_actor()) == (0, 1)

    row.refresh_from_db()
    assert (row.state, row.attempts) == ("failed", 1)
    assert "mail server is down" in row.last_error
    assert row.next_attempt_at is not None
    assert row.next_attempt_at > clock.now()
    assert delivery.due() == []

    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    delivery.retry(row.pk, actor=team.ops, reason="Server is back")
    assert delivery.send_due(actor=system_actor()) == (1, 0)
    assert [attempt.outcome for attempt in DeliveryAttempt.objects.all()] == ["failed", "sent"]


def test_a_worker_that_dies_while_sending_leaves_it_to_a_person(
    team: Team, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = queued(post_invoice(team, customer, "100.00"))

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(delivery, "_sent", die)
        with pytest.raises(Killed):
            delivery.send(row.pk, actor=system_actor())
    assert len(mail.outbox) == 1

    assert delivery.send_due(actor=system_actor()) == (0, 0)
    assert delivery.sweep(actor=system_actor()) == 0
    with acting(team.ops):
        InvoiceDelivery.objects.filter(pk=row.pk).update(claimed_at=clock.now() - dt.timedelta(minutes=16))
    assert delivery.sweep(actor=system_actor()) == 1

    row.refresh_from_db()
    assert row.state == "unconfirmed"
    assert delivery.send_due(actor=system_actor()) == (0, 0)
    assert len(mail.outbox) == 1


def test_a_bounce_and_a_second_address(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")
    row = queued(invoice)
    delivery.send(row.pk, actor=system_actor())

    delivery.record_bounce(row.pk, "550 no such user", actor=team.ops)
    again = delivery.resend(invoice.pk, actor=team.ops, address="new@globex.example")
    delivery.send(again.pk, actor=system_actor())

    assert [message.to for message in mail.outbox] == [["ap@globex.example"], ["new@globex.example"]]
    row.refresh_from_db()
    assert (row.state, row.last_error) == ("bounced", "550 no such user")


def test_marketplace_documents_and_customers_without_address_are_left_out(
    team: Team, customer: Customer
) -> None:
    make_order(team.orders, customer, [line("SEATS", 10)], state="active", terms={"channel": "aws"})
    mute = make_customer(team.orders, "Mute", region="NY", billing_email="")
    make_order(team.orders, mute, [line("SEATS", 10)], state="active")
    run = bill(team, dt.date(2026, 9, 1))
    outbox.drain()

    assert not InvoiceDelivery.objects.exists()
    assert run.findings.filter(code="no_address", customer=mute).count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_each_document_once() -> None:
    team = billing_team()
    books(team)
    buyer = make_customer(team.orders, "Globex", region="NY")
    invoices = [post_invoice(team, buyer, "10.00") for _ in range(6)]
    delivery.queue([invoice.pk for invoice in invoices], actor=system_actor())

    def work() -> None:
        delivery.send_due(actor=system_actor())
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(mail.outbox) == 6
    assert len({message.subject for message in mail.outbox}) == 6
    assert set(InvoiceDelivery.objects.values_list("state", "attempts")) == {("sent", 1)}
