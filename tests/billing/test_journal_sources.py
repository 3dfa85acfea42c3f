"""The books take no journal without the event that causes it, whoever writes it, under whatever name."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.db import DatabaseError

from o2c import ledger
from o2c.actor import acting
from o2c.ledger.models import Journal, LegalEntity
from tests.factories.billing import Team, billing_team, books, post_invoice, receive
from tests.factories.orders import make_customer

DAY = dt.date(2026, 10, 15)
REFUSED = "No event of this transaction|Nothing in the product"


def forge(entity: LegalEntity, team: Team, event_key: str, rule: str) -> None:
    sides = (ledger.Line("1100", debit=Decimal(5_000_000)), ledger.Line("4010", credit=Decimal(5_000_000)))
    entry = ledger.Entry(entity.pk, "USD", DAY, DAY, event_key, rule, event_key, sides)
    with pytest.raises(DatabaseError, match=REFUSED), acting(team.cash, reason="year end"):
        ledger.post([entry])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("event_key", "rule"),
    [
        ("billing.invoice:999999", "invoice.posted"),
        ("billing.invoice:one", "invoice.posted"),
        ("billing.invoice", "invoice.posted"),
        ("billing.order:1", "invoice.posted"),
        ("billing.receipt:1", "invoice.posted"),
        ("billing.application:999999", "write_off.posted"),
        ("billing.refund:999999", "refund.paid"),
        ("revenue.recognitionrun:999999:1:2026-08", "revenue.recognised"),
        ("partners.break:999999", "marketplace.write_off"),
        ("aws:1:1:be-1", "marketplace.payment"),
        ("aws", "marketplace.payment"),
        ("ledger.manualjournal:1", "invoice.posted"),
        ("spreadsheet.row:1", "correction"),
        ("", "correction"),
    ],
)
def test_a_journal_of_nothing_is_refused(
    entities: dict[str, LegalEntity], team: Team, event_key: str, rule: str
) -> None:
    forge(entities["US"], team, event_key, rule)


@pytest.mark.django_db(transaction=True)
def test_an_event_is_posted_when_it_happens_and_as_what_it_is() -> None:
    """What another transaction wrote is over; a memo's rule is not a receipt's."""
    team = billing_team()
    us = books(team)["US"]
    customer = make_customer(team.orders, "Globex", region="NY")
    invoice = post_invoice(team, customer, "100")
    receipt = receive(team, customer, "50")
    known = Journal.objects.count()

    for key, rule in (
        (f"billing.invoice:{invoice.pk}", "invoice.posted"),
        (f"billing.invoice:{invoice.pk}", "invoice.voided"),
        (f"billing.receipt:{receipt.pk}", "receipt.recorded"),
        (f"billing.receipt:{receipt.pk}", "receipt.reversed"),
    ):
        forge(us, team, key, rule)
    assert Journal.objects.count() == known
