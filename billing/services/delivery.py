"""E-mail of documents: queued, claimed, sent once, every attempt on record.

Four steps, each its own transaction, with the mail server called between two of them and inside none:
claim (committed) -> render -> send -> record. A message whose worker died after the claim is never sent
again by itself: the sweeper marks it `unconfirmed` and a person decides.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from email.utils import formataddr

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Q
from django.template.loader import render_to_string

from billing.models import DeliveryAttempt, Invoice, InvoiceDelivery
from billing.selectors.document_data import email_context
from billing.services import documents
from o2c import clock, locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.documents.models import Document
from o2c.errors import Conflict, DomainError

State = InvoiceDelivery.State
Outcome = DeliveryAttempt.Outcome
MAX_ATTEMPTS = 5
FIRST_WAIT = dt.timedelta(minutes=2)
LOST_AFTER = dt.timedelta(minutes=15)


def queue(invoice_ids: Sequence[int], *, actor: Actor, occasion: str = "issue", reason: str = "") -> int:
    """Queue these posted documents for their customers' billing address; how many were new.

    Left out: what a marketplace bills, zero documents, and customers without an address (the run has a
    finding for those). The same occasion never queues twice.
    """
    with acting(actor, reason=reason or "Queue documents for delivery"):
        require(actor, "billing.delivery.queue")
        invoices = Invoice.objects.filter(
            pk__in=invoice_ids, state=Invoice.State.POSTED, channel=Invoice.Channel.DIRECT
        ).exclude(total=0)
        before = InvoiceDelivery.objects.filter(invoice_id__in=invoice_ids, occasion=occasion).count()
        InvoiceDelivery.objects.bulk_create(
            [
                InvoiceDelivery(
                    invoice=invoice,
                    address=invoice.bill_to["email"],
                    occasion=occasion,
                    next_attempt_at=clock.now(),
                )
                for invoice in invoices.only("pk", "bill_to", "state")
                if invoice.bill_to.get("email")
            ],
            ignore_conflicts=True,
        )
        after = InvoiceDelivery.objects.filter(invoice_id__in=invoice_ids, occasion=occasion).count()
        if after > before:
            transaction.on_commit(_wake_sender)
        return after - before


def _wake_sender() -> None:
    """Send by a task, as soon as what was queued is committed. The sweeper finds what this loses."""
    from billing.tasks import send_documents  # Celery needs the settings; tasks import this module

    send_documents.delay()


def due(limit: int = 200) -> list[int]:
    """Deliveries to try now."""
    ready = Q(state=State.QUEUED) | Q(state=State.FAILED, attempts__lt=MAX_ATTEMPTS)
    rows = InvoiceDelivery.objects.filter(ready, next_attempt_at__lte=clock.now())
    return list(rows.order_by("next_attempt_at", "pk").values_list("pk", flat=True)[:limit])


def send(pk: int, *, actor: Actor, reason: str = "") -> InvoiceDelivery:
    """Send one document now. Raises Conflict when it was sent, is being sent, or was given up.

    A refusal by the mail server is recorded on the delivery, not raised.
    """
    delivery = _claim(pk, actor, reason)
    try:
        document = documents.render(delivery.invoice_id, actor=actor)
        _message(delivery, document).send(fail_silently=False)
    except (OSError, DomainError) as error:  # smtplib's errors are OSErrors
        return _failed(pk, error, actor)
    return _sent(pk, actor)


def _claim(pk: int, actor: Actor, reason: str) -> InvoiceDelivery:
    with acting(actor, reason=reason or "Send document"):
        require(actor, "billing.delivery.send", record=f"delivery {pk}")
        delivery = locks.row(InvoiceDelivery, pk)
        delivery.claim()
        delivery.attempts += 1
        delivery.claimed_at = clock.now()
        # The same for every attempt, so that the receiving server can drop a second copy by itself.
        domain = delivery.invoice.seller["email"].rpartition("@")[2]
        delivery.message_id = f"<delivery-{delivery.pk}@{domain}>"
        delivery.save()
        return delivery


def _message(delivery: InvoiceDelivery, document: Document) -> EmailMessage:
    invoice = Invoice.objects.select_related("customer").get(pk=delivery.invoice_id)
    context = email_context(invoice)
    message = EmailMessage(
        subject=render_to_string("emails/invoice_subject.txt", context).strip(),
        body=render_to_string("emails/invoice.txt", context),
        from_email=formataddr((invoice.seller["legal_name"], settings.DEFAULT_FROM_EMAIL)),
        to=[delivery.address],
        reply_to=[invoice.seller["email"]],
        headers={"Message-ID": delivery.message_id, "X-O2C-Document": document.sha256},
    )
    message.attach(document.name, bytes(document.content), document.media_type)
    return message


def _sent(pk: int, actor: Actor) -> InvoiceDelivery:
    with acting(actor, reason="The mail server accepted the message"):
        delivery = locks.row(InvoiceDelivery, pk)
        delivery.confirm()
        delivery.sent_at, delivery.last_error, delivery.next_attempt_at = clock.now(), "", None
        delivery.save()
        DeliveryAttempt.objects.create(delivery=delivery, outcome=Outcome.SENT, detail=delivery.message_id)
        return delivery


def _failed(pk: int, error: Exception, actor: Actor) -> InvoiceDelivery:
    with acting(actor, reason="The mail server refused the message"):
        delivery = locks.row(InvoiceDelivery, pk)
        delivery.fail()
        delivery.last_error = f"{type(error).__name__}: {error}"[:500]
        delivery.next_attempt_at = clock.now() + FIRST_WAIT * 2 ** (delivery.attempts - 1)
        delivery.save()
        DeliveryAttempt.objects.create(delivery=delivery, outcome=Outcome.FAILED, detail=delivery.last_error)
        return delivery


def send_due(*, actor: Actor, limit: int = 200) -> tuple[int, int]:
    """Send everything that waits; (sent, failed). Another worker's claims are passed over."""
    sent = failed = 0
    for pk in due(limit):
        try:
            delivery = send(pk, actor=actor)
        except Conflict:
            continue
        sent += delivery.state == State.SENT
        failed += delivery.state == State.FAILED
    return sent, failed


