"""Reminders by the dunning plan: per customer, entity and currency, each level once per debt.

What is contested, what a marketplace collects and what cash on account would cover is not dunned. The
notice is written first (unique per level and debt), then the mail is sent, outside of the transaction: a
reminder is never sent twice, and one that could not be sent is on record with its reason.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from email.utils import formataddr

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction

from billing.dunning_plan import make_levels
from billing.models import DunningLevel, DunningNotice
from billing.selectors.collections import Overdue, overdue
from billing.selectors.document_data import Formats
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.ledger.models import LegalEntity
from o2c.vault import opened
from orders.models import Customer


def save_plan(*, actor: Actor, reason: str = "") -> int:
    """Make the levels of PLAN that are not there yet; how many were new. Others stay as they are."""
    with acting(actor, reason=reason or "Dunning plan"):
        require(actor, "billing.dunning.maintain")
        return make_levels()


@dataclass(frozen=True, slots=True)
class Dunned:
    """What a round did: reminders sent, those for a person to call, those whose mail was refused."""

    sent: int
    to_call: int
    refused: int


def remind(*, as_of: dt.date, actor: Actor, entity_id: int | None = None, reason: str = "") -> Dunned:
    """One round of reminders as of a day. A second round on the same day does nothing."""
    require(actor, "billing.dunning.send")
    levels = list(DunningLevel.objects.order_by("days_overdue"))
    sent = to_call = refused = 0
    for debt in overdue(as_of, entity_id=entity_id):
        level = _due_level(levels, debt)
        if level is None:
            continue
        notice = _record(debt, level, as_of, actor, reason)
        if notice is None:
            continue
        if level.escalates:
            to_call += 1
        elif _mail(notice, level, debt):
            sent += 1
        else:
            refused += 1
    return Dunned(sent, to_call, refused)


def _due_level(levels: list[DunningLevel], debt: Overdue) -> DunningLevel | None:
    """The highest level reached by the oldest debt, unless it or a higher one was given already."""
    reached = [level for level in levels if level.days_overdue <= debt.days]
    if not reached or debt.level >= reached[-1].level:
        return None
    return reached[-1]


def _record(
    debt: Overdue, level: DunningLevel, as_of: dt.date, actor: Actor, reason: str
) -> DunningNotice | None:
    """The notice, or None when another worker was first."""
    customer = Customer.objects.get(pk=debt.customer_id)
    try:
        with acting(actor, reason=reason or "Dunning"), transaction.atomic():
            return DunningNotice.objects.create(
                customer=customer,
                entity_id=debt.entity_id,
                currency=debt.currency,
                level=level.level,
                oldest_due=debt.oldest_due,
                amount=debt.amount,
                invoices=[{"number": item.number, "open": str(item.open)} for item in debt.items],
                address="" if level.escalates else customer.billing_email,
                noticed_on=as_of,
            )
    except IntegrityError:
        return None


def _mail(notice: DunningNotice, level: DunningLevel, debt: Overdue) -> bool:
    if not notice.address:
        return False
    entity = LegalEntity.objects.get(pk=notice.entity_id)
    formats = Formats(entity.country, notice.currency)
    words = {
        "customer": notice.customer.legal_name,
        "amount": formats.money(notice.amount),
        "oldest_due": formats.day(notice.oldest_due),
        "days": debt.days,
    }
    rows = [
        f"{item.number}   due {formats.day(item.due_date)}   {formats.money(item.open)}"
        for item in debt.items
    ]
    body = [
        notice.customer.legal_name,
        "",
        level.body.format(**words),
        "",
        *rows,
        "",
        f"Please pay to {entity.bank_name}, {opened(entity.bank_account)}, and name the invoice.",
        f"Questions: {entity.email}",
        "",
        entity.legal_name,
    ]
    message = EmailMessage(
        subject=level.subject.format(**words),
        body="\n".join(body),
        from_email=formataddr((entity.legal_name, settings.DEFAULT_FROM_EMAIL)),
        to=[notice.address],
        reply_to=[entity.email],
        headers={"Message-ID": f"<dunning-{notice.pk}@{entity.email.rpartition('@')[2]}>"},
    )
    try:
        message.send(fail_silently=False)
    except OSError:
        return False
    return True