def sweep(*, actor: Actor) -> int:
    """Mark what was claimed long ago and never recorded as not known; how many."""
    lost = InvoiceDelivery.objects.filter(state=State.SENDING, claimed_at__lt=clock.now() - LOST_AFTER)
    count = 0
    for pk in list(lost.values_list("pk", flat=True)):
        with acting(actor, reason="The worker that sent it died"):
            require(actor, "billing.delivery.sweep", record=f"delivery {pk}")
            delivery = locks.row(InvoiceDelivery, pk)
            if delivery.state != State.SENDING:
                continue
            delivery.lose_sight()
            delivery.last_error = "The worker died while sending; whether the message left is not known"
            delivery.save()
            DeliveryAttempt.objects.create(delivery=delivery, outcome=Outcome.UNCONFIRMED)
            count += 1
    return count


def retry(pk: int, *, actor: Actor, reason: str = "") -> InvoiceDelivery:
    """Queue a failed, bounced or unconfirmed delivery again."""
    with acting(actor, reason=reason):
        require(actor, "billing.delivery.retry", record=f"delivery {pk}")
        delivery = locks.row(InvoiceDelivery, pk)
        delivery.retry()
        delivery.next_attempt_at, delivery.attempts = clock.now(), 0
        delivery.save()
        transaction.on_commit(_wake_sender)
        return delivery


def abandon(pk: int, *, actor: Actor, reason: str = "") -> InvoiceDelivery:
    """Give a delivery up: it reached the customer another way, or need not."""
    with acting(actor, reason=reason):
        require(actor, "billing.delivery.abandon", record=f"delivery {pk}")
        delivery = locks.row(InvoiceDelivery, pk)
        delivery.abandon()
        delivery.next_attempt_at = None
        delivery.save()
        return delivery


def record_bounce(pk: int, detail: str, *, actor: Actor, reason: str = "") -> InvoiceDelivery:
    """The receiving side sent the message back; `detail` is what it said."""
    with acting(actor, reason=reason):
        require(actor, "billing.delivery.record_bounce", record=f"delivery {pk}")
        delivery = locks.row(InvoiceDelivery, pk)
        delivery.bounce()
        delivery.last_error = detail[:500]
        delivery.save()
        DeliveryAttempt.objects.create(delivery=delivery, outcome=Outcome.BOUNCED, detail=detail[:500])
        return delivery


def resend(invoice_id: int, *, actor: Actor, address: str = "", reason: str = "") -> InvoiceDelivery:
    """Send a document once more, to `address` or the one on it, under its own occasion."""
    with acting(actor, reason=reason):
        require(actor, "billing.delivery.queue", record=f"invoice {invoice_id}")
        invoice = locks.row(Invoice, invoice_id)
        if invoice.state != Invoice.State.POSTED or invoice.channel != Invoice.Channel.DIRECT:
            raise Conflict("Only a posted document of our own is sent", record=str(invoice))
        target = address or invoice.bill_to.get("email", "")
        if not target:
            raise Conflict("The customer has no billing address", record=str(invoice))
        delivery = InvoiceDelivery.objects.create(
            invoice=invoice,
            address=target,
            occasion=f"resend-{invoice.deliveries.count() + 1}",
            next_attempt_at=clock.now(),
        )
        transaction.on_commit(_wake_sender)
        return delivery
